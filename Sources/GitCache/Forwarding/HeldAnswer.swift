import GitServer
import Synchronization

/// An answer that upstream may begin before the client has sent its request to the end, as it does for a
/// push. The client's server sends none before then, and to give it one is to want no more of the request:
/// until it may go out, the answer waits here.
final class HeldAnswer: Sendable {
    private let exchange: HTTPExchange
    private let state: Mutex<State>

    private struct State {
        var head: HTTPResponse?
        var bytes: [UInt8] = []
        var isOpen: Bool
        var hasBegun = false
        var isDropped = false
    }

    /// What a service says while it reads a push; who says more is not waiting for the rest.
    private static let room = 1 << 20

    /// - Parameter isOpen: whether the request has come to its end.
    init(_ exchange: HTTPExchange, isOpen: Bool) {
        self.exchange = exchange
        state = Mutex(State(isOpen: isOpen))
    }

    func begin(_ head: HTTPResponse) {
        state.withLock { state in
            state.head = head
            release(&state)
        }
    }

    /// The next bytes of the body, waiting for room on the way to the client.
    ///
    /// - Throws: `ExchangeEnded`, ``CacheError/Code/tooSlow`` where too much is held.
    func send(_ bytes: [UInt8]) throws {
        let isHeld = state.withLock { state in
            guard !state.hasBegun else { return false }
            state.bytes += bytes
            return true
        }
        guard isHeld else { return try exchange.write(bytes) }
        guard state.withLock({ $0.hasBegun || $0.bytes.count <= Self.room }) else {
            throw CacheError(.tooSlow, "upstream answers at length what it has not read")
        }
    }

    /// The request is at its end, or no more of it is wanted.
    func open() {
        state.withLock { state in
            state.isOpen = true
            release(&state)
        }
    }

    /// Has nothing of it go out. False where it has begun.
    func drop() -> Bool {
        state.withLock { state in
            state.isDropped = !state.hasBegun
            state.bytes = []
            return state.isDropped
        }
    }

    private func release(_ state: inout State) {
        guard state.isOpen, !state.hasBegun, !state.isDropped, let head = state.head else { return }
        state.hasBegun = true
        exchange.respond(head)
        exchange.writeNow(state.bytes)
        state.bytes = []
    }
}
