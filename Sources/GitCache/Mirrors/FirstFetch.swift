import GitClient
import GitCore
import GitServer
import GitStore
import GitWire

/// Shows the first fetch of a mirror to those who wait for it, for as long as they want to see it; the fetch goes
/// on in any case.
final class FirstFetch: Sendable {
    private enum Phase {
        /// Nobody looks yet.
        case begun
        case shown(PackReceiver)
        /// Nobody looks any more.
        case closed
    }

    private struct State {
        var phase = Phase.begun
        /// Whether anything has come.
        var hasCome = false
        /// Whether the pack has come to its end.
        var isWhole = false
        var hasEnded = false

        var isClosed: Bool { if case .closed = phase { true } else { false } }
        var receiver: PackReceiver? {
            if case .shown(let receiver) = phase { receiver } else { nil }
        }
    }

    private let mirror: Mirror
    private let turn: Mirror.Turn
    private let state = Monitor(State())
    /// Whoever looks may be slow: none of the threads that all tasks share waits for that.
    private let thread: BlockingThread
    private static let interval = 100

    init(_ mirror: Mirror, _ turn: Mirror.Turn) throws(StoreError) {
        self.mirror = mirror
        self.turn = turn
        thread = try BlockingThread()
    }

    // MARK: For the fetch

    func show(_ event: FetchEvent) async {
        switch event {
        case .pack, .progress: break
        default: return
        }
        if !state.look({ $0.hasCome }) { state.change { $0.hasCome = true } }
        if !state.look({ $0.isClosed }) { await thread.run { [self] in pass(event) } }
    }

    private func pass(_ event: FetchEvent) {
        guard let receiver = receiver() else { return }
        do throws(StoreError) {
            switch event {
            case .pack(let bytes): try receiver.take(bytes)
            case .progress(let text): receiver.show(ByteString(text))
            default: break
            }
        } catch { state.change { $0.phase = .closed } }
    }

    /// Who looks, waiting for him; nil where nobody does any more.
    private func receiver() -> PackReceiver? {
        if let receiver = state.look({ $0.receiver }) { return receiver }
        return state.wait { state in
            if case .begun = state.phase { nil } else { .some(state.receiver) }
        }
    }

    /// The whole pack was shown. What it holds is still to be seen.
    func showedAll() { state.change { $0.isWhole = true } }

    /// Nothing more comes.
    func end() {
        state.change { $0.hasEnded = true }
        thread.end()
    }

    // MARK: For those who wait

    /// Says whether a pack comes.
    ///
    /// - Throws: what the fetch ended with; ``CacheError/Code/cancelled``.
    func waitForBeginning(_ isUnwanted: () -> Bool) throws -> Bool {
        while !state.wait(milliseconds: Self.interval, until: { $0.hasCome || $0.hasEnded }) {
            if isUnwanted() { throw CacheError(.cancelled, "the client is gone") }
        }
        if state.change({ $0.hasCome }) { return true }
        try mirror.wait(turn) { false }
        return false
    }

    /// Passes all on as it comes. Returns when the pack has come to its end.
    ///
    /// - Parameter isUnwanted: whether nobody follows any more. Upstream may be silent, or send what nobody sees.
    /// - Throws: `Refusal` where upstream breaks off; ``CacheError/Code/cancelled``; `StoreError`.
    func send(to receiver: PackReceiver, isUnwanted: () -> Bool) throws {
        state.change { state in
            if case .begun = state.phase { state.phase = .shown(receiver) }
        }
        let isOver = { (state: State) in state.isWhole || state.hasEnded || state.isClosed }
        while !state.wait(milliseconds: Self.interval, until: isOver) {
            if isUnwanted() { throw CacheError(.cancelled, "nobody waits for it") }
            mirror.isWaitedFor()
        }
        if state.change({ $0.isClosed }) { throw CacheError(.cancelled, "the client is gone") }
        if state.change({ $0.isWhole }) { return }
        try Refusal.inAnswer { try check() }
    }

    /// Returns when the objects are in the mirror.
    ///
    /// - Throws: what the fetch ended with; ``CacheError/Code/cancelled``.
    func check(isGone: () -> Bool = { false }) throws { try mirror.wait(turn, isGone) }

    func close() { state.change { $0.phase = .closed } }
}

/// Does what blocks, on a thread of its own, for a task that waits for it.
private final class BlockingThread: Sendable {
    private struct Job: Sendable {
        let body: @Sendable () -> Void
        let done: CheckedContinuation<Void, Never>
    }

    private let jobs: BoundedQueue<Job>

    init() throws(StoreError) {
        let jobs = BoundedQueue<Job>(capacity: 1)
        self.jobs = jobs
        let thread = try SystemThread {
            while let job = jobs.pop() {
                job.body()
                job.done.resume()
            }
        }
        thread.detach()
    }

    deinit { jobs.close() }

    /// One at a time.
    func run(_ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { done in
            if !jobs.push(Job(body: body, done: done)) { done.resume() }
        }
    }

    func end() { jobs.close() }
}
