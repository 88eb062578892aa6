internal import GitCore

/// Makes deltas on one base (Delta.swift has their layout).
///
/// The base's blocks of sixteen bytes, one every few bytes, are in a hash table. For each place of the
/// target the block there is looked up; what is found is made longer at both ends, and the longest of a
/// few is taken. What lies between is inserted.
///
/// Most places have no block: a bit for each of sixteen times as many hashes as there are blocks tells so,
/// which made the search of git/git's files three times as fast as the table alone, where every other place
/// has something to compare.
final class DeltaIndex {
    private let base: [UInt8]
    /// Bytes from one block to the next.
    private let stride: Int
    /// What is cut off of a hash to have its place in ``heads``, and its bit in ``filter``.
    private let shift: UInt32
    private let filterShift: UInt32
    /// A bit for each hash of more digits: whether any block has it.
    private var filter: [UInt64]
    /// For each hash, the number of a block and one; 0 for none.
    private var heads: [UInt32]
    /// For each block, the next one of the same hash.
    private var next: [UInt32]

    /// Bytes of a block.
    fileprivate static let block = 16
    /// Bases of more bytes than this have fewer blocks.
    private static let fineLimit = 1 << 18
    /// Blocks of one hash that are compared: what repeats itself would take for ever else.
    private static let mostCompared = 24
    /// Longest run of bytes that one instruction copies: readers of old packs know no more.
    private static let longestCopy = 0x10000

    init(_ base: [UInt8]) {
        self.base = base
        stride = base.count <= Self.fineLimit ? 8 : base.count <= 1 << 28 ? 16 : 64
        let count = base.count < Self.block ? 0 : (base.count - Self.block) / stride + 1
        let bits = max(4, Int.bitWidth - count.leadingZeroBitCount)
        let filterBits = min(bits + 4, 31)
        shift = UInt32(32 - min(bits, 31))
        filterShift = UInt32(32 - filterBits)
        filter = Array(repeating: 0, count: max(1, 1 << (filterBits - 6)))
        heads = Array(repeating: 0, count: 1 << min(bits, 31))
        next = Array(repeating: 0, count: count)
        fill(count)
    }

    /// Bytes of memory that it takes, the base left out.
    var byteCount: Int { (heads.count + next.count) * 4 + filter.count * 8 }

    private func fill(_ count: Int) {
        let (stride, shift, filterShift) = (stride, shift, filterShift)
        filter.withUnsafeMutableBufferPointer { filter in
            base.withUnsafeBytes { base in
                for number in 0 ..< count {
                    let bit = Int(Self.hash(base, number &* stride) >> filterShift)
                    filter[bit >> 6] |= 1 << UInt64(bit & 63)
                }
            }
        }
        base.withUnsafeBytes { base in
            heads.withUnsafeMutableBufferPointer { heads in
                next.withUnsafeMutableBufferPointer { next in
                    var last = -1
                    // From the end on, so that the first block of a hash is the foremost.
                    for number in (0 ..< count).reversed() {
                        let hash = Int(Self.hash(base, number &* stride) >> shift)
                        // Of blocks in a row that are alike, the foremost does.
                        if hash == last, heads[hash] == UInt32(number &+ 2) {
                            next[number] = next[number &+ 1]
                        } else {
                            next[number] = heads[hash]
                        }
                        heads[hash] = UInt32(truncatingIfNeeded: number &+ 1)
                        last = hash
                    }
                }
            }
        }
    }

    @inline(__always)
    fileprivate static func hash(_ bytes: UnsafeRawBufferPointer, _ position: Int) -> UInt32 {
        // SAFETY: the callers see to it that a block begins at `position`.
        let start = bytes.baseAddress.unsafelyUnwrapped + position
        let first = start.loadUnaligned(as: UInt64.self)
        let second = start.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        let mixed = (first &* 0x9e37_79b9_7f4a_7c15) ^ (second &* 0xc2b2_ae3d_27d4_eb4f)
        return UInt32(truncatingIfNeeded: ((mixed ^ mixed >> 29) &* 0xd6e8_feb8_6659_fd93) >> 32)
    }

    // MARK: Deltas

    /// The delta that makes `target`; nil where it would have more than `limit` bytes, or so few that
    /// nobody takes it for a delta.
    func delta(to target: DeltaTarget, limit: Int) -> [UInt8]? {
        var out: [UInt8] = []
        Self.appendSize(base.count, &out)
        Self.appendSize(target.content.count, &out)
        let isDone = target.withHashes { content, hashes in
            base.withUnsafeBytes { base in
                heads.withUnsafeBufferPointer { heads in
                    next.withUnsafeBufferPointer { next in
                        filter.withUnsafeBufferPointer { filter in
                            var search = Search(
                                base: base, target: content, hashes: hashes, heads: heads,
                                next: next, filter: filter, stride: stride, shift: shift,
                                filterShift: filterShift)
                            return search.run(&out, limit)
                        }
                    }
                }
            }
        }
        return isDone && out.count >= Delta.minimumLength ? out : nil
    }

    private static func appendSize(_ size: Int, _ out: inout [UInt8]) {
        var rest = size
        while rest > 0x7f {
            out.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(rest))
    }

    /// One pass over a target.
    private struct Search {
        let base: UnsafeRawBufferPointer
        let target: UnsafeRawBufferPointer
        /// Of the target's blocks; empty where they are worked out one by one.
        let hashes: UnsafeBufferPointer<UInt32>
        let heads: UnsafeBufferPointer<UInt32>
        let next: UnsafeBufferPointer<UInt32>
        let filter: UnsafeBufferPointer<UInt64>
        let stride: Int
        let shift: UInt32
        let filterShift: UInt32

        mutating func run(_ out: inout [UInt8], _ limit: Int) -> Bool {
            var position = 0
            // What lies from here to `position` is to be inserted.
            var start = 0
            let last = target.count &- DeltaIndex.block
            let limit = min(limit, .max / 2)
            while true {
                // As far as may be inserted, and something may be found.
                let end = min(last, start &+ limit &- out.count)
                while position <= end, !mayBeFound(at: position) { position &+= 1 }
                if position > last { break }
                if position > end { return false }
                guard var found = longest(at: position) else {
                    position &+= 1
                    continue
                }
                while found.offset > 0, position > start,
                    base[found.offset &- 1] == target[position &- 1]
                {
                    found.offset &-= 1
                    found.length &+= 1
                    position &-= 1
                }
                insert(start ..< position, &out)
                copy(found, &out)
                if out.count > limit { return false }
                position &+= found.length
                start = position
            }
            insert(start ..< target.count, &out)
            return out.count <= limit
        }

        @inline(__always)
        private func hash(at position: Int) -> UInt32 {
            hashes.isEmpty ? DeltaIndex.hash(target, position) : hashes[position]
        }

        /// False where no block of the base is at `position`.
        @inline(__always)
        private func mayBeFound(at position: Int) -> Bool {
            let bit = Int(truncatingIfNeeded: hash(at: position) &>> filterShift)
            return filter[bit &>> 6] &>> UInt64(truncatingIfNeeded: bit & 63) & 1 != 0
        }

        /// The longest piece of the base, of a block at least, that stands at `position`.
        @inline(__always)
        private func longest(at position: Int) -> (offset: Int, length: Int)? {
            var entry = heads[Int(truncatingIfNeeded: hash(at: position) &>> shift)]
            var best = (offset: 0, length: 0)
            var left = DeltaIndex.mostCompared
            while entry != 0, left > 0 {
                let number = Int(entry) &- 1
                let offset = number &* stride
                // It has to be longer than the best so far to be of any use.
                let length = common(offset, position)
                if length > best.length { best = (offset, length) }
                if length > 1 << 12 { break }
                entry = next[number]
                left &-= 1
            }
            return best.length >= DeltaIndex.block ? best : nil
        }

        /// How many bytes from the two places on are equal.
        @inline(__always)
        private func common(_ offset: Int, _ position: Int) -> Int {
            let most = min(base.count &- offset, target.count &- position)
            // SAFETY: no word reaches past `most` bytes of either.
            let one = base.baseAddress.unsafelyUnwrapped + offset
            let other = target.baseAddress.unsafelyUnwrapped + position
            var length = 0
            while length &+ 8 <= most {
                let difference =
                    one.loadUnaligned(fromByteOffset: length, as: UInt64.self)
                    ^ other.loadUnaligned(fromByteOffset: length, as: UInt64.self)
                if difference != 0 {
                    return length &+ UInt64(littleEndian: difference).trailingZeroBitCount >> 3
                }
                length &+= 8
            }
            while length < most, base[offset &+ length] == target[position &+ length] {
                length &+= 1
            }
            return length
        }

        private func insert(_ range: Range<Int>, _ out: inout [UInt8]) {
            var start = range.lowerBound
            while start < range.upperBound {
                let count = min(0x7f, range.upperBound - start)
                out.append(UInt8(count))
                out.append(
                    contentsOf: UnsafeRawBufferPointer(rebasing: target[start ..< start + count]))
                start += count
            }
        }

        private func copy(_ piece: (offset: Int, length: Int), _ out: inout [UInt8]) {
            var (offset, rest) = piece
            while rest > 0 {
                let count = min(rest, DeltaIndex.longestCopy)
                let place = out.count
                out.append(0x80)
                for (bit, shift) in [0, 8, 16, 24].enumerated() {
                    let byte = UInt8(truncatingIfNeeded: offset >> shift)
                    if byte != 0 {
                        out.append(byte)
                        out[place] |= 1 << bit
                    }
                }
                // A size of 0x10000 is written as 0.
                for (bit, shift) in [0, 8].enumerated() where count != DeltaIndex.longestCopy {
                    let byte = UInt8(truncatingIfNeeded: count >> shift)
                    if byte != 0 {
                        out.append(byte)
                        out[place] |= 0x10 << bit
                    }
                }
                offset += count
                rest -= count
            }
        }
    }
}

/// An object that deltas are to make, with the hashes of its blocks: it is tried on several bases.
final class DeltaTarget {
    let content: [UInt8]
    private lazy var hashes = makeHashes()

    /// The hashes of larger ones, in bytes, are not kept.
    private static let largestKept = 16 << 20

    init(_ content: [UInt8]) { self.content = content }

    private func makeHashes() -> [UInt32] {
        let count = content.count - DeltaIndex.block + 1
        guard count > 0, content.count <= Self.largestKept else { return [] }
        return content.withUnsafeBytes { content in
            [UInt32](unsafeUninitializedCapacity: count) { hashes, filled in
                for position in 0 ..< count {
                    hashes[position] = DeltaIndex.hash(content, position)
                }
                filled = count
            }
        }
    }

    fileprivate func withHashes<Result>(
        _ body: (UnsafeRawBufferPointer, UnsafeBufferPointer<UInt32>) -> Result
    ) -> Result {
        content.withUnsafeBytes { content in hashes.withUnsafeBufferPointer { body(content, $0) } }
    }
}
