import GitCore
import GitServer
import GitStore
import Synchronization

/// One fetch, answered with what was made for somebody who asked the same, or kept for those who will.
final class KeptFetch: PackKeeper {
    private let cache: CacheCore
    private let mirror: Mirror
    private let exchange: HTTPExchange
    private let made = Mutex<Made?>(nil)

    /// What is being made here, and the thread that sends it to the one who asked for it: another than the one
    /// that makes it, which goes on for others if he hangs up.
    private struct Made {
        let key: AnswerKey
        let begun = ContinuousClock.now
        let output: AnswerOutput
        let sender: SystemThread
    }

    init(_ cache: CacheCore, _ mirror: Mirror, _ exchange: HTTPExchange) {
        self.cache = cache
        self.mirror = mirror
        self.exchange = exchange
    }

    func output(forAnswer description: [UInt8]) throws -> (any ServiceOutput)? {
        guard let key = key(description) else { return nil }
        while true {
            switch cache.answers.answer(for: key) {
            case .whole(let answer):
                exchange.note("cache", "hit")
                cache.metrics.sentAgain(key)
                try send(answer)
                return nil
            case .growing(let reader):
                exchange.note("cache", "shared")
                do throws(CacheError) {
                    try exchange.send(reader, Self.stream)
                    return nil
                } catch {
                    // Nobody makes it any more, and nothing of it was sent.
                    if error.code == .again { continue }
                    // In the middle of an answer there is no place for words.
                    exchange.note("error", error.message)
                    throw ExchangeEnded()
                }
            case .missing(let writer):
                // Of a mirror that was removed before this, nobody is to find anything.
                guard cache.mirrors.has(mirror) else { throw Self.removed }
                exchange.note("cache", "made")
                return try begin(writer, key)
            }
        }
    }

    private static var removed: StatusRefusal {
        StatusRefusal(
            HTTPResponse(
                503, text: "The repository is to be fetched anew.",
                headers: [("Retry-After", "1")]
            ).uncached, reason: "the mirror was removed")
    }

    func end() { made.withLock { $0 }?.output.end() }

    func finish(_ failure: (any Error)?) {
        guard let made = made.withLock({ $0.take() }) else { return }
        // The line of the log is written when the answer breaks off.
        if let failure, !(failure is any BeforeAnswer), !(failure is ExchangeEnded) {
            exchange.note("error", "\(failure)")
        }
        made.output.finish(failure)
        if failure == nil { cache.metrics.made(made.key, in: ContinuousClock.now - made.begun) }
        made.sender.join()
    }

    private func key(_ description: [UInt8]) -> AnswerKey? {
        var hasher = PlainHasher(.sha256)
        description.withUnsafeBytes { hasher.update($0) }
        return AnswerKey(
            digest: ByteString(hasher.finalize().rawBytes), repository: mirror.name)
    }

    private static var head: [(name: String, value: String)] {
        [("Content-Type", UploadPackEngine.resultType)] + HTTPResponse.noCache
    }

    private static var stream: HTTPResponse { HTTPResponse(200, headers: head, body: .stream()) }

    private func send(_ answer: WholeAnswer) throws(CacheError) {
        let file = try exchange.descriptor(of: answer)
        exchange.respond(
            HTTPResponse(
                200, headers: Self.head,
                body: .file(descriptor: file, offset: 0, count: answer.size)))
    }

    private func begin(_ writer: AnswerWriter, _ key: AnswerKey) throws -> AnswerOutput {
        let output = AnswerOutput(writer)
        let sender = try exchange.sender(of: writer.reader(), Self.stream) {
            output.lookWhetherWanted()
        }
        made.withLock { $0 = Made(key: key, output: output, sender: sender) }
        return output
    }
}

/// Where the answer goes that is made and kept.
final class AnswerOutput: ServiceOutput {
    private struct State {
        var writer: AnswerWriter?
        var onCancel: (@Sendable () -> Void)?
        var isUnwanted = false
    }

    private let state: Mutex<State>

    init(_ writer: AnswerWriter) { state = Mutex(State(writer: writer)) }

    func send(_ bytes: [UInt8]) throws(ExchangeEnded) {
        guard let writer = state.withLock({ $0.writer }), !writer.abandonIfUnwanted() else {
            throw ExchangeEnded()
        }
        writer.append(bytes)
    }

    func sendNow(_ bytes: [UInt8]) { state.withLock { $0.writer }?.append(bytes) }

    func onCancel(_ body: (@Sendable () -> Void)?) {
        let isUnwanted = state.withLock { state in
            state.onCancel = body
            return state.isUnwanted
        }
        if isUnwanted { body?() }
    }

    var isCancelled: Bool {
        lookWhetherWanted()
        return state.withLock { $0.isUnwanted }
    }

    /// To be called when somebody has stopped to follow.
    func lookWhetherWanted() {
        guard let writer = state.withLock({ $0.writer }), writer.abandonIfUnwanted() else { return }
        let cancel = state.withLock { state -> (@Sendable () -> Void)? in
            state.isUnwanted = true
            return state.onCancel
        }
        cancel?()
    }

    /// The answer is whole; whether it is kept is still open.
    func end() { state.withLock { $0.writer }?.end() }

    /// The answer is whole, or is not to be.
    func finish(_ failure: (any Error)?) {
        guard let writer = state.withLock({ $0.writer.take() }) else { return }
        if let failure {
            writer.abandon(CacheError(.abandoned, "\(failure)"))
        } else {
            writer.finish()
        }
    }
}
