internal import GitCore
import Synchronization

/// Which entries of a pack are deltas on which: trees, whose roots are objects in full.
///
/// Deltas by offset are known from the start. A delta by id hangs on whichever object turns out to
/// have that id, so it is asked for when the id of an object is known.
final class DeltaForest: Sendable {
    private let table: PackEntryTable
    /// Children of row r by OFS_DELTA: children[childStart[r]..<childStart[r + 1]], those with fewer
    /// descendants first.
    private let childStart: [UInt32]
    private let children: [UInt32]
    /// Objects in full with deltas to rebuild, those with the most descendants first.
    private(set) nonisolated(unsafe) var roots: [UInt32] = []
    // SAFETY: `roots` is set once, in `init`.

    /// Numbers of those of `table.refBases` that are to be rebuilt, sorted by the base's id, and
    /// which of them are taken.
    private let refOrder: [UInt32]
    private let claimed: Mutex<[Bool]>

    init(_ table: PackEntryTable) {
        self.table = table
        refOrder = (0 ..< UInt32(table.refBases.count))
            .filter { table.kind(row: Int(table.refBases[Int($0)].row)) == nil }
            .sorted { table.refBases[Int($0)].oid < table.refBases[Int($1)].oid }
        claimed = Mutex(Array(repeating: false, count: refOrder.count))
        var sizes = [UInt32](repeating: 1, count: table.count)
        childStart = Self.countChildren(table, &sizes)
        children = Self.listChildren(table, childStart, sizes)
        roots = (0 ..< UInt32(table.count)).filter { !table.isDelta(Int($0)) && isAwaited(Int($0)) }
        roots.sort { sizes[Int($0)] > sizes[Int($1)] }
    }

    /// Where each row's children begin; adds to the size of each row that of its descendants.
    private static func countChildren(_ table: PackEntryTable, _ sizes: inout [UInt32]) -> [UInt32]
    {
        var starts = [UInt32](repeating: 0, count: table.count + 1)
        // A base by offset comes before its deltas, so this goes from the leaves up.
        for row in stride(from: table.count - 1, through: 0, by: -1) where table.isOffsetDelta(row)
        {
            let base = Int(table.bases[row])
            sizes[base] += sizes[row]
            starts[base + 1] += 1
        }
        for row in 0 ..< table.count { starts[row + 1] += starts[row] }
        return starts
    }

    private static func listChildren(
        _ table: PackEntryTable, _ starts: [UInt32], _ sizes: [UInt32]
    ) -> [UInt32] {
        var children = [UInt32](repeating: 0, count: Int(starts[table.count]))
        var next = starts
        for row in 0 ..< table.count where table.isOffsetDelta(row) {
            let base = Int(table.bases[row])
            children[Int(next[base])] = UInt32(row)
            next[base] += 1
        }
        for row in 0 ..< table.count where starts[row + 1] - starts[row] > 1 {
            children[Int(starts[row]) ..< Int(starts[row + 1])].sort {
                sizes[Int($0)] < sizes[Int($1)]
            }
        }
        return children
    }

    /// Whether a delta on this object is still to be rebuilt: those that hang on what a thin pack held
    /// already are, once its bases were added, all done.
    private func isAwaited(_ row: Int) -> Bool {
        for place in children(of: row) where table.kind(row: child(place)) == nil { return true }
        return !refOrder.isEmpty && hasRefChildren(table.objectID(row: row))
    }

    /// The places of a row's children by offset, for ``child(_:)``.
    func children(of row: Int) -> Range<Int> { Int(childStart[row]) ..< Int(childStart[row + 1]) }

    /// The row of the child at a place.
    func child(_ place: Int) -> Int { Int(children[place]) }

    // MARK: Deltas by id

    /// Whether there are any to be rebuilt.
    var hasRefDeltas: Bool { !refOrder.isEmpty }

    /// Where in ``refOrder`` the deltas on `oid` begin.
    private func firstRef(_ oid: ObjectID) -> Int {
        refOrder.partitionPoint { table.refBases[Int($0)].oid < oid }
    }

    private func hasRefChildren(_ oid: ObjectID) -> Bool {
        let first = firstRef(oid)
        return first < refOrder.count && table.refBases[Int(refOrder[first])].oid == oid
    }

    /// The rows of all deltas on `oid` by id, for the first who asks: an object may be in a pack more
    /// than once.
    func claimRefChildren(_ oid: ObjectID) -> [UInt32] {
        guard hasRefDeltas, hasRefChildren(oid) else { return [] }
        let first = firstRef(oid)
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

extension PackEntryTable {
    fileprivate func isOffsetDelta(_ row: Int) -> Bool { types[row] & 15 == Self.ofsDelta }
}
