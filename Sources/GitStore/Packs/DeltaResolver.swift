internal import GitCore
import Synchronization

/// The second pass over a pack: rebuilds every delta from its base, down the trees of deltas, on several
/// threads, and finds their ids.
///
/// An object's deltas do not need its id, so hashing trails behind: objects are hashed side by side,
/// each when a lane is free.
final class DeltaResolver: @unchecked Sendable {
    // SAFETY: `kinds` and the table's ids are written by several threads, each row by the one thread
    // that rebuilds it; all else is constant once the threads run.
    private let table: PackEntryTable
    private let deltas: DeltaStore
    private let kinds: UnsafeMutableBufferPointer<UInt8>
    /// For each of the table's bases by id the row that has it, once that is rebuilt from.
    private let refRows: UnsafeMutableBufferPointer<UInt32>
    private let pack: PackReader
    private let limits: PackLimits
    /// Rows from here on were added to a thin pack: their links are not noted.
    private let received: Int
    private let collectors: [LinkCollector]
    private let progress: PackProgress
    private let isCancelled: @Sendable () -> Bool
    private let failure = FirstFailure()
    private let budget: RebuildBudget
    private let forest: DeltaForest
    private let work: DeltaWork

    init(
        _ table: PackEntryTable, _ deltas: DeltaStore, pack: PackReader, limits: PackLimits,
        received: Int, budget: RebuildBudget, collectors: [LinkCollector], progress: PackProgress,
        isCancelled: @escaping @Sendable () -> Bool
    ) {
        self.table = table
        self.deltas = deltas
        self.pack = pack
        self.limits = limits
        self.received = received
        self.budget = budget
        self.collectors = collectors
        self.progress = progress
        self.isCancelled = isCancelled
        kinds = .allocate(capacity: table.count)
        for row in 0 ..< table.count { kinds[row] = table.types[row] >> 4 }
        refRows = .allocate(capacity: table.refBases.count)
        refRows.initialize(repeating: 0)
        forest = DeltaForest(table)
        work = DeltaWork(forest, threads: collectors.count)
    }

    deinit {
        kinds.deallocate()
        refRows.deallocate()
    }

    /// Rebuilds all that hangs on the pack's whole objects, and puts what was found into `result`.
    func run(into result: inout PackEntryTable) throws(StoreError) {
        Workers.run(collectors.count) { [self] thread in
            failure.catching { () throws(StoreError) in
                try Worker(self, thread).run()
            }
            if failure.hasFailed { work.stop() }
        }
        try failure.check()
        for (number, base) in table.refBases.enumerated() {
            let row = Int(base.row)
            if kinds[row] != 0, table.kind(row: row) == nil {
                result.setBase(Int(refRows[number]), row: row)
            }
        }
        for row in 0 ..< table.count {
            if let kind = ObjectKind(rawValue: kinds[row]) { result.setKind(kind, row: row) }
        }
    }

    // MARK: Threads

    /// What one thread has for itself.
    private final class Worker {
        private let resolver: DeltaResolver
        private let thread: Int
        private let forest: DeltaForest
        private let work: DeltaWork
        private let hasRefDeltas: Bool
        private let pool: BufferPool
        private let reader: PackEntryReader
        private let hasher: RowHasher<HeldObject>
        private let links: LinkCollector

        init(_ resolver: DeltaResolver, _ thread: Int) {
            self.resolver = resolver
            self.thread = thread
            forest = resolver.forest
            work = resolver.work
            hasRefDeltas = forest.hasRefDeltas
            pool = BufferPool(resolver.budget)
            reader = PackEntryReader(resolver.pack, resolver.table, resolver.limits)
            hasher = RowHasher(resolver.table.format)
            links = resolver.collectors[thread]
        }

        func run() throws(StoreError) {
            work.start()
            while !resolver.failure.hasFailed {
                try goDown()
                if let root = work.takeRoot() {
                    try begin(root)
                    continue
                }
                // Any id that is not there yet may be a base that others wait for.
                try hasher.finish(identified)
                if let (row, base) = work.next(thread: thread) {
                    try resolve(row, base)
                } else {
                    guard work.waitForWork(thread: thread) else { return }
                }
            }
        }

        /// Rebuilds all that is on this thread's stack.
        private func goDown() throws(StoreError) {
            while let (row, base) = work.next(thread: thread) {
                if resolver.failure.hasFailed { return }
                if resolver.isCancelled() { throw StoreError(.cancelled, "cancelled") }
                try resolve(row, base)
            }
        }

        private func begin(_ row: Int) throws(StoreError) {
            guard let kind = ObjectKind(rawValue: resolver.kinds[row]) else { return }
            let object = try reader.whole(row, kind, pool)
            try findStarts(object)
            work.push(object, thread: thread)
        }

        private func findStarts(_ object: HeldObject) throws(StoreError) {
            guard object.row < resolver.received else { return }
            do throws(ParseError) {
                object.starts = try links.starts(object.kind, object.content)
            } catch { throw fault(object.row, error) }
        }

        private func resolve(_ row: Int, _ base: HeldObject) throws(StoreError) {
            let (object, delta) = try rebuild(row, on: base)
            guard resolver.kinds[row] == 0 else {
                // It is known already, and only needed for others.
                resolver.budget.remake(object.count)
                try findStarts(object)
                return work.push(object, thread: thread)
            }
            resolver.kinds[row] = base.kind.rawValue
            if resolver.table.isRefDelta(row) {
                resolver.refRows[Int(resolver.table.bases[row])] = UInt32(
                    truncatingIfNeeded: base.row)
            }
            resolver.progress.add(resolved: 1)
            let isBase = hasRefDeltas || !forest.children(of: row).isEmpty
            do throws(ParseError) {
                object.starts = try links.collect(
                    base.kind, object.content, delta: delta, on: base.starts, keepsStarts: isBase)
            } catch {
                throw malformedObject(object.kind, object.content, resolver.table.format, error)
            }
            work.push(object, thread: thread)
            try hasher.add(row, object.kind, object.content, object, done: identified)
        }

        private func identified(_ row: Int, _ oid: ObjectID, _ object: HeldObject) {
            oid.write(to: resolver.table.oids[row])
            if hasRefDeltas { pushRefChildren(of: object, oid) }
        }

        /// Goes on with the deltas that name the object by its id.
        private func pushRefChildren(of object: HeldObject, _ oid: ObjectID) {
            let rows = forest.claimRefChildren(oid)
            if !rows.isEmpty { work.push(object, refChildren: rows, thread: thread) }
        }

        private func rebuild(
            _ row: Int, on base: HeldObject
        ) throws(StoreError) -> (HeldObject, Delta) {
            let kept = resolver.deltas.delta(row: row)
            let bytes = if let kept { kept } else { try reader.delta(row) }
            let limits = resolver.limits
            let delta: Delta
            do throws(ParseError) {
                delta = try Delta(parsing: bytes)
            } catch { throw fault(row, error) }
            guard delta.resultSize <= min(limits.deltaObjectSize, limits.objectSize) else {
                throw StoreError(
                    .limit,
                    "pack entry at byte \(resolver.table.offsets[row]): delta makes "
                        + "\(delta.resultSize) bytes")
            }
            try resolver.budget.make(delta.resultSize)
            let object = try pool.take(row, base.kind, Int(delta.resultSize))
            do throws(ParseError) {
                try delta.apply(
                    to: base.content, into: object.room, slack: BufferPool.slack)
            } catch { throw fault(row, error) }
            return (object, delta)
        }

        private func fault(_ row: Int, _ error: ParseError) -> StoreError {
            StoreError("pack entry at byte \(resolver.table.offsets[row])", error)
        }
    }
}
