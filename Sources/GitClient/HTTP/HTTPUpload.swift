internal import GitStore

/// A request's body on its way from the one who makes it, who may be slow, to the network, which may be.
///
/// One side writes, and waits while there is no room; the other takes, and never waits.
public final class HTTPUpload: Sendable {
    /// Bytes in all; nil where that is not known before the end.
    public let length: UInt64?
    private let state = Monitor(State())

    fileprivate struct State {
        var pieces: [[UInt8]] = []
        /// Of the first piece.
        var taken = 0
        var waiting = 0
        var end: End?
        /// Called once there is something for one who found nothing.
        var wake: (@Sendable () -> Void)?
        var isWoken = true
    }

    fileprivate enum End { case whole, failed, unwanted }

    public init(length: UInt64? = nil) { self.length = length }

    // MARK: For the one who makes it

    /// Gives the next bytes, waiting for room. False where nobody wants them: the request is over.
    /// Blocks the calling thread.
    public func write(_ bytes: [UInt8]) -> Bool {
        guard !bytes.isEmpty else { return true }
        let next = state.wait { state -> Next? in
            if state.end != nil { return .over }
            guard state.waiting < HTTPLimits.bufferedUpload else { return nil }
            state.pieces.append(bytes)
            state.waiting += bytes.count
            return .wake(state.takeWake())
        }
        guard case .wake(let wake) = next else { return false }
        wake?()
        return true
    }

    private enum Next {
        case over
        case wake((@Sendable () -> Void)?)
    }

    /// That was all of it.
    public func finish() { end(.whole) }

    /// The rest will not come: the request is broken off, so that the server sees that it is not whole.
    public func fail() { end(.failed) }

    // MARK: For the transport

    public enum Taken: Hashable, Sendable {
        case bytes(Int)
        /// What ``whenReady(_:)`` was given is called once there is more.
        case notYet
        case end
        case failed
    }

    /// Fills `room` as far as the bytes go.
    public func take(into room: UnsafeMutableRawBufferPointer) -> Taken {
        state.change { state in
            // What is not whole must not look as if it were.
            if state.end == .failed || state.end == .unwanted { return .failed }
            var count = 0
            while count < room.count, let piece = state.pieces.first {
                let part = min(piece.count - state.taken, room.count - count)
                piece.withUnsafeBytes { bytes in
                    UnsafeMutableRawBufferPointer(rebasing: room[count ..< count + part])
                        .copyMemory(
                            from: UnsafeRawBufferPointer(
                                rebasing: bytes[state.taken ..< state.taken + part]))
                }
                count += part
                state.taken += part
                if state.taken == piece.count {
                    state.pieces.removeFirst()
                    state.taken = 0
                }
            }
            state.waiting -= count
            if count > 0 { return .bytes(count) }
            if state.end != nil { return .end }
            state.isWoken = false
            return .notYet
        }
    }

    /// - Parameter body: called on the writer's thread. It must not wait.
    public func whenReady(_ body: @escaping @Sendable () -> Void) {
        state.change { $0.wake = body }
    }

    /// The request is over: no more is wanted.
    public func close() {
        state.change { state in
            state.end = .unwanted
            state.wake = nil
            state.pieces = []
            state.taken = 0
            state.waiting = 0
        }
    }

    private func end(_ end: End) {
        let wake = state.change { state -> (@Sendable () -> Void)? in
            guard state.end == nil else { return nil }
            state.end = end
            return state.takeWake()
        }
        wake?()
    }
}

extension HTTPUpload.State {
    fileprivate mutating func takeWake() -> (@Sendable () -> Void)? {
        guard !isWoken else { return nil }
        isWoken = true
        return wake
    }
}
