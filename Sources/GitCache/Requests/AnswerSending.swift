import GitServer
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// How kept answers get to clients.
extension HTTPExchange {
    /// Bytes that are sent at a time.
    private static var portion: Int { 256 << 10 }

    /// A file descriptor of a kept answer, for a body that closes it. Until the answer is sent it takes room on
    /// the disk.
    func descriptor(of answer: WholeAnswer) throws(CacheError) -> Int32 {
        let copy = fcntl(answer.descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw CacheError(.store, "no file descriptor is left") }
        hold(answer)
        return copy
    }

    /// Sends what comes until there is no more.
    ///
    /// - Parameter response: goes out first, once it is known that something comes, or that nothing does.
    /// - Throws: ``CacheError/Code/again`` where nothing was sent and the same can be asked anew; other errors
    ///   in the middle of an answer.
    func send(_ reader: AnswerReader, _ response: HTTPResponse) throws(CacheError) {
        onCancel { reader.cancel() }
        defer { onCancel(nil) }
        while true {
            let piece = try reader.next(upTo: Self.portion)
            respond(response)
            if piece.isEmpty { return }
            do throws(ExchangeEnded) { try write(piece) } catch {
                throw CacheError(.cancelled, "the client is gone")
            }
        }
    }

    /// The same on a thread of its own: another one makes the answer, and goes on for others if this client
    /// hangs up.
    ///
    /// - Parameter hasEnded: called when nothing more is sent.
    func sender(
        of reader: AnswerReader, _ response: HTTPResponse,
        hasEnded: @escaping @Sendable () -> Void = {}
    ) throws(StoreError) -> SystemThread {
        try SystemThread { [self] in
            do throws(CacheError) { try send(reader, response) } catch {
                // Where nothing was sent, another answer may be.
                if error.code != .again { fail() }
            }
            hasEnded()
        }
    }
}
