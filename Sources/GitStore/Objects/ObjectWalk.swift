internal import GitCore
import Synchronization

/// Some of the objects of a store, one after the other; see ``ObjectDatabase/forEachStretch(threads:_:)``.
package struct ObjectStretch {
    fileprivate let database: ObjectDatabase
    fileprivate let part: ObjectWalk.Part
    fileprivate let walk: ObjectWalk
    fileprivate let tools: ReadingTools

    package func forEach(_ body: (borrowing StoredObject) throws -> Void) throws {
        switch part {
        case .named(let oids):
            for oid in oids { try body(StoredObject(oid, database, at: nil, tools)) }
        case .packed(let number, let positions):
            let pack = walk.packs[number]
            for entry in (pack.order ?? [])[positions] {
                if pack.repeated.contains(entry.row) { continue }
                try body(
                    StoredObject(
                        pack.index.oid(row: Int(entry.row)), database,
                        at: .packed(pack.pack, offset: entry.offset), tools))
            }
        }
    }
}

extension ObjectDatabase {
    /// Gives `body` every object of this store and of those that it borrows from, each once, in no
    /// order, in stretches of objects that are cheap to read one after the other: a pack's in the order
    /// of the pack. `body` is called by `threads` threads at once.
    ///
    /// - Throws: the first error that `body` threw; the others stop then.
    package func forEachStretch(
        threads: Int, _ body: @escaping @Sendable (ObjectStretch) throws -> Void
    ) throws(StoreError) {
        let threads = max(1, threads)
        let walk = try ObjectWalk(stores, threads: threads)
        let next = Atomic(0)
        let failure = FirstFailure()
        let budget = max(settings.deltaBaseCacheLimit / threads, ObjectWalk.usualCache)
        Workers.run(threads) { _ in
            // What one thread rebuilds is of no use to the others, which are elsewhere in the pack.
            let cache = DeltaBaseCache(budget: budget, usual: ObjectWalk.usualCache, shards: 1)
            let tools = ReadingTools(cache)
            while !failure.hasFailed {
                let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard number < walk.parts.count else { return }
                do {
                    try body(
                        ObjectStretch(
                            database: self, part: walk.parts[number], walk: walk, tools: tools))
                } catch {
                    failure.record(
                        (error as? StoreError) ?? StoreError(.system, "\(error)", cause: error))
                }
                tools.shrink()
            }
        }
        try failure.check()
    }
}

/// The objects of stores, parted for several threads.
final class ObjectWalk: Sendable {
    enum Part: Sendable {
        case packed(pack: Int, positions: Range<Int>)
        /// By id, wherever a copy is.
        case named([ObjectID])
    }

    struct WalkedPack: Sendable {
        let pack: Pack
        let index: PackIndexFile
        /// nil where that cannot be told.
        let order: [PackedRow]?
        /// Rows whose objects are in a pack before it, too.
        var repeated: Set<UInt32> = []
    }

    let packs: [WalkedPack]
    let parts: [Part]

    /// Most and fewest bytes of a pack that make a part. What is at hand of one may be lost for the
    /// next; but where the last is large, all threads but one have nothing to do by then.
    static let mostPart: UInt64 = 8 << 20
    static let leastPart: UInt64 = 1 << 18
    /// Objects that make a part, where they are in no pack.
    private static let partCount = 256
    /// Bytes of rebuilt objects that a thread keeps while they are small. In the order of the pack, most
    /// deltas are on what was rebuilt just before: to keep more costs more than it saves.
    static let usualCache = 8 << 20

    init(_ stores: [ObjectDatabase], threads: Int) throws(StoreError) {
        var packs: [WalkedPack] = []
        for store in stores {
            for pack in store.packs.listing.packs where try store.packs.isUsable(pack) {
                packs.append(try Self.walked(pack))
            }
        }
        for (number, row) in RepeatedRows(packs.map(\.index.oids)).find(threads: threads) {
            packs[number].repeated.insert(row)
        }
        self.packs = packs
        parts =
            packs.indices.flatMap { Self.parts(packs[$0], $0, threads) }
            + Self.named(try Self.unpacked(stores))
    }

    private static func walked(_ pack: Pack) throws(StoreError) -> WalkedPack {
        let index = try pack.index()
        do throws(StoreError) {
            return WalkedPack(pack: pack, index: index, order: try pack.rowsInPackOrder())
        } catch  where error.code == .corrupt {
            // Some offset is wrong; the rest may do.
            return WalkedPack(pack: pack, index: index, order: nil)
        }
    }

    private static func parts(_ pack: WalkedPack, _ number: Int, _ threads: Int) -> [Part] {
        guard let order = pack.order else {
            let rows = (0 ..< pack.index.count).filter { !pack.repeated.contains(UInt32($0)) }
            return named(rows.map(pack.index.oid))
        }
        return ranges(order, threads: threads).map { .packed(pack: number, positions: $0) }
    }

    /// Parts rows in the order of their pack, the later the smaller, so that all threads end at about
    /// the same time.
    static func ranges(_ order: [PackedRow], threads: Int) -> [Range<Int>] {
        guard let end = order.last?.offset else { return [] }
        var ranges: [Range<Int>] = []
        var start = 0
        while start < order.count {
            let (offset, rest) = (order[start].offset, end - order[start].offset)
            let size = min(max(rest / UInt64(2 * threads), leastPart), mostPart)
            let next = order[start...].partitionPoint { $0.offset - offset < size }
            ranges.append(start ..< next)
            start = next
        }
        return ranges
    }

    private static func named(_ oids: [ObjectID]) -> [Part] {
        stride(from: 0, to: oids.count, by: partCount).map { start in
            .named(Array(oids[start ..< min(start + partCount, oids.count)]))
        }
    }

    /// The loose objects that are in no pack.
    private static func unpacked(_ stores: [ObjectDatabase]) throws(StoreError) -> [ObjectID] {
        var found: Set<ObjectID> = []
        for store in stores {
            for oid in try store.loose.oids() where !found.contains(oid) {
                var isPacked = false
                for other in stores where try other.packs.find(oid) != nil { isPacked = true }
                if !isPacked { found.insert(oid) }
            }
        }
        return Array(found)
    }
}

/// Finds what several tables of ids have in common.
private struct RepeatedRows {
    private let tables: [ObjectIDTable]

    init(_ tables: [ObjectIDTable]) { self.tables = tables }

    /// The rows whose ids stand in an earlier table, or earlier in their own.
    func find(threads: Int) -> [(table: Int, row: UInt32)] {
        guard tables.count > 1 else { return [] }
        let found = Mutex<[(table: Int, row: UInt32)]>([])
        let next = Atomic(0)
        Workers.run(threads) { [self] _ in
            while true {
                let first = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard first < 256 else { return }
                let some = find(firstByte: UInt8(first))
                if !some.isEmpty { found.withLock { $0 += some } }
            }
        }
        return found.withLock { $0 }
    }

    private func find(firstByte: UInt8) -> [(table: Int, row: UInt32)] {
        var all: [(oid: ObjectID, table: Int, row: UInt32)] = []
        for (number, table) in tables.enumerated() {
            for row in table.rows(firstByte: firstByte) {
                all.append((table.oid(row: row), number, UInt32(row)))
            }
        }
        all.sort { ($0.oid, $0.table) < ($1.oid, $1.table) }
        var found: [(table: Int, row: UInt32)] = []
        for index in all.indices.dropFirst() where all[index].oid == all[index - 1].oid {
            found.append((all[index].table, all[index].row))
        }
        return found
    }
}
