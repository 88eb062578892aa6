internal import GitCore

/// Makes a file of bitmaps (BitmapFile.swift has the layout) for a pack or a multi-pack-index that holds
/// all that a walk met.
struct BitmapWriter {
    /// The row in the index of the object of each bit, and the number of it; `nil` for one that the walk
    /// did not meet.
    struct Object {
        let row: UInt32
        let number: UInt32?
    }

    private let selection: PackSelection
    private let objects: [Object]
    /// What each is, in the order of the bits.
    private let kinds: [ObjectKind]
    private var bits: BitmapBuilder.Bits
    var hasNameHashes = true

    init(_ selection: PackSelection, _ objects: [Object], kinds: [ObjectKind]) {
        self.selection = selection
        self.objects = objects
        self.kinds = kinds
        bits = BitmapBuilder.Bits(
            ofNumber: Array(repeating: BitmapBuilder.Bits.none, count: selection.objects.count),
            count: objects.count)
        for (bit, object) in objects.enumerated() {
            if let number = object.number {
                bits.ofNumber[Int(number)] = UInt32(truncatingIfNeeded: bit)
            }
        }
    }

    /// The bytes of the file.
    ///
    /// - Parameters:
    ///   - tips: commits that refs are at, by their numbers.
    ///   - checksum: that of the pack or the multi-pack-index.
    /// - Throws: ``StoreError/Code/invalid`` where not all that is reached is there.
    func bytes(tips: Set<Int>, checksum: ObjectID) throws(StoreError) -> [UInt8] {
        let chosen = BitmapChoice.choose(commits(tips))
        let builder = BitmapBuilder(selection, bits)
        let bitmaps = try builder.build(chosen)
        var bytes = Array("BITM".utf8)
        bytes.append(bigEndian: 1 as UInt16)
        bytes.append(bigEndian: (hasNameHashes ? 5 : 1) as UInt16)
        bytes.append(bigEndian: UInt32(truncatingIfNeeded: chosen.count))
        bytes += checksum.rawBytes
        for kind in ObjectKind.allCases {
            var some = Bitmap(count: objects.count)
            for (bit, known) in kinds.enumerated() where known == kind { some.insert(bit) }
            CompressedBitmap(some).append(to: &bytes)
        }
        append(chosen, bitmaps, to: &bytes)
        if hasNameHashes { appendNameHashes(to: &bytes) }
        var hasher = PlainHasher(checksum.format)
        bytes.withUnsafeBytes { hasher.update($0) }
        return bytes + hasher.finalize().rawBytes
    }

    /// Commits that have a bit, the newest first.
    private func commits(_ tips: Set<Int>) -> [BitmapChoice.Commit] {
        let history = selection.history
        let found = history.records.filter { record in
            record.commit < bits.ofNumber.count
                && bits.ofNumber[record.commit] != BitmapBuilder.Bits.none
        }
        // Of one second in the order of the pack.
        let sorted = found.sorted { first, second in
            first.time == second.time
                ? bits.ofNumber[first.commit] < bits.ofNumber[second.commit]
                : first.time > second.time
        }
        return sorted.map { record in
            BitmapChoice.Commit(
                number: record.commit, isTip: tips.contains(record.commit),
                isMerge: record.parents.count > 1)
        }
    }

    /// How many bitmaps before one are tried as its base.
    private static let mostTried = 10

    private func append(
        _ commits: [Int], _ bitmaps: [CompressedBitmap], to bytes: inout [UInt8]
    ) {
        var recent: [Bitmap] = []
        let nothing = Bitmap(count: objects.count)
        for (commit, compressed) in zip(commits, bitmaps) {
            var bitmap = nothing
            compressed.union(into: &bitmap)
            var (best, cost) = (0, CompressedBitmap.cost(of: bitmap, against: nothing))
            for distance in 1 ..< recent.count + 1 {
                let other = CompressedBitmap.cost(
                    of: bitmap, against: recent[recent.count - distance])
                if other < cost { (best, cost) = (distance, other) }
            }
            bytes.append(bigEndian: objects[Int(bits.ofNumber[commit])].row)
            bytes += [UInt8(best), 0]
            if best > 0 {
                var difference = bitmap
                difference.formSymmetricDifference(recent[recent.count - best])
                CompressedBitmap(difference).append(to: &bytes)
            } else {
                compressed.append(to: &bytes)
            }
            if recent.count == Self.mostTried { recent.removeFirst() }
            recent.append(bitmap)
        }
    }

    private func appendNameHashes(to bytes: inout [UInt8]) {
        var hashes = [UInt32](repeating: 0, count: objects.count)
        for (bit, object) in objects.enumerated() {
            // Of a commit, the hint is something else.
            if let number = object.number, kinds[bit] == .tree || kinds[bit] == .blob {
                hashes[Int(object.row)] = selection.objects.hints[Int(number)]
            }
        }
        for hash in hashes { bytes.append(bigEndian: hash) }
    }
}
