public import GitCore
import Synchronization

/// What a clone is doing, as an asynchronous sequence of ``CloneProgress/Event``.
///
/// A reader that is slow misses old counts, never the last ones of a phase, and never holds the clone
/// up. One task reads; the sequence ends with the clone.
public final class CloneProgress: AsyncSequence, Sendable {
    public enum Phase: Hashable, Sendable {
        /// Objects of the pack, as they arrive.
        case receivingObjects
        case resolvingDeltas
        /// Files of the work tree.
        case checkingOut
    }

    public enum Event: Hashable, Sendable {
        /// How far a phase is. `total` is 0 while it is not known; `bytes` counts what came over the
        /// network, 0 in other phases.
        case phase(Phase, done: Int, total: Int, bytes: Int)
        /// A phase is over; its last counts came before.
        case finished(Phase)
        /// Text that the server wrote for the person, in pieces as it came: to be shown with
        /// ``ByteString/printable``, or with what takes it apart into lines.
        case serverText(ByteString)
        /// A warning for the person, safe to print.
        case warning(String)
    }

    fileprivate struct State {
        var events: [Event] = []
        var isFinished = false
        var reader: CheckedContinuation<Event?, Never>?
    }

    /// Events that wait for a reader; beyond it the oldest go, those of the server's text first.
    private static let capacity = 1_024

    private let state = Mutex(State())

    init() {}

    func post(_ event: Event) {
        let reader = state.withLock { state in
            if let reader = state.reader.take() {
                return reader as CheckedContinuation<Event?, Never>?
            }
            state.add(event, capacity: Self.capacity)
            return nil
        }
        reader?.resume(returning: event)
    }

    func finish() {
        let reader = state.withLock { state in
            state.isFinished = true
            return state.reader.take()
        }
        reader?.resume(returning: nil)
    }

    fileprivate func nextEvent() async -> Event? {
        await withCheckedContinuation { continuation in
            let (ready, other) = state.withLock { state in
                let other = state.reader.take()
                return (state.take(continuation), other)
            }
            // A second reader; the first one's sequence ends.
            other?.resume(returning: nil)
            if let ready { continuation.resume(returning: ready) }
        }
    }

    /// The reader's task was cancelled.
    fileprivate func stopReading() {
        let reader = state.withLock { $0.reader.take() }
        reader?.resume(returning: nil)
    }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let progress: CloneProgress

        /// The next event, waiting for it; nil once the clone is over or this task is cancelled.
        public mutating func next() async -> Event? {
            let progress = progress
            return await withTaskCancellationHandler {
                await progress.nextEvent()
            } onCancel: {
                progress.stopReading()
            }
        }
    }

    public func makeAsyncIterator() -> Iterator { Iterator(progress: self) }
}

extension CloneProgress.State {
    /// What a reader gets now; nil where it waits.
    fileprivate mutating func take(
        _ continuation: CheckedContinuation<CloneProgress.Event?, Never>
    ) -> CloneProgress.Event?? {
        if !events.isEmpty { return .some(events.removeFirst()) }
        // Cancelled before it waited: there is nobody to wake it any more.
        if isFinished || Task.isCancelled { return .some(nil) }
        reader = continuation
        return .none
    }

    /// Adds an event; newer counts of a phase take the place of older ones.
    fileprivate mutating func add(_ event: CloneProgress.Event, capacity: Int) {
        if case .phase(let phase, _, _, _) = event,
            let last = events.last, case .phase(phase, _, _, _) = last
        {
            events[events.count - 1] = event
            return
        }
        if events.count >= capacity { dropOldest() }
        events.append(event)
    }

    /// Text first: there is no bound to what a server says.
    private mutating func dropOldest() {
        let text = events.firstIndex { if case .serverText = $0 { true } else { false } }
        events.remove(at: text ?? 0)
    }
}
