import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

extension RefStore {
    /// Carries the transaction out.
    ///
    /// Every ref is locked as Git locks it (`<ref>.lock`, and `packed-refs.lock` for a deletion), its
    /// new content written beside it and put on the disk; then it is looked at. Only when all that has
    /// gone well is anything changed; an error before leaves everything as it was. The changes
    /// themselves are renames, one after the other: should the machine stop between two of them, each
    /// ref has its old value or its new one.
    ///
    /// - Parameter observer: is told of each phase and of the changes, as Git's reference-transaction
    ///   hook is (githooks): also of a symbolic ref that is followed, and of HEAD where the branch that it
    ///   is on changes. What it throws when all is prepared undoes the transaction and is thrown on; after
    ///   that it is passed over.
    /// - Throws: ``StoreError/Code/conflict`` where a ref does not hold what was expected, another
    ///   process holds a lock, or one ref would be a directory of another;
    ///   ``StoreError/Code/invalid`` where an object is missing or not of the kind that a branch holds.
    public func update(
        _ transaction: RefTransaction, observer: RefTransaction.Observer? = nil
    ) throws(StoreError) {
        guard !transaction.isEmpty else { return }
        var run = RefUpdate(store: self, transaction: transaction)
        defer { run.release() }
        try run.prepare()
        guard let observer else { return try run.commit() }
        let changes = try run.observedChanges()
        do throws(StoreError) { try observer(.prepared, changes) } catch {
            // Nothing is locked any more when the observer hears of it.
            run.release()
            try? observer(.aborted, changes)
            throw error
        }
        try run.commit()
        run.release()
        try? observer(.committed, changes)
    }
}

/// A lock in a place that others share.
private final class HeldLock {
    var file: LockFile

    init(_ file: consuming LockFile) { self.file = file }
}

/// One ref of a transaction, locked.
private final class LockedRef {
    let change: RefTransaction.Change
    /// What a symbolic ref that is followed was seen to lead to before it was locked.
    let target: RefName?
    let lock: HeldLock
    /// The object before; nil for none.
    var old: ObjectID?
    var isThere = false

    init(_ change: RefTransaction.Change, target: RefName?, lock: HeldLock) {
        self.change = change
        self.target = target
        self.lock = lock
    }
}

/// A transaction being carried out.
private struct RefUpdate {
    let store: RefStore
    let transaction: RefTransaction
    private var refs: [LockedRef] = []
    /// Names whose directories may have to go again.
    private var touched: [RefName] = []
    private var packed: HeldLock?

    init(store: RefStore, transaction: RefTransaction) {
        self.store = store
        self.transaction = transaction
    }

    // MARK: Preparing

    mutating func prepare() throws(StoreError) {
        for step in try RefPlan(store, transaction).steps { try lock(step.change, step.target) }
        if isLarge { sync() }
        for ref in refs { try check(ref) }
        try refuseDirectoryConflicts()
        try preparePacked()
        for ref in refs { try makeWay(for: ref) }
    }

    private mutating func lock(
        _ change: RefTransaction.Change, _ target: RefName?
    ) throws(StoreError) {
        touched.append(change.name)
        let lock = HeldLock(try store.lock(change.name))
        refs.append(LockedRef(change, target: target, lock: lock))
        // Written and closed before the next is opened: a transaction may have more refs than a
        // process may have open files.
        switch change.action {
        case .update(let oid): try lock.file.write(LooseRef.encode(.direct(oid)))
        case .symbolic(let name): try lock.file.write(LooseRef.encode(.symbolic(name)))
        case .delete, .verify, .log: return try lock.file.finish(isSynced: false)
        }
        try lock.file.finish(isSynced: !isLarge)
    }

    /// From so many refs on, everything that waits to be written is put on the disk at once: one by one
    /// would take milliseconds each.
    private static let manyRefs = 500

    private var isLarge: Bool { transaction.changes.count > Self.manyRefs }

    /// Compares what the ref holds, now that nobody else may change it.
    private func check(_ ref: LockedRef) throws(StoreError) {
        let name = ref.change.name
        let current = try currentRef(ref)
        ref.isThere = current != nil
        switch current {
        case .direct(let oid)?: ref.old = oid
        case .symbolic(let target)?: ref.old = try store.resolve(target)?.oid
        case nil: break
        }
        if let target = ref.target, current != .symbolic(target) {
            throw StoreError(.conflict, "cannot lock ref '\(name)': it changed meanwhile")
        }
        switch ref.change.expected {
        case .any: break
        case .missing:
            guard current == nil else {
                throw StoreError(
                    .conflict, "cannot lock ref '\(name)': reference already exists")
            }
        case .oid(let expected):
            guard let old = ref.old else {
                throw StoreError(
                    .conflict,
                    "cannot lock ref '\(name)': reference is missing but expected \(expected)")
            }
            guard old == expected else {
                throw StoreError(
                    .conflict, "cannot lock ref '\(name)': is at \(old) but expected \(expected)")
            }
        }
    }

    /// A broken ref may be overwritten and deleted, but only by who expects nothing of it.
    private func currentRef(_ ref: LockedRef) throws(StoreError) -> Ref? {
        do {
            return try store.read(ref.change.name)
        } catch
            where error.code == .corrupt && ref.change.expected == .any
            && ref.change.action != .log
        {
            ref.isThere = true
            return nil
        }
    }

    private func refuseDirectoryConflicts() throws(StoreError) {
        let made = refs.filter {
            switch $0.change.action {
            case .update, .symbolic: true
            case .delete, .verify, .log: false
            }
        }
        for ref in made where !ref.isThere { try store.refuseDirectoryConflict(ref.change.name) }
    }

    /// Locks packed-refs, if a ref that is to be deleted is in it, and works out what is left.
    private mutating func preparePacked() throws(StoreError) {
        let deleted = Set(refs.filter { $0.change.action == .delete }.map(\.change.name.bytes))
        guard !deleted.isEmpty, try store.packed() != nil else { return }
        let lock = HeldLock(try LockFile(store.packedPath, patience: RefStore.packedPatience))
        guard let content = try store.packed()?.removing(deleted) else { return }
        try lock.file.write(content)
        try lock.file.finish()
        packed = lock
    }

    /// Removes the empty directories that stand where the ref's file is to go.
    private func makeWay(for ref: LockedRef) throws(StoreError) {
        switch ref.change.action {
        case .update, .symbolic: break
        case .delete, .verify, .log: return
        }
        let path = ref.lock.file.path
        RefDirectories.removeEmpty(path)
        guard !FileSystem.isDirectory(path) else {
            throw StoreError(
                .conflict,
                "there is a non-empty directory '\(path)' blocking reference '\(ref.change.name)'")
        }
    }

    private func log(_ ref: LockedRef) throws(StoreError) {
        guard let committer = transaction.committer, let new = newOID(ref) else { return }
        try store.appendReflog(
            ref.change.name,
            ReflogEntry(
                old: ref.old ?? .zero(store.format), new: new, committer: committer,
                message: ref.change.message ?? transaction.message))
    }

    /// What the ref leads to afterwards, zeros for nothing; nil if there is nothing to log.
    private func newOID(_ ref: LockedRef) -> ObjectID? {
        var ref = ref
        for _ in 0 ... RefStore.maximumSymbolicDepth {
            let target: RefName?
            switch ref.change.action {
            case .update(let oid): return oid
            case .delete, .verify: return nil
            case .symbolic(let name): target = name
            case .log: target = ref.target
            }
            guard let target else { return nil }
            guard let next = refs.first(where: { $0.change.name == target }) else {
                return (try? store.resolve(target))?.oid
            }
            if next.change.action == .delete { return .zero(store.format) }
            ref = next
        }
        return nil
    }

    // MARK: Changing

    mutating func commit() throws(StoreError) {
        for ref in refs { try log(ref) }
        for ref in refs {
            switch ref.change.action {
            case .update, .symbolic: try ref.lock.file.commit()
            case .delete, .verify, .log: break
            }
        }
        // First from packed-refs: the loose value hides the packed one until it goes itself.
        try packed?.file.commit()
        for ref in refs where ref.change.action == .delete {
            try FileSystem.remove(ref.lock.file.path)
            try store.removeReflog(ref.change.name)
        }
    }

    /// Lets go of every lock; what was not committed is as before.
    mutating func release() {
        refs = []
        packed = nil
        for name in touched {
            RefDirectories.removeEmptyParents(of: name, in: store.directory(of: name.bytes))
        }
        touched = []
    }

    // MARK: Observing

    /// The changes as asked for, then those that come with them, in the order in which Git finds them.
    func observedChanges() throws(StoreError) -> [RefChange] {
        var observed = transaction.changes
        /// Whether the change came through HEAD, whose part in it is told of already.
        var isThroughHead = transaction.changes.map { _ in false }
        let head: RefName? =
            if case .symbolic(let name)? = try? store.read(.head) { name } else { nil }
        var next = 0
        while next < observed.count {
            let change = observed[next]
            if change.name == head, !isThroughHead[next], change.action != .verify {
                observed.append(change.renamed(.head, followsSymbolic: false))
                isThroughHead.append(true)
            }
            if change.followsSymbolic,
                let target = refs.first(where: { $0.change.name == change.name })?.target
            {
                observed.append(change.renamed(target, followsSymbolic: true))
                isThroughHead.append(change.name == .head)
            }
            next += 1
        }
        return observed.map(described)
    }

    private func described(_ change: RefTransaction.Change) -> RefChange {
        let zero = ObjectID.zero(store.format)
        let old: ObjectID = if case .oid(let oid) = change.expected { oid } else { zero }
        let new: ObjectID
        switch change.action {
        case .update(let oid): new = oid
        case .symbolic(let target): new = (try? store.resolve(target))?.oid ?? zero
        case .delete, .verify, .log: new = zero
        }
        return RefChange(name: change.name.bytes, old: old, new: new)
    }
}

extension RefStore {
    /// Takes the ref's lock, making the directories that its path goes through.
    func lock(_ name: RefName) throws(StoreError) -> LockFile {
        // Another process may remove a directory as empty before the lock is in it.
        var attempts = 3
        while true {
            do {
                try makeParents(of: name)
                return try LockFile(path(of: name), patience: Self.loosePatience)
            } catch  where error.code == .notFound && attempts > 0 {
                attempts -= 1
            }
        }
    }

    /// Refuses a new ref `a/b` beside `a`, and `a` beside `a/b`.
    func refuseDirectoryConflict(_ name: RefName) throws(StoreError) {
        var parent = RepositoryLayout.parent(name.bytes)
        while let above = RefName(parent), above.bytes.hasPrefix("refs/") {
            guard try read(above) == nil else {
                throw StoreError(.conflict, "'\(above)' exists; cannot create '\(name)'")
            }
            parent = RepositoryLayout.parent(parent)
        }
        if let below = try list(prefix: name.bytes + "/", peeling: false).first {
            throw StoreError(.conflict, "'\(below.name)' exists; cannot create '\(name)'")
        }
    }
}
