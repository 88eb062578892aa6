import GitCore
import Synchronization

/// The status and headers of an answer.
struct HTTPHead: Sendable {
    let status: Int
    let headers: HTTPHeaders
}

/// One request on its way: what libcurl's thread puts in, and a reader takes out.
///
/// The body's buffer holds ``HTTPLimits/bufferedBody`` at most; when it is full the thread is told to
/// pause, and the reader that takes from it, to resume.
final class CurlTransfer: Sendable {
    let request: HTTPRequest
    /// Whether an address was not connected to because it is one of the own network.
    let hasRefusedAddress = Atomic(false)
    private let state = Mutex(State())

    init(_ request: HTTPRequest) { self.request = request }

    typealias HeadResult = Result<HTTPHead, ClientError>

    struct Read: Sendable {
        let bytes: Result<[UInt8]?, ClientError>
        /// The transfer paused for want of room, and now there is room.
        var hasRoom = false
    }

    fileprivate struct State {
        var collector = HTTPHeadCollector()
        var head: HTTPHead?
        var buffer: [UInt8] = []
        /// How many bytes the reader got last: the next will be about as many.
        var lastRead = 0
        var isPaused = false
        var outcome: Result<Void, ClientError>?
        var headWaiter: CheckedContinuation<HeadResult, Never>?
        var bodyWaiter: CheckedContinuation<Read, Never>?
    }

    var isFinished: Bool { state.withLock { $0.outcome != nil } }

    /// Whether anything of an answer came.
    var hasAnswer: Bool { state.withLock { $0.head != nil || $0.collector.hasStarted } }

    // MARK: the reader's side

    func head() async -> HeadResult {
        await withCheckedContinuation { waiter in
            let ready = state.withLock { state -> HeadResult? in
                if let ready = state.headResult { return ready }
                state.headWaiter = waiter
                return nil
            }
            if let ready { waiter.resume(returning: ready) }
        }
    }

    func read() async -> Read {
        await withCheckedContinuation { waiter in
            let ready = state.withLock { state -> Read? in
                if let ready = state.takeBody() { return ready }
                guard state.bodyWaiter == nil else {
                    return Read(
                        bytes: .failure(ClientError(.invalid, "two tasks read one HTTP body")))
                }
                state.bodyWaiter = waiter
                return nil
            }
            if let ready { waiter.resume(returning: ready) }
        }
    }

    // MARK: the thread's side

    /// One header line, its line end included. False gives up the transfer.
    func receive(headerLine line: UnsafeRawBufferPointer) -> Bool {
        let failure = state.withLock { state -> ClientError? in
            // What follows the body are trailers, which are not used.
            guard state.head == nil else { return state.collector.count(line.count) }
            return state.collector.add(line)
        }
        guard let failure else { return true }
        finish(.failure(failure))
        return false
    }

    enum Receipt { case taken, paused, refused }

    /// Puts bytes of the body into the buffer; ``deliver()`` wakes who waits for them.
    func receive(body bytes: UnsafeRawBufferPointer) -> Receipt {
        state.withLock { state in
            guard state.outcome == nil else { return .refused }
            state.completeHead()
            let hasRoom = state.buffer.count + bytes.count <= HTTPLimits.bufferedBody
            guard hasRoom || state.buffer.isEmpty else {
                state.isPaused = true
                return .paused
            }
            if state.buffer.isEmpty { state.buffer.reserveCapacity(state.lastRead) }
            state.buffer.append(contentsOf: bytes)
            return .taken
        }
    }

    /// Wakes whoever waits for what is there. libcurl gives the body in small pieces: to call this
    /// once for all that came is cheaper than for each.
    func deliver() {
        let wake = state.withLock { $0.takeWake() }
        wake.run()
    }

    /// Says how the transfer ended, unless it had ended before: then it is false.
    @discardableResult
    func finish(_ outcome: Result<Void, ClientError>) -> Bool {
        let wake = state.withLock { state -> Wake? in
            guard state.outcome == nil else { return nil }
            if case .success = outcome { state.completeHead() }
            state.outcome = outcome
            if case .failure(let error) = outcome, error.code == .cancelled { state.buffer = [] }
            return state.takeWake()
        }
        if wake != nil, case .upload(let upload) = request.body { upload.close() }
        wake?.run()
        return wake != nil
    }

    /// Those who waited and what they get, resumed when the lock is no longer held.
    fileprivate struct Wake {
        var head: (CheckedContinuation<HeadResult, Never>, HeadResult)?
        var body: (CheckedContinuation<Read, Never>, Read)?

        func run() {
            if let (waiter, result) = head { waiter.resume(returning: result) }
            if let (waiter, read) = body { waiter.resume(returning: read) }
        }
    }
}

extension CurlTransfer.State {
    fileprivate var headResult: CurlTransfer.HeadResult? {
        if let head { return .success(head) }
        switch outcome {
        case .failure(let error): return .failure(error)
        case .success:
            return .failure(ClientError(.protocolError, "the server's answer has no headers"))
        case nil: return nil
        }
    }

    fileprivate mutating func completeHead() {
        if head == nil { head = collector.head }
    }

    /// What a reader gets now; nil where it has to wait.
    fileprivate mutating func takeBody() -> CurlTransfer.Read? {
        if !buffer.isEmpty {
            let bytes = buffer
            let hasRoom = isPaused
            lastRead = buffer.count
            buffer = []
            isPaused = false
            return CurlTransfer.Read(bytes: .success(bytes), hasRoom: hasRoom)
        }
        switch outcome {
        case .success: return CurlTransfer.Read(bytes: .success(nil))
        case .failure(let error): return CurlTransfer.Read(bytes: .failure(error))
        case nil: return nil
        }
    }

    fileprivate mutating func takeWake() -> CurlTransfer.Wake {
        var wake = CurlTransfer.Wake()
        if let waiter = headWaiter, let result = headResult {
            wake.head = (waiter, result)
            headWaiter = nil
        }
        if let waiter = bodyWaiter, let read = takeBody() {
            wake.body = (waiter, read)
            bodyWaiter = nil
        }
        return wake
    }
}
