internal import GitCore

/// A copy of an object in one of the packs of a ``PackedPlaces``.
struct PackedPlace {
    /// The pack's number.
    let pack: Int
    /// Its row in the pack's index.
    let row: Int
}

/// The packs that objects are looked for in, as they were when this was made. One a thread.
///
/// What is in none of them is loose, or came meanwhile: the ``ObjectDatabase`` finds it.
final class PackedPlaces {
    let packs: [(pack: Pack, index: PackIndexFile)]
    private let covers: [Cover]
    /// The packs that no multi-pack-index covers.
    private let others: [Int]
    private var last = 0

    private struct Cover {
        let index: MultiPackIndex
        /// The number here of each pack of it; nil for one that cannot be used.
        let numbers: [Int?]
    }

    /// More packs than this are left to the database.
    private static let maximum = 1 << 20

    init(_ database: ObjectDatabase) throws(StoreError) {
        var packs: [(pack: Pack, index: PackIndexFile)] = []
        var covers: [Cover] = []
        var others: [Int] = []
        func add(_ pack: Pack, _ store: ObjectDatabase) throws(StoreError) -> Int? {
            guard packs.count < Self.maximum, try store.packs.isUsable(pack) else { return nil }
            packs.append((pack, try pack.index()))
            return packs.count - 1
        }
        for store in database.stores {
            let listing = store.packs.listing
            if let covered = listing.covered {
                var numbers: [Int?] = []
                for pack in covered.packs { numbers.append(try add(pack, store)) }
                covers.append(Cover(index: covered.index, numbers: numbers))
            }
            for (pack, _) in listing.others {
                if let number = try add(pack, store) { others.append(number) }
            }
        }
        self.packs = packs
        self.covers = covers
        self.others = others
    }

    func find(_ oid: ObjectID) throws(StoreError) -> PackedPlace? {
        for cover in covers {
            guard let row = cover.index.oids.row(of: oid),
                let pack = cover.numbers[try cover.index.place(row: row).pack],
                let own = packs[pack].index.row(of: oid)
            else { continue }
            return PackedPlace(pack: pack, row: own)
        }
        // The next object is likely to be in the same pack.
        for step in others.indices {
            let position = step == 0 ? last : step <= last ? step - 1 : step
            let number = others[position]
            guard let row = packs[number].index.row(of: oid) else { continue }
            last = position
            return PackedPlace(pack: number, row: row)
        }
        return nil
    }

    // MARK: In a word

    private static let rowBits: UInt64 = 40
    /// Of an object that is in no pack.
    static let unpacked: UInt64 = .max

    /// Never 0, so that 0 can say that nobody looked.
    static func word(_ place: PackedPlace?) -> UInt64 {
        guard let place else { return unpacked }
        return UInt64(place.pack + 1) << rowBits | UInt64(place.row)
    }

    static func place(_ word: UInt64) -> PackedPlace? {
        guard word != unpacked, word >> rowBits > 0 else { return nil }
        return PackedPlace(pack: Int(word >> rowBits) - 1, row: Int(word & (1 << rowBits - 1)))
    }
}
