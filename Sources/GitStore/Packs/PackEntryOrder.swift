internal import GitCore

extension PackEntryTable {
    /// The rows in the order of their ids, equal ids in the order of their rows: the order of an index.
    func rowsByObjectID() -> [UInt32] {
        ObjectIDSort(ids: oids.bytes, count: count, format: format).rows()
    }
}

/// Sorts ids by their first bits into buckets, and each bucket by the next 32: where ids come from a
/// hash, a bucket holds a few and hardly ever are two equal so far. Where somebody chose them, what is
/// equal so far is compared whole; it never takes more than n log n comparisons.
private struct ObjectIDSort {
    let ids: UnsafeRawBufferPointer
    let count: Int
    let format: ObjectFormat

    /// A bucket of a few, and at most 2^16 buckets.
    private var bucketBits: UInt64 {
        let size = UInt64(Int.bitWidth - count.leadingZeroBitCount)
        return min(max(size, 4) - 3, 16)
    }

    func rows() -> [UInt32] {
        let bits = bucketBits
        var ends = bucketStarts(bits)
        // A key: the 32 bits after those of the bucket, then the row.
        var keys = [UInt64](unsafeUninitializedCapacity: count) { keys, filled in
            for row in 0 ..< count {
                let prefix = prefix(row)
                let bucket = Int(truncatingIfNeeded: prefix >> (64 - bits))
                keys[Int(ends[bucket])] = prefix << bits & ~0xffff_ffff | UInt64(row)
                ends[bucket] += 1
            }
            filled = count
        }
        keys.withUnsafeMutableBufferPointer { keys in
            var start = 0
            for end in ends {
                sort(UnsafeMutableBufferPointer(rebasing: keys[start ..< Int(end)]))
                start = Int(end)
            }
        }
        return keys.map { UInt32(truncatingIfNeeded: $0) }
    }

    private func prefix(_ row: Int) -> UInt64 {
        let start = row * format.byteCount
        return UInt64(bigEndian: ids.loadUnaligned(fromByteOffset: start, as: UInt64.self))
    }

    private func bucketStarts(_ bits: UInt64) -> [UInt32] {
        var starts = [UInt32](repeating: 0, count: 1 << Int(bits))
        for row in 0 ..< count {
            starts[Int(truncatingIfNeeded: prefix(row) >> (64 - bits))] += 1
        }
        var total: UInt32 = 0
        for bucket in starts.indices {
            let size = starts[bucket]
            starts[bucket] = total
            total += size
        }
        return starts
    }

    private static let insertionLimit = 24

    private func sort(_ keys: UnsafeMutableBufferPointer<UInt64>) {
        var bucket = keys
        guard bucket.count > 1 else { return }
        if bucket.count > Self.insertionLimit {
            bucket.sort()
        } else {
            for index in 1 ..< bucket.count {
                let key = bucket[index]
                var place = index
                while place > 0, bucket[place &- 1] > key {
                    bucket[place] = bucket[place &- 1]
                    place &-= 1
                }
                bucket[place] = key
            }
        }
        sortTies(bucket)
    }

    /// Sorts by their whole ids those whose keys differ in the row alone.
    private func sortTies(_ bucket: UnsafeMutableBufferPointer<UInt64>) {
        var start = 0
        while start < bucket.count {
            var end = start + 1
            while end < bucket.count, bucket[end] >> 32 == bucket[start] >> 32 { end += 1 }
            if end - start > 1 {
                var ties = UnsafeMutableBufferPointer(rebasing: bucket[start ..< end])
                ties.sort { a, b in
                    let (first, second) = (objectID(a), objectID(b))
                    return first == second ? a < b : first < second
                }
            }
            start = end
        }
    }

    private func objectID(_ key: UInt64) -> ObjectID {
        let start = Int(key & 0xffff_ffff) * format.byteCount
        return ObjectID(
            raw: UnsafeRawBufferPointer(rebasing: ids[start ..< start + format.byteCount]), format)
    }
}
