import GitCore
import GitStore

/// Decides what becomes of refs here that a fetch is to write, and writes them.
struct RefUpdates: Sendable {
    struct Options: Sendable {
        var isForced = false
        var isAtomic = false
        var isDryRun = false
        /// Whether the branch that is checked out may be written.
        var updatesHead = false
        /// What stands in the reflogs before what was done.
        var action: ByteString = "fetch"
    }

    private let repository: Repository
    private let local: [RefName: RefEntry]
    private let options: Options
    private let checkedOut: CheckedOutBranches
    private let committer: Identity
    private(set) var changes: [FetchedChange] = []
    /// The changes that are to be written, by their places in ``changes``.
    private var pending: [(place: Int, message: ByteString)] = []

    init(
        _ repository: Repository, _ local: [RefName: RefEntry], _ checkedOut: CheckedOutBranches,
        _ options: Options, _ environment: Environment
    ) throws(StoreError) {
        self.repository = repository
        self.local = local
        self.checkedOut = checkedOut
        self.options = options
        committer = try Identity.current(
            .committer, config: repository.config, environment: environment, strict: false)
    }

    // MARK: Deciding

    /// Adds refs whose objects are here, in the order in which they are told.
    mutating func add(_ refs: [FetchedRef]) throws(StoreError) {
        for merging in [FetchedRef.Merging.merge, .notForMerge, .unmentioned] {
            for ref in refs where ref.merging == merging { try add(ref) }
        }
    }

    private mutating func add(_ ref: FetchedRef) throws(StoreError) {
        guard let name = ref.destination else {
            add(.fetchHead(ref.kindName.isEmpty ? "branch" : ref.kindName), ref, nil, nil)
            return
        }
        let old = local[name]?.oid
        if old == ref.oid { return add(.upToDate, ref, old, nil) }
        if !options.updatesHead, old != nil, checkedOut.contains(name) {
            return add(.rejected("can't fetch into checked-out branch"), ref, old, nil)
        }
        let isForced = options.isForced || ref.isForced
        if old != nil, name.bytes.hasPrefix("refs/tags/") {
            return isForced
                ? add(.tagUpdate, ref, old, "updating tag")
                : add(.rejected("would clobber existing tag"), ref, old, nil)
        }
        guard let old, let before = try commit(behind: old), let after = try commit(behind: ref.oid)
        else {
            let (kind, message) = ref.novelty
            return add(kind, ref, old, message)
        }
        if try repository.isAncestor(before, of: after) {
            add(.fastForward, ref, old, "fast-forward")
        } else if isForced {
            add(.forced, ref, old, "forced-update")
        } else {
            add(.rejected("non-fast-forward"), ref, old, nil)
        }
    }

    private mutating func add(
        _ kind: FetchedChange.Kind, _ ref: FetchedRef, _ old: ObjectID?, _ message: ByteString?
    ) {
        if let message { pending.append((changes.count, options.action + ": " + message)) }
        changes.append(
            FetchedChange(
                kind: kind, old: old, new: ref.oid, source: ref.shownSource,
                destination: ref.destination))
    }

    private func commit(behind oid: ObjectID) throws(StoreError) -> ObjectID? {
        do throws(StoreError) {
            let peeled = try repository.objects.peeled(oid)
            return try repository.objects.header(peeled).kind == .commit ? peeled : nil
        } catch  where error.code == .notFound { return nil }
    }

    // MARK: Writing

    /// Writes what was added since it was last called: all or none, where that is asked for; else what can
    /// be.
    mutating func write() throws(StoreError) {
        defer { pending = [] }
        if options.isDryRun || pending.isEmpty { return }
        if options.isAtomic, changes.contains(where: \.isError) { return }
        do throws(StoreError) { try write(pending) } catch {
            if options.isAtomic { throw error }
            // One of them is in the way: the others are written all the same.
            for one in pending {
                do throws(StoreError) { try write([one]) } catch {
                    changes[one.place].hasFailed = true
                }
            }
        }
    }

    private func write(_ some: [(place: Int, message: ByteString)]) throws(StoreError) {
        var transaction = RefTransaction(committer: committer)
        for (place, message) in some {
            let change = changes[place]
            guard let name = change.destination, let new = change.new else { continue }
            transaction.update(
                name, to: new, expecting: change.old.map { .oid($0) } ?? .missing,
                followingSymbolic: true, message: message)
        }
        try repository.refs.update(transaction)
    }

    /// Removes refs that the server has no more, and says so.
    mutating func prune(_ stale: [RefEntry]) throws(StoreError) {
        var transaction = RefTransaction(committer: committer, message: "fetch: prune")
        for entry in stale {
            transaction.delete(entry.name, expecting: .oid(entry.oid))
            changes.append(
                FetchedChange(
                    kind: .deleted, old: entry.oid, new: nil, source: "(none)",
                    destination: entry.name))
        }
        if !options.isDryRun { try repository.refs.update(transaction) }
    }
}

extension FetchedRef {
    private static let kinds: [(prefix: ByteString, kind: String)] = [
        ("refs/heads/", "branch"), ("refs/tags/", "tag"),
        ("refs/remotes/", "remote-tracking branch"),
    ]

    /// `branch` and the like; empty for HEAD and other refs.
    var kindName: String { Self.kinds.first { source.hasPrefix($0.prefix) }?.kind ?? "" }

    /// The source without what says its kind.
    var shownSource: ByteString {
        Self.kinds.first { source.hasPrefix($0.prefix) }
            .map { source.dropFirst($0.prefix.count) } ?? source
    }

    /// How a ref is called that was not here.
    fileprivate var novelty: (FetchedChange.Kind, ByteString) {
        if source.hasPrefix("refs/tags/") { return (.newTag, "storing tag") }
        if source.hasPrefix("refs/heads/") { return (.newBranch, "storing head") }
        return (.newRef, "storing ref")
    }
}
