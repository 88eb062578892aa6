internal import GitCore

/// A large part of one pack that goes into an answer: its entries are copied in their order, and the
/// objects get no numbers.
final class PackShare {
    let pack: Pack
    let index: PackIndexFile
    let order: [PackedRow]
    let end: UInt64
    /// Positions in the order of the pack.
    private(set) var wanted: Bitmap
    /// Those that the receiver has; nil where it has none.
    private let received: Bitmap?
    private let positions: [UInt32]

    init(_ pack: Pack, wanted: Bitmap, received: Bitmap?) throws(StoreError) {
        self.pack = pack
        self.wanted = wanted
        self.received = received
        index = try pack.index()
        order = try pack.rowsInPackOrder()
        positions = try pack.positions()
        end = try pack.end()
        precondition(wanted.count == order.count)
        count = wanted.population
    }

    private(set) var count: Int

    var isWhole: Bool { count == order.count }

    func offset(_ position: Int) -> UInt64 { order[position].offset }

    func end(_ position: Int) -> UInt64 {
        position + 1 < order.count ? min(order[position + 1].offset, end) : end
    }

    func oid(_ position: Int) -> ObjectID { index.oid(row: Int(order[position].row)) }

    /// The position of an object; nil for one that the pack does not hold.
    func position(of oid: ObjectID) -> Int? { index.row(of: oid).map { Int(positions[$0]) } }

    func holds(_ oid: ObjectID) -> Bool { position(of: oid).map(wanted.contains) ?? false }

    /// The position of the entry that begins at `offset`, which is before that of `position`. Most bases
    /// are near.
    func position(at offset: UInt64, before position: Int) -> Int? {
        var (low, high, step) = (position, position, 1)
        while low > 0, order[low - 1].offset >= offset {
            high = low
            low = max(0, low - step)
            step *= 2
        }
        let found = order[low ..< high].partitionPoint { $0.offset < offset }
        return found < position && order[found].offset == offset ? found : nil
    }

    /// Takes out what cannot be copied, because it is a delta on what neither goes along nor is with
    /// the receiver; says what that was.
    ///
    /// - Parameters:
    ///   - some: those that may be such.
    ///   - isThin: whether what the receiver has may be a base.
    func removeUnusable(
        among some: Bitmap, isThin: Bool, _ cancellation: CancellationFlag
    ) throws(StoreError) -> [ObjectID] {
        guard !isWhole else { return [] }
        let tools = ReadingTools(DeltaBaseCache(budget: 0, shards: 1))
        var unusable: [Int] = []
        try some.forEach { position throws(StoreError) in
            if position & 1_023 == 0 { try cancellation.check() }
            guard let base = try base(of: position, tools) else { return }
            if base >= 0, wanted.contains(base) { return }
            if base >= 0, isThin, let received, received.contains(base) { return }
            unusable.append(position)
        }
        for position in unusable { wanted.remove(position) }
        count -= unusable.count
        return unusable.map(oid)
    }

    /// The position of the entry's base, -1 where that is not in the pack; nil for an object in full.
    private func base(of position: Int, _ tools: ReadingTools) throws(StoreError) -> Int? {
        let offset = offset(position)
        do throws(StoreError) {
            switch try pack.entry(at: offset, tools).header.base {
            case .none: return nil
            case .distance(let distance):
                guard distance < offset else { return -1 }
                return self.position(at: offset - distance, before: position) ?? -1
            case .oid(let oid): return self.position(of: oid) ?? -1
            }
        } catch  where error.code == .corrupt || error.code == .notFound {
            return -1
        }
    }
}
