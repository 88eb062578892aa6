import GitClient
import GitCore
import GitServer
import GitStore
import GitWire
import Synchronization

/// The objects of a repository of an upstream, for all who may see any of them.
///
/// It has no branches: what upstream's are is asked for anew each time. Of its refs, `refs/cache/<oid>`,
/// each keeps an object that upstream showed.
final class Mirror: Sendable {
    let name: ByteString
    let repository: Repository

    private struct State {
        var isFetching = false
        /// Fetches that have ended.
        var fetches = 0
        /// Packs in a row that could not be taken in.
        var badPacks = 0
        var isEmpty: Bool
        /// What a fetch ended with that outgrew its limits, and until when none is tried again, as long as the
        /// limit of its size is the same.
        var excess: (error: StoreError, limit: UInt64, until: ContinuousClock.Instant)?
        /// Nothing is to be fetched into it any more.
        var isRemoved = false
        /// What fetches, and when somebody last waited for it.
        var task: Task<Void, Never>?
        var lastWait = ContinuousClock.now
    }

    private let state: Monitor<State>
    private let upkeep: MirrorUpkeep
    private let limits: MirrorLimits
    private let note: @Sendable (String) -> Void
    private static let interval = 200
    static let kept: ByteString = "refs/cache/"

    /// - Parameter note: is told of what no request is about.
    init(
        _ name: ByteString, _ repository: Repository, _ upkeep: MirrorUpkeep,
        _ limits: MirrorLimits, note: @escaping @Sendable (String) -> Void
    ) throws(StoreError) {
        self.name = name
        self.note = note
        self.upkeep = upkeep
        self.limits = limits
        self.repository = repository
        let isEmpty = try repository.refs.list(prefix: Self.kept, peeling: false).isEmpty
        state = Monitor(State(isEmpty: isEmpty))
    }

    /// Whether nothing was fetched into it by now.
    var isEmpty: Bool { state.change { $0.isEmpty } }

    /// Whether something is being fetched into it.
    var isFetching: Bool { state.change { $0.isFetching } }

    /// Ends a fetch that nobody has waited for in a long time (``MirrorLimits/patience``).
    func endUnwantedFetch() {
        let now = ContinuousClock.now
        state.change { state in
            if state.isFetching, now - state.lastWait > limits.patience { state.task?.cancel() }
        }
    }

    /// Ends what is being fetched, and what is begun from here on: the mirror was removed.
    func endFetching() {
        state.change { state in
            state.isRemoved = true
            state.task?.cancel()
        }
    }

    // MARK: What there is to be

    /// Sees to it that the objects are here, with all that they lead to: one fetch at a time, whose result is
    /// there for all, and which goes on when the client that it was begun for hangs up.
    ///
    /// - Parameters:
    ///   - wants: what is needed.
    ///   - tips: what is fetched with it where anything is: all that upstream showed.
    ///   - session: nil where upstream is away.
    ///   - isGone: whether there is nobody any more to wait.
    /// - Throws: ``UpstreamFailure``, `StoreError`, ``CacheError/Code/cancelled``.
    func ensure(
        _ wants: [ObjectID], with tips: [ObjectID], shown: AdvertisedRefs,
        from session: UpstreamSession?, isGone: () -> Bool
    ) throws {
        while true {
            try repository.objects.refresh()
            guard try wants.contains(where: { try !repository.objects.contains($0) }) else {
                return
            }
            guard let session else { throw UpstreamFailure.away }
            try refuseExcess()
            let turn = turn()
            if turn.isMine {
                begin(turn) { [self] in
                    try await fetch(wants, with: tips, shown, session)
                }
            }
            try wait(turn, isGone)
        }
    }

    /// Fetches what a pack is to hold into a mirror that has nothing yet; the pack is shown as it arrives. Returns
    /// when it begins to.
    ///
    /// - Parameter isUnwanted: whether nobody is there to be shown it.
    /// - Returns: nil where others are at it, or something is here already.
    /// - Throws: as ``ensure(_:with:shown:from:isGone:)``.
    func beginFirst(
        _ pack: PackRequest, _ shown: AdvertisedRefs, _ session: UpstreamSession?,
        isUnwanted: () -> Bool
    ) throws -> FirstFetch? {
        guard let session, isEmpty else { return nil }
        try refuseExcess()
        guard let turn = firstTurn() else { return nil }
        let first: FirstFetch
        do { first = try FirstFetch(self, turn) } catch {
            begin(turn) {}
            throw error
        }
        var options = FetchOptions()
        options.ofsDelta = pack.usesOffsetDeltas
        options.includeTag = !pack.tags.isEmpty
        // It is a whole answer, whatever may be here.
        options.thinPack = false
        options.sink = { event in await first.show(event) }
        options.sinkGoesFirst = true
        options.sinkHasAll = { first.showedAll() }
        let fixed = options
        begin(turn) { [self] in
            defer { first.end() }
            try await fetch(pack.wants, fixed, shown, session)
        }
        do {
            // Where all was here, though nothing led to it, none comes.
            return try first.waitForBeginning(isUnwanted) ? first : nil
        } catch {
            first.close()
            throw error
        }
    }

    // MARK: Turns

    struct Turn {
        fileprivate let isMine: Bool
        fileprivate let number: Int
        fileprivate let failure = Monitor<(any Error)?>(nil)
    }

    private func turn() -> Turn {
        state.change { state in
            defer { state.isFetching = true }
            return Turn(isMine: !state.isFetching, number: state.fetches)
        }
    }

    /// A turn of one's own in a mirror that is empty.
    private func firstTurn() -> Turn? {
        state.change { state in
            guard state.isEmpty, !state.isFetching else { return nil }
            state.isFetching = true
            return Turn(isMine: true, number: state.fetches)
        }
    }

    private func begin(_ turn: Turn, _ body: @escaping @Sendable () async throws -> Void) {
        let failure = turn.failure
        let task = Task.detached { [self] in
            do { try await body() } catch { failure.change { $0 = error } }
            let isRemoved = state.change { state in
                state.isFetching = false
                state.task = nil
                state.fetches += 1
                return state.isRemoved
            }
            if !isRemoved { upkeep.look(after: self) }
        }
        state.change { state in
            guard state.isFetching, state.fetches == turn.number else { return }
            if state.isRemoved { task.cancel() }
            state.task = task
            state.lastWait = .now
        }
    }

    /// Waits for the end of a fetch.
    ///
    /// - Throws: what it ended with, to the one whose turn it is.
    func wait(_ turn: Turn, _ isGone: () -> Bool) throws {
        while !state.wait(
            milliseconds: Self.interval, until: { $0.fetches > turn.number })
        {
            if isGone() { throw CacheError(.cancelled, "the client is gone") }
            isWaitedFor()
        }
        if let error = turn.failure.change({ $0 }) { throw error }
    }

    /// Somebody waits for what is being fetched.
    func isWaitedFor() { state.change { $0.lastWait = .now } }

    // MARK: Fetching

    /// What is fetched beside the wants may be gone from upstream since it was shown: that is no reason
    /// not to have them.
    private func fetch(
        _ wants: [ObjectID], with tips: [ObjectID], _ shown: AdvertisedRefs,
        _ session: UpstreamSession
    ) async throws {
        do {
            try await fetch(wants + tips, FetchOptions(), shown, session)
        } catch let failure as UpstreamFailure {
            let isMore = !Set(tips).isSubset(of: wants)
            guard isMore, failure.status == 502, !failure.isOutage else { throw failure }
            try await fetch(wants, FetchOptions(), shown, session)
        }
    }

    private func fetch(
        _ wants: [ObjectID], _ options: FetchOptions, _ shown: AdvertisedRefs,
        _ session: UpstreamSession
    ) async throws {
        var seen: Set<ObjectID> = []
        let wants = wants.filter { seen.insert($0).inserted }
        let bound = PackBound(limits, repository.objects.directory)
        var bounded = options
        bounded.sink = { event in
            try bound.see(event)
            try await options.sink?(event)
        }
        let (limit, fixed) = (limits.maximumPackSize, bounded)
        do {
            try await session.asking(.fetch) { () throws(ClientError) in
                let summary = try await Fetch(
                    into: repository, from: session.pack, options: fixed
                ).run(wants: wants, shown: shown)
                defer { summary.release() }
                do throws(StoreError) { try keep(wants) } catch { throw ClientError(error) }
            }
            state.change { $0.badPacks = 0 }
        } catch let error as StoreError where error.code == .limit {
            state.change { $0.excess = (error, limit, .now + bound.pause) }
            note("what was fetched for the mirror of \(name) was given up: \(error.message)")
            throw error
        } catch let error as StoreError where error.code == .corrupt {
            let count = state.change { state in
                state.badPacks += 1
                return state.badPacks
            }
            // The first time it is rather the pack that is at fault than what is here.
            throw count == 1 ? PassedBy(cause: error) as any Error : error
        }
    }

    /// - Throws: the `StoreError` that a fetch ended with lately that outgrew its limits.
    private func refuseExcess() throws(StoreError) {
        let now = ContinuousClock.now
        let error = state.change { state -> StoreError? in
            guard let excess = state.excess else { return nil }
            if excess.limit == limits.maximumPackSize, now < excess.until { return excess.error }
            state.excess = nil
            return nil
        }
        if let error { throw error }
    }

    /// Has refs lead to what came.
    private func keep(_ oids: [ObjectID]) throws(StoreError) {
        try repository.refs.addPacked(
            oids.compactMap { oid in
                RefName(Self.kept + ByteString(oid.hex)).map { (name: $0, oid: oid) }
            })
        state.change { $0.isEmpty = false }
    }
}
