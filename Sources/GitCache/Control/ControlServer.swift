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

/// Answers at the socket `STORE/control`: one request after the other, on a thread of its own.
final class ControlServer: Sendable {
    /// Does what is asked for, telling it line by line; false from `tell` when nobody hears it any more.
    typealias Answer =
        @Sendable (ControlRequest, _ tell: (String) -> Bool) throws(CacheError) -> Void

    private let folder: ByteString
    private let hasEnded = Atomic(false)
    private let isDone = Monitor(false)

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
        let listener = OpenFile(try ControlSocket.listen(in: folder))
        do throws(StoreError) {
            try SystemThread { [self] in
                serve(listener.file, answer)
                isDone.change { $0 = true }
            }.detach()
        } catch { throw CacheError(error) }
    }

    /// Whether what is being done is to stop.
    var isStopping: Bool { hasEnded.load(ordering: .relaxed) }

    /// Answers nobody any more; to be called before the store's lock is given back.
    func stop() {
        hasEnded.store(true, ordering: .relaxed)
        _ = isDone.wait(milliseconds: Self.grace) { $0 }
        try? FileSystem.remove(folder / ControlSocket.name)
    }

    private func serve(_ listener: borrowing File, _ answer: Answer) {
        var waiting = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
        while !isStopping {
            guard poll(&waiting, 1, Self.interval) > 0 else { continue }
            guard let connection = ControlSocket.accept(listener) else {
                // No descriptor is left, say.
                usleep(UInt32(Self.interval) * 1_000)
                continue
            }
            serveOne(connection, answer)
        }
    }

    private func serveOne(_ connection: borrowing File, _ answer: Answer) {
        guard ControlSocket.isOwn(connection) else { return }
        ControlSocket.setPatience(connection, sending: Self.answerTime, receiving: Self.answerTime)
        var reader = LineReader(limit: ControlRequest.longestLine)
        let deadline = ContinuousClock.now + Self.requestTime
        let end: ControlLine
        switch reader.next(from: connection, by: deadline) {
        case .end: return
        case .tooLong: end = .error("the request is too long")
        case .line(let line): end = run(line, connection, answer)
        }
        _ = ControlSocket.send(end.bytes, on: connection)
        // Who still sends when the connection is closed does not get to hear it.
        reader.drain(connection, by: .now + Self.requestTime)
    }

    private func run(
        _ line: [UInt8], _ connection: borrowing File, _ answer: Answer
    ) -> ControlLine {
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
