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
        var isEmpty: Bool
    }

    private let state: Monitor<State>
    private let upkeep: MirrorUpkeep
    private static let interval = 200
    private static let kept: ByteString = "refs/cache/"

    init(
        _ name: ByteString, _ repository: Repository, _ upkeep: MirrorUpkeep
    ) throws(StoreError) {
        self.name = name
        self.upkeep = upkeep
        self.repository = repository
        let isEmpty = try repository.refs.list(prefix: Self.kept, peeling: false).isEmpty
        state = Monitor(State(isEmpty: isEmpty))
    }

    /// Whether nothing was fetched into it by now.
    var isEmpty: Bool { state.change { $0.isEmpty } }

    // MARK: What there is to be

    /// Sees to it that the objects are here, with all that they lead to: one fetch at a time, whose result is
    /// there for all, and which goes on when the client that it was begun for hangs up.
    ///
    /// - Parameters:
    ///   - wants: what is needed.
    ///   - tips: what is fetched with it where anything is: all that upstream showed.
    ///   - isGone: whether there is nobody any more to wait.
    /// - Throws: ``UpstreamFailure``, `ClientError`, `StoreError`, ``CacheError/Code/cancelled``.
    func ensure(
        _ wants: [ObjectID], with tips: [ObjectID], shown: AdvertisedRefs, from session: UploadPack,
        isGone: () -> Bool
    ) throws {
        while true {
            try repository.objects.refresh()
            guard try wants.contains(where: { try !repository.objects.contains($0) }) else {
                return
            }
            let turn = turn()
            if turn.isMine {
                begin(turn) { [self] in
                    try await fetch(wants, with: tips, shown, session)
                }
            }
            try wait(turn, isGone)
        }
    }

    /// Fetches what a pack is to hold, and shows the pack as it arrives; false where others are at it, or
    /// something is here already.
    ///
    /// - Throws: as ``ensure(_:with:shown:from:isGone:)``. What `receiver` throws ends nothing but that it is
    ///   shown more.
    func fetchFirst(
        _ pack: PackRequest, _ shown: AdvertisedRefs, _ session: UploadPack,
        _ receiver: PackReceiver
    ) throws -> Bool {
        guard let turn = firstTurn() else { return false }
        let gate = ReceiverGate(receiver)
        defer { gate.close() }
        var options = FetchOptions()
        options.ofsDelta = pack.usesOffsetDeltas
        options.includeTag = !pack.tags.isEmpty
        // It is a whole answer, whatever may be here.
        options.thinPack = false
        options.sink = { event in gate.show(event) }
        let fixed = options
        begin(turn) { [self] in try await fetch(pack.wants, fixed, shown, session) }
        try wait(turn) { gate.isClosed }
        // Where all was here, though nothing led to it, none was sent.
        return gate.hasShownPack
    }

    // MARK: Turns

    private struct Turn {
        let isMine: Bool
        let number: Int
        let failure = Monitor<(any Error)?>(nil)
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
        Task.detached { [self] in
            do { try await body() } catch { failure.change { $0 = error } }
            state.change { state in
                state.isFetching = false
                state.fetches += 1
            }
            upkeep.look(after: self)
        }
    }

    private func wait(_ turn: Turn, _ isGone: () -> Bool) throws {
        while !state.wait(
            milliseconds: Self.interval, until: { $0.fetches > turn.number })
        {
            if isGone() { throw CacheError(.cancelled, "the client is gone") }
        }
        if let error = turn.failure.change({ $0 }) { throw error }
    }

    // MARK: Fetching

    /// What is fetched beside the wants may be gone from upstream since it was shown: that is no reason
    /// not to have them.
    private func fetch(
        _ wants: [ObjectID], with tips: [ObjectID], _ shown: AdvertisedRefs, _ session: UploadPack
    ) async throws {
        do {
            try await fetch(wants + tips, FetchOptions(), shown, session)
        } catch let failure as UpstreamFailure {
            let isMore = !Set(tips).isSubset(of: wants)
            guard isMore, failure.status == 502 else { throw failure }
            try await fetch(wants, FetchOptions(), shown, session)
        }
    }

    private func fetch(
        _ wants: [ObjectID], _ options: FetchOptions, _ shown: AdvertisedRefs,
        _ session: UploadPack
    ) async throws {
        var seen: Set<ObjectID> = []
        let wants = wants.filter { seen.insert($0).inserted }
        do throws(ClientError) {
            let summary = try await Fetch(into: repository, from: session, options: options)
                .run(wants: wants, shown: shown)
            defer { summary.release() }
            do throws(StoreError) { try keep(wants) } catch { throw ClientError(error) }
        } catch {
            if error.code == .store { throw error }
            throw UpstreamFailure(error)
        }
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

/// Shows a fetch to a client for as long as it wants to see it; the fetch goes on in any case.
private final class ReceiverGate: Sendable {
    private let receiver: Mutex<PackReceiver?>
    private let hasShown = Atomic(false)

    init(_ receiver: PackReceiver) { self.receiver = Mutex(receiver) }

    var isClosed: Bool { receiver.withLock { $0 == nil } }

    /// Whether a part of a pack has come.
    var hasShownPack: Bool { hasShown.load(ordering: .relaxed) }

    func close() { receiver.withLock { $0 = nil } }

    func show(_ event: FetchEvent) {
        receiver.withLock { receiver in
            do throws(StoreError) {
                switch event {
                case .pack(let bytes):
                    hasShown.store(true, ordering: .relaxed)
                    try receiver?.take(bytes)
                case .progress(let text): receiver?.show(ByteString(text))
                default: break
                }
            } catch { receiver = nil }
        }
    }
}
