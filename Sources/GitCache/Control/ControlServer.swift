import GitCore
import GitStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Answers at the socket `STORE/control`: each request on a thread of its own, a few at once.
final class ControlServer: Sendable {
    /// Does what is asked for, telling it line by line; false from `tell` when nobody hears it any more.
    typealias Answer =
        @Sendable (ControlRequest, _ tell: (String) -> Bool) throws(CacheError) -> Void

    private struct State {
        var isListening = true
        /// Requests that are being answered.
        var requests = 0
    }

    private let folder: ByteString
    private let answer: Answer
    private let hasEnded = Atomic(false)
    private let state = Monitor(State())

    /// Requests that are answered at once.
    private static let most = 8

    /// How long somebody may take for a request.
    private static let requestTime: Duration = .seconds(5)
    /// How long he may take nothing of an answer, in seconds.
    private static let answerTime = 10
    /// How often is looked for whether to stop, in milliseconds.
    private static let interval: Int32 = 200
    /// How long an end waits for what is being done, in milliseconds.
    private static let grace = 5_000

    /// To be made with the store's lock held.
    init(in folder: ByteString, _ answer: @escaping Answer) throws(CacheError) {
        self.folder = folder
        self.answer = answer
        let listener = OpenFile(try ControlSocket.listen(in: folder))
        do throws(StoreError) {
            try SystemThread { [self] in
                serve(listener.file)
                state.change { $0.isListening = false }
            }.detach()
        } catch { throw CacheError(error) }
    }

    /// Whether what is being done is to stop.
    var isStopping: Bool { hasEnded.load(ordering: .relaxed) }

    /// Answers nobody any more; to be called before the store's lock is given back.
    func stop() {
        hasEnded.store(true, ordering: .relaxed)
        _ = state.wait(milliseconds: Self.grace) { !$0.isListening && $0.requests == 0 }
        try? FileSystem.remove(folder / ControlSocket.name)
    }

    private func serve(_ listener: borrowing File) {
        var waiting = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
        while !isStopping {
            guard poll(&waiting, 1, Self.interval) > 0 else { continue }
            guard let connection = ControlSocket.accept(listener) else {
                // No descriptor is left, say.
                usleep(UInt32(Self.interval) * 1_000)
                continue
            }
            begin(OpenFile(connection))
        }
    }

    private func begin(_ connection: OpenFile) {
        guard ControlSocket.isOwn(connection.file) else { return }
        ControlSocket.setPatience(
            connection.file, sending: Self.answerTime, receiving: Self.answerTime)
        let isOne = state.change { state in
            guard state.requests < Self.most else { return false }
            state.requests += 1
            return true
        }
        guard isOne else { return refuse(connection.file) }
        do throws(StoreError) {
            try SystemThread { [self] in
                serveOne(connection.file)
                state.change { $0.requests -= 1 }
            }.detach()
        } catch {
            state.change { $0.requests -= 1 }
            refuse(connection.file)
        }
    }

    private func refuse(_ connection: borrowing File) {
        let end = ControlLine.error("the cache is busy with other commands")
        _ = ControlSocket.send(end.bytes, on: connection)
    }

    private func serveOne(_ connection: borrowing File) {
        var reader = LineReader(limit: ControlRequest.longestLine)
        let deadline = ContinuousClock.now + Self.requestTime
        let end: ControlLine
        switch reader.next(from: connection, by: deadline) {
        case .end: return
        case .tooLong: end = .error("the request is too long")
        case .line(let line): end = run(line, connection)
        }
        _ = ControlSocket.send(end.bytes, on: connection)
        // Who still sends when the connection is closed does not get to hear it.
        reader.drain(connection, by: .now + Self.requestTime)
    }

    private func run(_ line: [UInt8], _ connection: borrowing File) -> ControlLine {
        // SAFETY: a closure cannot borrow the connection; it is open until this returns.
        let other = connection.descriptor
        do throws(CacheError) {
            var isHeard = true
            try answer(try ControlRequest(parsing: line)) { text in
                isHeard = isHeard && ControlSocket.send(ControlLine.text(text).bytes, to: other)
                return isHeard && !isStopping
            }
            return .ok
        } catch { return .error(error.message) }
    }
}
