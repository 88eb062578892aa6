internal import GitCore

/// The bitmaps of a pack or of a multi-pack-index, and the objects that their bits stand for.
final class BitmapIndex: Sendable {
    let file: BitmapFile
    /// The ids, sorted.
    let oids: ObjectIDTable
    /// The row in ``oids`` of the object of each bit.
    let rows: [UInt32]
    /// The bit of each row's object.
    private let bits: [UInt32]
    /// The pack whose entries, in their order, are the first bits: all of them.
    let pack: Pack?
    let packCount: Int

    /// The number of bits.
    var count: Int { rows.count }

    /// - Throws: ``StoreError/Code/corrupt`` where the file, or the index of the pack, is damaged.
    init(_ path: ByteString, of pack: Pack) throws(StoreError) {
        let index = try pack.index()
        file = try BitmapFile(path, count: index.count, checksum: index.packTrailer)
        // What a bit stands for is known by the offsets of all others.
        try index.verifyChecksum()
        oids = index.oids
        rows = try pack.rowsInPackOrder().map(\.row)
        bits = try pack.positions()
        self.pack = pack
        packCount = index.count
    }

    /// - Parameter packs: those of the multi-pack-index, by their numbers.
    /// - Returns: nil where the index has no order for the bits.
    init?(_ path: ByteString, of index: MultiPackIndex, _ packs: [Pack]) throws(StoreError) {
        guard let rows = try index.rowsInBitOrder() else { return nil }
        file = try BitmapFile(path, count: index.oids.count, checksum: index.checksum)
        try index.verifyChecksum()
        var bits = [UInt32](repeating: .max, count: rows.count)
        for (bit, row) in rows.enumerated() {
            guard bits[Int(row)] == .max else {
                throw StoreError(
                    "multi-pack-index '\(index.path)'", ParseError("row is there twice", at: bit))
            }
            bits[Int(row)] = UInt32(truncatingIfNeeded: bit)
        }
        oids = index.oids
        (pack, packCount) = try Self.preferred(index, packs, rows)
        self.rows = rows
        self.bits = bits
    }

    /// The pack of the first bits, if they stand for all of it in its order.
    private static func preferred(
        _ index: MultiPackIndex, _ packs: [Pack], _ rows: [UInt32]
    ) throws(StoreError) -> (Pack?, Int) {
        guard let first = rows.first else { return (nil, 0) }
        let number = try index.place(row: Int(first)).pack
        let order = try packs[number].rowsInPackOrder()
        guard order.count <= rows.count else { return (nil, 0) }
        for (bit, entry) in order.enumerated() {
            let place = try index.place(row: Int(rows[bit]))
            guard place.pack == number, place.offset == entry.offset else { return (nil, 0) }
        }
        return (packs[number], order.count)
    }

    /// The bit of an object; nil for one that is not in the index.
    func bit(of oid: ObjectID) -> Int? { oids.row(of: oid).map { Int(bits[$0]) } }

    func oid(bit: Int) -> ObjectID { oids.oid(row: Int(rows[bit])) }

    /// What a commit reaches, itself included; nil where there is no bitmap for it.
    func reached(bit: Int) throws(StoreError) -> Bitmap? {
        try file.reached(row: Int(rows[bit]))
    }

    func nameHash(bit: Int) -> UInt32 { file.nameHash(row: Int(rows[bit])) }
}

extension ObjectDatabase {
    /// The bitmaps of this store or of those that it borrows from: those of a multi-pack-index, else of
    /// the largest pack that has any. nil where there are none that can be used.
    func bitmaps() throws(StoreError) -> BitmapIndex? {
        for store in stores {
            let listing = store.packs.listing
            var best: BitmapIndex?
            if let covered = listing.covered {
                best = try store.usable { () throws(StoreError) in
                    try covered.index.bitmaps(covered.packs)
                }
            }
            if best == nil {
                for pack in listing.packs {
                    let found = try store.usable { () throws(StoreError) in
                        try store.packs.isUsable(pack) ? try pack.bitmaps() : nil
                    }
                    if let found, found.count > best?.count ?? 0 { best = found }
                }
            }
            if let best { return best }
        }
        return nil
    }

    /// nil, and told of, where a file is damaged.
    private func usable(
        _ body: () throws(StoreError) -> BitmapIndex?
    ) throws(StoreError) -> BitmapIndex? {
        do throws(StoreError) { return try body() } catch {
            switch error.code {
            case .notFound: return nil
            case .corrupt:
                faults.record(error)
                return nil
            default: throw error
            }
        }
    }
}

extension MultiPackIndex {
    /// The bitmaps beside it; nil where there are none.
    func bitmaps(_ packs: [Pack]) throws(StoreError) -> BitmapIndex? {
        try openBitmaps.value { () throws(StoreError) in
            let path = path + ByteString("-\(checksum.hex).bitmap")
            return FileSystem.exists(path) ? try BitmapIndex(path, of: self, packs) : nil
        }
    }
}
