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

    /// Pieces of text that wait for a reader; the oldest go beyond it.
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

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let progress: CloneProgress

        public mutating func next() async -> Event? {
            await withCheckedContinuation { continuation in
                let ready: Event?? = progress.state.withLock { state in
                    if !state.events.isEmpty { return state.events.removeFirst() }
                    if state.isFinished { return .some(nil) }
                    state.reader = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        }
    }

    public func makeAsyncIterator() -> Iterator { Iterator(progress: self) }
}

extension CloneProgress.State {
    /// Adds an event; newer counts of a phase take the place of older ones.
    fileprivate mutating func add(_ event: CloneProgress.Event, capacity: Int) {
        if case .phase(let phase, _, _, _) = event,
            let last = events.last, case .phase(phase, _, _, _) = last
        {
            events[events.count - 1] = event
            return
        }
        if events.count >= capacity { events.removeFirst() }
        events.append(event)
    }
}
