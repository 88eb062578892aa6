internal import GitCore
import Synchronization

/// The second pass over a pack: rebuilds every delta from its base, down the trees of deltas, on several
/// threads, and finds their ids.
///
/// A thread takes a tree of deltas at a time, largest first. It goes down depth first and takes the
/// child with the most descendants last, giving the parent's content up before it goes on: so with n
/// deltas in a tree no more than log2(n) + 2 contents are held, however long the chains are.
final class DeltaResolver: @unchecked Sendable {
    // SAFETY: `oids` and `types` are written by several threads, each row by the one thread that
    // resolves it (a REF_DELTA is claimed first); all else is constant once the threads run.
    private let table: PackEntryTable
    private let deltas: DeltaStore
    private let oids: UnsafeMutableRawBufferPointer
    private let kinds: UnsafeMutableBufferPointer<UInt8>
    private let pack: PackReader
    private let limits: PackLimits
    private let collectors: [LinkCollector]
    private let progress: PackProgress
    private let isCancelled: @Sendable () -> Bool
    private let failure = FirstFailure()
    private let budget: RebuildBudget

    /// Children of row r by OFS_DELTA: children[childStart[r]..<childStart[r + 1]], the one with the
    /// most descendants last.
    private var childStart: [UInt32] = []
    private var children: [UInt32] = []
    private var roots: [UInt32] = []
    private let nextRoot = Atomic(0)
    /// Numbers of those of `table.refBases` that are to be rebuilt, sorted by the base's id, and
    /// which of them are taken.
    private var refOrder: [UInt32] = []
    private let claimed: Mutex<[Bool]>

    init(
        _ table: PackEntryTable, _ deltas: DeltaStore, pack: PackReader, limits: PackLimits,
        budget: RebuildBudget, collectors: [LinkCollector], progress: PackProgress,
        isCancelled: @escaping @Sendable () -> Bool
    ) {
        self.table = table
        self.deltas = deltas
        self.pack = pack
        self.limits = limits
        self.budget = budget
        self.collectors = collectors
        self.progress = progress
        self.isCancelled = isCancelled
        oids = .allocate(byteCount: table.oids.count, alignment: 16)
        oids.copyBytes(from: table.oids)
        kinds = .allocate(capacity: table.count)
        for row in 0 ..< table.count { kinds[row] = table.types[row] >> 4 }
        claimed = Mutex(Array(repeating: false, count: table.refBases.count))
        plan()
    }

    deinit {
        oids.deallocate()
        kinds.deallocate()
    }

    /// Rebuilds all that hangs on the pack's whole objects, and puts what was found into `result`.
    func run(into result: inout PackEntryTable) throws(StoreError) {
        Workers.run(collectors.count) { [self] index in
            failure.catching { () throws(StoreError) in try work(index) }
        }
        try failure.check()
        result.oids.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(oids)) }
        for row in 0 ..< table.count {
            if let kind = ObjectKind(rawValue: kinds[row]) { result.setKind(kind, row: row) }
        }
    }

    // MARK: Plan

    private func plan() {
        refOrder = (0 ..< UInt32(table.refBases.count))
            .filter { kinds[Int(table.refBases[Int($0)].row)] == 0 }
            .sorted { table.refBases[Int($0)].oid < table.refBases[Int($1)].oid }
        var sizes = [UInt32](repeating: 1, count: table.count)
        countChildren(&sizes)
        fillChildren(sizes)
        roots = (0 ..< UInt32(table.count)).filter { row in
            let row = Int(row)
            return !table.isDelta(row) && isAwaited(row)
        }
        roots.sort { sizes[Int($0)] > sizes[Int($1)] }
    }

    /// Whether a delta on this object is still to be rebuilt: those that hang on what a thin pack held
    /// already are, once its bases were added, all done.
    private func isAwaited(_ row: Int) -> Bool {
        for child in childStart[row] ..< childStart[row + 1]
        where kinds[Int(children[Int(child)])] == 0 { return true }
        return !refOrder.isEmpty && hasRefChildren(objectID(row))
    }

    private func countChildren(_ sizes: inout [UInt32]) {
        childStart = [UInt32](repeating: 0, count: table.count + 1)
        // A base by offset comes before its deltas, so this goes from the leaves up.
        for row in stride(from: table.count - 1, through: 0, by: -1) where isOffsetDelta(row) {
            let base = Int(table.bases[row])
            sizes[base] += sizes[row]
            childStart[base + 1] += 1
        }
        for row in 0 ..< table.count { childStart[row + 1] += childStart[row] }
    }

    private func fillChildren(_ sizes: [UInt32]) {
        children = [UInt32](repeating: 0, count: Int(childStart[table.count]))
        var next = childStart
        for row in 0 ..< table.count where isOffsetDelta(row) {
            let base = Int(table.bases[row])
            children[Int(next[base])] = UInt32(row)
            next[base] += 1
        }
        for row in 0 ..< table.count where childStart[row + 1] - childStart[row] > 1 {
            let range = Int(childStart[row]) ..< Int(childStart[row + 1])
            if let heaviest = range.max(by: { sizes[Int(children[$0])] < sizes[Int(children[$1])] })
            {
                children.swapAt(heaviest, range.upperBound - 1)
            }
        }
    }

    private func isOffsetDelta(_ row: Int) -> Bool {
        table.types[row] & 15 == PackEntryTable.ofsDelta
    }

    // MARK: Deltas by id

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
    private func claimRefChildren(_ oid: ObjectID) -> [UInt32] {
        guard !refOrder.isEmpty else { return [] }
        let first = firstRef(oid)
        guard first < refOrder.count, table.refBases[Int(refOrder[first])].oid == oid else {
            return []
        }
        // The first one's mark stands for all.
        let isMine = claimed.withLock { claimed in
            defer { claimed[first] = true }
            return !claimed[first]
        }
        guard isMine else { return [] }
        var rows: [UInt32] = []
        for number in refOrder[first...] {
            let (base, row) = table.refBases[Int(number)]
            guard base == oid else { break }
            rows.append(row)
        }
        return rows
    }

    // MARK: Work

    /// An object that is rebuilt, and the children that are still to do.
    private struct Frame {
        let content: UnsafeMutableRawBufferPointer
        let count: Int
        let kind: ObjectKind
        var next: Int
        let end: Int
        var refChildren: [UInt32]

        mutating func takeChild(_ children: [UInt32]) -> Int? {
            // Deltas by id first: how much hangs below them is not known, and the heaviest known
            // child is to be the last.
            if let row = refChildren.popLast() { return Int(row) }
            guard next < end else { return nil }
            defer { next += 1 }
            return Int(children[next])
        }

        var isDone: Bool { next == end && refChildren.isEmpty }
    }

    private func work(_ index: Int) throws(StoreError) {
        let pool = BufferPool(budget)
        let reader = PackEntryReader(pack, table, limits)
        var stack: [Frame] = []
        defer { for frame in stack { pool.give(frame.content) } }
        while true {
            let number = nextRoot.add(1, ordering: .relaxed).oldValue
            guard number < roots.count else { return }
            try pushRoot(Int(roots[number]), pool, reader, &stack)
            while !stack.isEmpty {
                if failure.hasFailed { return }
                if isCancelled() { throw StoreError(.cancelled, "cancelled") }
                try resolveNext(pool, reader, collectors[index], &stack)
            }
        }
    }

    private func pushRoot(
        _ row: Int, _ pool: BufferPool, _ reader: PackEntryReader, _ stack: inout [Frame]
    ) throws(StoreError) {
        guard let kind = ObjectKind(rawValue: kinds[row]) else { return }
        let (content, count) = try reader.whole(row, pool)
        stack.append(frame(row, content, count, kind))
    }

    private func frame(
        _ row: Int, _ content: UnsafeMutableRawBufferPointer, _ count: Int, _ kind: ObjectKind
    ) -> Frame {
        Frame(
            content: content, count: count, kind: kind, next: Int(childStart[row]),
            end: Int(childStart[row + 1]), refChildren: claimRefChildren(objectID(row)))
    }

    /// Rebuilds the next child of the object on top of the stack.
    private func resolveNext(
        _ pool: BufferPool, _ reader: PackEntryReader, _ links: LinkCollector,
        _ stack: inout [Frame]
    ) throws(StoreError) {
        let top = stack.count - 1
        guard let row = stack[top].takeChild(children) else {
            pool.give(stack.removeLast().content)
            return
        }
        let base = stack[top]
        let (content, count) = try rebuild(row, on: base, pool, reader)
        let whole = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(content)[..<count])
        do throws(StoreError) {
            let oid = try identify(base.kind, whole, table.format, links)
            oid.write(to: rawObjectID(row))
            kinds[row] = base.kind.rawValue
        } catch {
            pool.give(content)
            throw error
        }
        progress.add(resolved: 1)
        if base.isDone { pool.give(stack.removeLast().content) }
        let child = frame(row, content, count, base.kind)
        if child.isDone { pool.give(content) } else { stack.append(child) }
    }

    private func rebuild(
        _ row: Int, on base: Frame, _ pool: BufferPool, _ reader: PackEntryReader
    ) throws(StoreError) -> (content: UnsafeMutableRawBufferPointer, count: Int) {
        let kept = deltas.delta(row: row)
        let bytes = if let kept { kept } else { try reader.delta(row) }
        let delta: Delta
        do throws(ParseError) {
            delta = try Delta(parsing: bytes)
        } catch { throw fault(row, error) }
        guard delta.resultSize <= min(limits.deltaObjectSize, limits.objectSize) else {
            throw StoreError(
                .limit,
                "pack entry at byte \(table.offsets[row]): delta makes \(delta.resultSize) bytes")
        }
        try budget.make(delta.resultSize)
        let count = Int(delta.resultSize)
        let content = try pool.take(count)
        do throws(ParseError) {
            try delta.apply(
                to: UnsafeRawBufferPointer(rebasing: base.content[..<base.count]),
                into: UnsafeMutableRawBufferPointer(rebasing: content[..<count]))
        } catch {
            pool.give(content)
            throw fault(row, error)
        }
        return (content, count)
    }

    private func fault(_ row: Int, _ error: ParseError) -> StoreError {
        StoreError("pack entry at byte \(table.offsets[row])", error)
    }

    private func objectID(_ row: Int) -> ObjectID {
        ObjectID(raw: UnsafeRawBufferPointer(rawObjectID(row)), table.format)
    }

    private func rawObjectID(_ row: Int) -> UnsafeMutableRawBufferPointer {
        let width = table.format.byteCount
        return UnsafeMutableRawBufferPointer(rebasing: oids[(row * width) ..< ((row + 1) * width)])
    }
}
