internal import GitCore

/// The objects of an answer that are in one pack, in the order of the pack.
final class PackMembers {
    struct Member {
        let offset: UInt64
        /// Its number among the objects.
        let number: UInt32
        /// Its place in the order of all entries of the pack.
        let position: UInt32
    }

    let pack: Pack
    let index: PackIndexFile
    let members: [Member]
    private let order: [PackedRow]
    private let end: UInt64

    /// - Parameter objects: rows in the pack's index, and their numbers.
    init(
        _ pack: Pack, _ index: PackIndexFile, _ objects: [(row: UInt32, number: UInt32)]
    ) throws(StoreError) {
        self.pack = pack
        self.index = index
        order = try pack.rowsInPackOrder()
        end = try pack.end()
        members =
            objects.count > index.count / 4
            ? Self.many(objects, order) : try Self.few(objects, index, order)
    }

    /// By going over the whole pack.
    private static func many(
        _ objects: [(row: UInt32, number: UInt32)], _ order: [PackedRow]
    ) -> [Member] {
        var numbers = [UInt32](repeating: .max, count: order.count)
        for object in objects { numbers[Int(object.row)] = object.number }
        var members: [Member] = []
        members.reserveCapacity(objects.count)
        for (position, entry) in order.enumerated() where numbers[Int(entry.row)] != .max {
            members.append(
                Member(
                    offset: entry.offset, number: numbers[Int(entry.row)],
                    position: UInt32(position)))
        }
        return members
    }

    /// By sorting.
    private static func few(
        _ objects: [(row: UInt32, number: UInt32)], _ index: PackIndexFile, _ order: [PackedRow]
    ) throws(StoreError) -> [Member] {
        var places: [(offset: UInt64, number: UInt32)] = []
        for object in objects {
            places.append((try index.offset(row: Int(object.row)), object.number))
        }
        places.sort { $0.offset < $1.offset }
        return places.map { place in
            let position = order.partitionPoint { $0.offset < place.offset }
            return Member(
                offset: place.offset, number: place.number, position: UInt32(position))
        }
    }

    /// Whether every entry of the pack is in the answer.
    var isWhole: Bool { members.count == order.count }

    /// Where the entry ends: where the next one begins.
    func end(_ member: Member) -> UInt64 { end(position: Int(member.position)) }

    private func end(position: Int) -> UInt64 {
        position + 1 < order.count ? min(order[position + 1].offset, end) : end
    }

    /// CRC-32 of the entry; nil where the index has none.
    func crc(_ member: Member) -> UInt32? {
        index.crc(row: Int(order[Int(member.position)].row))
    }

    /// The member whose entry begins at `offset`, before the one at `place`. Most bases are near.
    func member(at offset: UInt64, before place: Int) -> Member? {
        var (low, high, step) = (place, place, 1)
        while low > 0, members[low - 1].offset >= offset {
            high = low
            low = max(0, low - step)
            step *= 2
        }
        let found = members[low ..< high].partitionPoint { $0.offset < offset }
        guard found < place, members[found].offset == offset else { return nil }
        return members[found]
    }

    /// The object whose entry begins at `offset`, in the answer or not.
    func oid(at offset: UInt64) -> ObjectID? {
        let position = order.partitionPoint { $0.offset < offset }
        guard position < order.count, order[position].offset == offset else { return nil }
        return index.oid(row: Int(order[position].row))
    }

    /// The member that stands for one object, by its row.
    func member(row: Int, number: Int) throws(StoreError) -> Member {
        let offset = try index.offset(row: row)
        let position = order.partitionPoint { $0.offset < offset }
        return Member(
            offset: offset, number: UInt32(truncatingIfNeeded: number), position: UInt32(position))
    }
}
