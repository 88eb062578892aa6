import GitServer
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A part of an answer that is still being made, as a client asked for it.
struct AnswerPart: Sendable {
    let range: Range<UInt64>
    /// The head that goes before it, in place of that of the whole.
    let response: HTTPResponse
}

/// How kept answers get to clients.
extension HTTPExchange {
    /// Bytes that are sent at a time.
    private static var portion: Int { 256 << 10 }
    /// For how long a part is waited for, in milliseconds: clients give up where they hear nothing for half a
    /// minute.
    private static var patience: Int { 10_000 }

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
    /// - Parameters:
    ///   - response: goes out first, once it is known that something comes, or that nothing does.
    ///   - part: is sent in place of the whole, if it begins to come soon.
    /// - Throws: ``CacheError/Code/again`` where nothing was sent and the same can be asked anew; other errors
    ///   in the middle of an answer.
    func send(
        _ reader: AnswerReader, _ response: HTTPResponse, _ part: AnswerPart? = nil
    ) throws(CacheError) {
        onCancel { reader.cancel() }
        defer { onCancel(nil) }
        if let part, reader.skip(to: part.range.lowerBound, within: Self.patience) {
            do throws(CacheError) { return try send(reader, part) } catch {
                guard status == nil, error.code == .abandoned else { throw error }
                throw CacheError(.again, error.message, cause: error.cause)
            }
        }
        while true {
            let piece = try reader.next(upTo: Self.portion)
            respond(response)
            if piece.isEmpty { return }
            try send(piece)
        }
    }

    /// The last piece goes out when the whole answer has come to a good end: who has only a part of it cannot see
    /// whether it is right.
    private func send(_ reader: AnswerReader, _ part: AnswerPart) throws(CacheError) {
        var left = part.range.upperBound - part.range.lowerBound
        while left > 0 {
            let piece = try reader.next(upTo: Int(min(left, UInt64(Self.portion))))
            if piece.isEmpty { return }
            left -= UInt64(piece.count)
            if left == 0 { while try !reader.next(upTo: Self.portion).isEmpty {} }
            respond(part.response)
            try send(piece)
        }
    }

    private func send(_ piece: [UInt8]) throws(CacheError) {
        do throws(ExchangeEnded) { try write(piece) } catch {
            throw CacheError(.cancelled, "the client is gone")
        }
    }

    /// The same on a thread of its own, and ends the answer: another one makes it, and goes on for others if this
    /// client hangs up.
    ///
    /// - Parameter hasEnded: called when nothing more is sent.
    func sender(
        of reader: AnswerReader, _ response: HTTPResponse, _ part: AnswerPart? = nil,
        hasEnded: @escaping @Sendable () -> Void = {}
    ) throws(StoreError) -> SystemThread {
        try SystemThread { [self] in
            do throws(CacheError) {
                try send(reader, response, part)
                end()
            } catch {
                // Where nothing was sent, another answer may be.
                if error.code != .again { fail() }
            }
            hasEnded()
        }
    }
}
