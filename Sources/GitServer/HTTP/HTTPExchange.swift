internal import CMicroHTTPD
internal import GitStore

/// Why an exchange goes no further: the client is gone, or too slow, or the server stops.
package struct ExchangeEnded: Error {
    package init() {}
}

/// One request and its answer.
///
/// Two threads share it: libmicrohttpd's, which never waits, and one that works on the answer, which
/// waits for what it reads and for room for what it writes.
///
/// SAFETY: `connection` is used under the lock of `state` and only until libmicrohttpd says that the
/// request is over; all else is constant or in `state`.
package final class HTTPExchange: @unchecked Sendable {
    package let head: RequestHead
    private let connection: OpaquePointer
    private let state: Monitor<State>
    private let startWorker: @Sendable (HTTPExchange) -> Bool

    struct State {
        // The body of the request on its way to the worker.
        var input = ByteQueue()
        var inputTotal: UInt64 = 0
        var hasInputEnded = false
        /// Nobody wants the rest of it.
        var discardsInput = false
        /// What had come of it when that was known.
        var inputWanted: UInt64 = 0

        // The answer on its way to the client.
        var response: HTTPResponse?
        /// libmicrohttpd has it, and closes what it sends.
        var isHandedOver = false
        var output = ByteQueue()
        var outputTotal: UInt64 = 0
        var hasOutputEnded = false
        var hasOutputFailed = false

        var hasWorker = false
        /// libmicrohttpd does not look at the connection until it is resumed.
        var isSuspended = false
        /// libmicrohttpd is through with the request.
        var isOver = false
        /// Whoever works on it is to stop.
        var isCancelled = false
        var onCancel: (@Sendable () -> Void)?
        var pace = Pace()
        /// Of ``inputTotal``, when it was looked at last.
        var inputSeen: UInt64?
        var notes: [(name: String, value: String)] = []
        /// What is needed until the request is over.
        var held: [any Sendable] = []
    }

    /// Bytes that wait in memory, each way.
    private static let room = 1 << 18
    /// So much of a body is waited for before a thread is spent on it.
    private static let held = 256 << 10
    /// So much of a body that nobody wants is read to keep the connection, and to be heard.
    private static let discarded: UInt64 = 64 << 20

    init(
        _ head: RequestHead, _ connection: OpaquePointer,
        startWorker: @escaping @Sendable (HTTPExchange) -> Bool
    ) {
        self.head = head
        self.connection = connection
        self.startWorker = startWorker
        state = Monitor(State())
    }

    // MARK: For the one who answers, on a thread of its own

    /// The next piece of the request's body, waiting for it; nil at its end.
    package func read() throws(ExchangeEnded) -> [UInt8]? {
        let result: Result<[UInt8]?, ExchangeEnded> = state.wait { state in
            if state.isCancelled { return .failure(ExchangeEnded()) }
            if let piece = state.input.takePiece() {
                if state.input.count < Self.room { resume(&state) }
                return .success(piece)
            }
            return state.hasInputEnded ? .success(nil) : nil
        }
        return try result.get()
    }

    /// Answers, all at once or, for a body that is streamed, with the head of the answer. Once.
    package func respond(_ response: HTTPResponse) {
        state.change { state in
            guard state.response == nil, !state.isOver else { return response.discard() }
            state.response = response
            if !state.hasInputEnded {
                state.discardsInput = true
                state.inputWanted = state.inputTotal
                state.input = ByteQueue()
            }
            resume(&state)
        }
    }

    /// Sends the next bytes of an answer that is streamed, waiting for room.
    package func write(_ bytes: [UInt8]) throws(ExchangeEnded) {
        guard !bytes.isEmpty else { return }
        let isOn: Bool = state.wait { state in
            if state.isCancelled || state.isOver { return false }
            guard state.output.count < Self.room else { return nil }
            state.output.append(bytes)
            resume(&state)
            return true
        }
        guard isOn else { throw ExchangeEnded() }
    }

    /// Sends a few bytes of an answer that is streamed, whether there is room or not.
    package func writeNow(_ bytes: [UInt8]) {
        state.change { state in
            guard !state.isCancelled, !state.isOver else { return }
            state.output.append(bytes)
            resume(&state)
        }
    }

    /// Ends an answer that is streamed.
    package func end() {
        state.change { state in
            state.hasOutputEnded = true
            resume(&state)
        }
    }

    /// Ends an answer that is streamed so that the client sees that it is not whole.
    package func fail() {
        state.change { state in
            state.hasOutputFailed = true
            resume(&state)
        }
    }

    /// Has `body` called, on another thread, when the exchange is given up; at once, if it was.
    package func onCancel(_ body: (@Sendable () -> Void)?) {
        let isCancelled = state.change { state in
            state.onCancel = body
            return state.isCancelled
        }
        if isCancelled { body?() }
    }

    /// Keeps something alive until the request is over, the answer sent or broken off.
    package func hold(_ value: any Sendable) {
        state.change { state in if !state.isOver { state.held.append(value) } }
    }

    /// Notes something for the record of the request, in place of what was noted by that name; nothing secret.
    package func note(_ name: String, _ value: String) {
        state.change { state in
            state.notes.removeAll { $0.name == name }
            state.notes.append((name, value))
        }
    }

    var notes: [(name: String, value: String)] { state.change { $0.notes } }

    package var isCancelled: Bool { state.change { $0.isCancelled } }

    /// Bytes that were sent of the answer's body, and came of the request's.
    package var transferred: (sent: UInt64, received: UInt64) {
        state.change { ($0.outputTotal, $0.inputTotal) }
    }

    package var status: Int? { state.change { $0.response?.status } }

    // MARK: For libmicrohttpd's thread

    /// Takes a piece of the body. False where the client is to be cut off.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        enum Next { case goOn, work, cutOff }
        let next: Next = state.change { state in
            state.inputTotal += UInt64(bytes.count)
            state.pace.moved += bytes.count
            guard !state.isCancelled else { return .cutOff }
            if state.discardsInput {
                return state.inputTotal - state.inputWanted <= Self.discarded ? .goOn : .cutOff
            }
            state.input.append(Array(bytes))
            guard state.hasWorker else { return state.input.count >= Self.held ? .work : .goOn }
            if state.input.count >= Self.room { suspend(&state) }
            return .goOn
        }
        switch next {
        case .goOn: return true
        case .work:
            work()
            return true
        case .cutOff: return false
        }
    }

    /// The body is over: the answer, or nil where it is being worked on.
    func receivedAll() -> HTTPResponse? {
        let (response, needsWorker) = state.change { state in
            state.hasInputEnded = true
            if let response = state.response {
                state.isHandedOver = true
                return (Optional(response), false)
            }
            suspend(&state)
            return (nil, !state.hasWorker)
        }
        if needsWorker { work() }
        return response
    }

    private func work() {
        state.change { $0.hasWorker = true }
        guard startWorker(self) else {
            return respond(HTTPResponse.busy)
        }
    }

    /// Fills `buffer` with what there is to send.
    func produce(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        state.change { state, wakes in
            let before = state.output.count
            let count = state.output.take(into: buffer)
            // Who waits for room is woken once there is some, and not by each piece that goes.
            wakes = before >= Self.room / 2 && state.output.count < Self.room / 2
            state.outputTotal += UInt64(count)
            state.pace.moved += count
            if count > 0 { return count }
            if state.hasOutputFailed || state.isCancelled {
                apus_mhd_break_off(connection)
                return apus_mhd_end_with_error
            }
            if state.hasOutputEnded {
                if head.isOld { apus_mhd_end_connection(connection) }
                return apus_mhd_end_of_stream
            }
            suspend(&state)
            return 0
        }
    }

    /// libmicrohttpd is through with the request; the connection may be gone after this.
    func finish(isWhole: Bool) {
        let (cancel, held) = state.change { state in
            state.isOver = true
            defer { state.held = [] }
            // What libmicrohttpd sends by itself goes out uncounted.
            if isWhole, head.method != "HEAD", let response = state.response {
                state.outputTotal += response.ownCount
            }
            if !state.isHandedOver { state.response?.discard() }
            return (isWhole && state.hasOutputEnded ? nil : Self.cancel(&state), state.held)
        }
        cancel?()
        // Let go of without the lock.
        withExtendedLifetime(held) {}
    }

    // MARK: For whoever watches or stops the server

    /// Has all work on it stop.
    func cancel() {
        let cancel = state.change { state in
            defer { resume(&state) }
            return Self.cancel(&state)
        }
        cancel?()
    }

    /// What is to become of the connection, looked at about once a second.
    ///
    /// - Parameters:
    ///   - isHungUp: whether the client has closed the connection.
    ///   - isAtEnd: whether it has, and all that it sent before has been read.
    func inspect(
        isHungUp: () -> Bool, isAtEnd: () -> Bool, _ options: HTTPServerOptions
    ) -> Verdict {
        state.change { state in
            if state.isOver || state.isCancelled { return .fine }
            // What is not streamed goes out uncounted; one who takes none of it is idle.
            if state.isHandedOver, state.response?.isStreamed == false { return .fine }
            if state.isSuspended {
                state.pace = Pace()
                return isHungUp() ? .gone : .fine
            }
            // Where data and the end of the connection come at once, libmicrohttpd does not see the end.
            if !state.hasInputEnded {
                let hasMoved = state.inputSeen != state.inputTotal
                state.inputSeen = state.inputTotal
                if !hasMoved, isAtEnd() { return .brokenOff }
            }
            return state.pace.isTooSlow(options) ? .slow : .fine
        }
    }

    enum Verdict { case fine, slow, gone, brokenOff }

    private static func cancel(_ state: inout State) -> (@Sendable () -> Void)? {
        guard !state.isCancelled else { return nil }
        state.isCancelled = true
        defer { state.onCancel = nil }
        return state.onCancel
    }

    private func suspend(_ state: inout State) {
        guard !state.isSuspended, !state.isOver else { return }
        state.isSuspended = true
        MHD_suspend_connection(connection)
    }

    private func resume(_ state: inout State) {
        guard state.isSuspended, !state.isOver else { return }
        state.isSuspended = false
        MHD_resume_connection(connection)
    }
}
