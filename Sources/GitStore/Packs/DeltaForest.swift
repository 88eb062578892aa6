internal import GitCore
import Synchronization

/// Which entries of a pack are deltas on which, of those that are to be rebuilt: trees, whose roots are
/// objects in full.
///
/// Deltas by offset are known from the start, and so are deltas by id on an object of which the id is
/// known. Any other delta by id hangs on whichever object turns out to have that id, so it is asked for
/// when an id is found. A delta that was rebuilt before is in here if others that are not hang on it.
final class DeltaForest: Sendable {
    private let table: PackEntryTable
    /// Children of row r: children[childStart[r]..<childStart[r + 1]], those with fewer descendants
    /// first.
    private let childStart: [UInt32]
    private let children: [UInt32]
    /// Objects in full with deltas to rebuild, those with the most descendants first.
    let roots: [UInt32]

    /// Numbers of those of `table.refBases` that wait for an id, sorted by it, and which of them are
    /// taken.
    private let refOrder: [UInt32]
    private let claimed: Mutex<[Bool]>

    /// In place of a row: none.
    private static let none = UInt32.max

    init(_ table: PackEntryTable) {
        self.table = table
        let (parents, waiting) = Self.parents(table)
        refOrder = waiting
        claimed = Mutex(Array(repeating: false, count: refOrder.count))
        let awaited = Self.awaited(table, parents)
        let starts = Self.childStarts(parents, awaited)
        let sizes = Self.sizes(parents, awaited, starts)
        childStart = starts
        children = Self.children(parents, awaited, starts, sizes)
        roots = (0 ..< UInt32(table.count))
            .filter { !table.isDelta(Int($0)) && starts[Int($0)] < starts[Int($0) + 1] }
            .sorted { sizes[Int($0)] > sizes[Int($1)] }
    }

    /// The row that each row is a delta on, as far as it is known; and numbers of `table.refBases`
    /// whose bases are not, sorted by the id.
    private static func parents(_ table: PackEntryTable) -> (rows: [UInt32], waiting: [UInt32]) {
        var parents = [UInt32](unsafeUninitializedCapacity: table.count) { buffer, count in
            for row in 0 ..< table.count {
                buffer[row] = table.baseRow(row).map { UInt32(truncatingIfNeeded: $0) } ?? none
            }
            count = table.count
        }
        var waiting = (0 ..< UInt32(table.refBases.count))
            .filter { table.kind(row: Int(table.refBases[Int($0)].row)) == nil }
        guard !waiting.isEmpty else { return (parents, []) }
        func base(_ number: UInt32) -> ObjectID { table.refBases[Int(number)].oid }
        waiting.sort { base($0) < base($1) }
        let zero = ObjectID.zero(table.format)
        for row in 0 ..< table.count where table.kind(row: row) != nil {
            // One that is not hashed yet has an id of zeros.
            let oid = table.objectID(row: row)
            var place = waiting.partitionPoint { base($0) < oid }
            // The first of several copies has them all.
            while oid != zero, place < waiting.count, base(waiting[place]) == oid {
                let child = Int(table.refBases[Int(waiting[place])].row)
                guard parents[child] == none else { break }
                parents[child] = UInt32(row)
                place += 1
            }
        }
        return (parents, waiting.filter { parents[Int(table.refBases[Int($0)].row)] == none })
    }

    /// Deltas that are to be rebuilt: for themselves, or for those that hang on them.
    private static func awaited(_ table: PackEntryTable, _ parents: [UInt32]) -> [Bool] {
        var awaited = [Bool](repeating: false, count: table.count)
        for first in 0 ..< table.count where table.kind(row: first) == nil {
            awaited[first] = true
            var row = parents[first]
            while row != none, table.isDelta(Int(row)), !awaited[Int(row)] {
                awaited[Int(row)] = true
                row = parents[Int(row)]
            }
        }
        return awaited
    }

    private static func childStarts(_ parents: [UInt32], _ awaited: [Bool]) -> [UInt32] {
        var starts = [UInt32](repeating: 0, count: parents.count + 1)
        for row in parents.indices where awaited[row] && parents[row] != none {
            starts[Int(parents[row]) + 1] += 1
        }
        for row in parents.indices { starts[row + 1] += starts[row] }
        return starts
    }

    /// Each row with its descendants: counted from the leaves up.
    private static func sizes(
        _ parents: [UInt32], _ awaited: [Bool], _ starts: [UInt32]
    ) -> [UInt32] {
        var sizes = [UInt32](repeating: 1, count: parents.count)
        // Children that are not counted yet.
        var left = parents.indices.map { starts[$0 + 1] - starts[$0] }
        for leaf in parents.indices.reversed()
        where awaited[leaf] && starts[leaf] == starts[leaf + 1] {
            var row = leaf
            while awaited[row], parents[row] != none {
                let parent = Int(parents[row])
                sizes[parent] += sizes[row]
                left[parent] -= 1
                if left[parent] > 0 { break }
                row = parent
            }
        }
        return sizes
    }

    private static func children(
        _ parents: [UInt32], _ awaited: [Bool], _ starts: [UInt32], _ sizes: [UInt32]
    ) -> [UInt32] {
        var children = [UInt32](repeating: 0, count: Int(starts[parents.count]))
        var next = starts
        for row in parents.indices where awaited[row] && parents[row] != none {
            let parent = Int(parents[row])
            children[Int(next[parent])] = UInt32(row)
            next[parent] += 1
        }
        for row in parents.indices where starts[row + 1] - starts[row] > 1 {
            children[Int(starts[row]) ..< Int(starts[row + 1])].sort {
                sizes[Int($0)] < sizes[Int($1)]
            }
        }
        return children
    }

    /// The places of a row's children, for ``child(_:)``.
    func children(of row: Int) -> Range<Int> { Int(childStart[row]) ..< Int(childStart[row + 1]) }

    /// The row of the child at a place.
    func child(_ place: Int) -> Int { Int(children[place]) }

    // MARK: Deltas that wait for an id

    /// Whether there are any.
    var hasRefDeltas: Bool { !refOrder.isEmpty }

    /// The rows of all deltas on `oid` by id, for the first who asks: an object may be in a pack more
    /// than once.
    func claimRefChildren(_ oid: ObjectID) -> [UInt32] {
        let first = refOrder.partitionPoint { table.refBases[Int($0)].oid < oid }
        guard first < refOrder.count, table.refBases[Int(refOrder[first])].oid == oid else {
            return []
        }
        // The first one's mark stands for all.
        let isMine = claimed.withLock { claimed in
            defer { claimed[first] = true }
            return !claimed[first]
        }
        guard isMine else { return [] }
        return refOrder[first...]
            .prefix { table.refBases[Int($0)].oid == oid }
            .map { table.refBases[Int($0)].row }
    }
}
