import GitClient
import GitCore
import GitServer
import GitStore
import Synchronization

/// One request for an LFS object by who has a batch's token: answered with what is kept, with what is being
/// fetched for somebody else, or from upstream.
///
/// It is kept among the answers, by repository and SHA-256. An object whose SHA-256 is another than its name is
/// given to nobody to its end.
final class LFSObject: Sendable {
    private let core: CacheCore
    private let exchange: HTTPExchange
    private let address: RepositoryAddress
    private let oid: ObjectID
    private let token: ByteString

    init(
        _ core: CacheCore, _ exchange: HTTPExchange, _ address: RepositoryAddress, _ oid: ObjectID,
        _ token: ByteString
    ) {
        self.core = core
        self.exchange = exchange
        self.address = address
        self.oid = oid
        self.token = token
    }

    /// - Throws: `StatusRefusal`, `ExchangeEnded`.
    func answer() throws {
        exchange.note("service", "lfs")
        let grant = try grant()
        if !grant.isFresh {
            do { try renew(grant) } catch { return try answer(grant, failure: error) }
        }
        let range = FileRange(
            exchange.head, size: grant.download.size, tag: ByteString(tag))
        if range == .unsatisfiable { return exchange.respond(response(range, grant)) }
        while true {
            let grant = try self.grant()
            guard let key else { throw CacheError(.invalid, "no key") }
            switch core.answers.answer(for: key) {
            case .whole(let answer):
                exchange.note("cache", "hit")
                core.metrics.sentAgain(key)
                return try send(answer)
            case .growing(let reader):
                exchange.note("cache", "shared")
                if try follow(reader, grant, range) { return }
            case .missing(let writer):
                // If it was withdrawn before this was begun, it is for nobody.
                let grant = try self.grant()
                exchange.note("cache", "made")
                let begun = ContinuousClock.now
                try fetch(writer, grant, range) { [core] in
                    core.metrics.made(key, in: ContinuousClock.now - begun)
                }
                return
            }
        }
    }

    /// LFS clients ask for a new batch then.
    private func grant() throws(StatusRefusal) -> LFSGrant {
        if let grant = core.lfsGrants.find(token, oid, address) { return grant }
        throw StatusRefusal(
            GitServer.HTTPResponse(
                403, text: "The right to download this is over: ask for a new batch."
            )
            .uncached, reason: "there is no such grant")
    }

    /// Asks upstream whether it lets the client in.
    private func renew(_ grant: LFSGrant) throws {
        let isGone = { [exchange] in exchange.isCancelled }
        try LFSFetch(grant, core.forwarder.sender).ask(isGone: isGone)
        core.lfsGrants.renew(token, oid)
    }

    private var tag: String { "\"\(oid)\"" }

    private var key: AnswerKey? {
        var hasher = PlainHasher(.sha256)
        hasher.update(Array("lfs\0".utf8) + oid.rawBytes)
        return AnswerKey(
            digest: ByteString(hasher.finalize().rawBytes), repository: address.mirror)
    }

    // MARK: To the client

    private static var head: [(name: String, value: String)] {
        [("Content-Type", "application/octet-stream")] + GitServer.HTTPResponse.noCache
    }

    private func send(_ answer: WholeAnswer) throws(CacheError) {
        let file = try exchange.descriptor(of: answer)
        exchange.respond(
            GitServer.HTTPResponse(
                file: file, size: answer.size, tag: tag, for: exchange.head,
                headers: Self.head))
    }

    /// Sends what somebody else fetches. False where that has come to nothing before its first byte.
    private func follow(
        _ reader: AnswerReader, _ grant: LFSGrant, _ range: FileRange
    ) throws -> Bool {
        do throws(CacheError) {
            try exchange.send(reader, response(.whole, grant), part(range, grant))
            return true
        } catch {
            if error.code == .again { return false }
            exchange.note("error", error.message)
            throw ExchangeEnded()
        }
    }

    /// The head of an answer whose bytes are still coming.
    private func response(_ range: FileRange, _ grant: LFSGrant) -> GitServer.HTTPResponse {
        GitServer.HTTPResponse(
            range, of: grant.download.size, tag: tag, headers: Self.head
        ) { part in .stream(count: part.upperBound - part.lowerBound) }
    }

    /// nil where the whole is asked for.
    private func part(_ range: FileRange, _ grant: LFSGrant) -> AnswerPart? {
        guard case .part(let bytes) = range else { return nil }
        return AnswerPart(range: bytes, response: response(range, grant))
    }

    // MARK: From upstream

    /// Fetches the object for all who follow. This thread fetches and another one sends to the client, so that
    /// if it hangs up, the fetch goes on for others.
    private func fetch(
        _ writer: AnswerWriter, _ grant: LFSGrant, _ range: FileRange, isMade: () -> Void
    ) throws {
        let sender = try exchange.sender(
            of: writer.reader(), response(.whole, grant), part(range, grant))
        do {
            try LFSFetch(grant, core.forwarder.sender).run(writer, core.metrics)
            writer.finish()
            isMade()
            sender.join()
        } catch {
            writer.abandon(
                CacheError(.abandoned, "the object did not come", cause: error as? CacheError))
            sender.join()
            try answer(grant, failure: error)
        }
    }

    /// Nobody has it from here. Whom upstream refuses it tells so; where else the object is, the client
    /// may be let in by itself.
    private func answer(_ grant: LFSGrant, failure: any Error) throws {
        let reason = Forwarder.reason(failure)
        exchange.note("error", reason)
        if exchange.status != nil || exchange.isCancelled { throw ExchangeEnded() }
        guard grant.isAtUpstream else {
            exchange.note("cache", "passed")
            return exchange.respond(
                GitServer.HTTPResponse(
                    307, text: "The object is elsewhere.",
                    headers: [("Location", grant.download.url.connectionText.printable)]
                ).uncached)
        }
        if let failure = failure as? UpstreamFailure {
            return try UpstreamFailure.passingOn { throw failure }
        }
        if (failure as? CacheError)?.code == .damaged {
            throw StatusRefusal(
                GitServer.HTTPResponse(502, text: "The upstream's object is another one.").uncached,
                reason: reason)
        }
        guard let refused = failure as? LFSFetch.Refused else {
            throw StatusRefusal(failure: failure, reason: reason)
        }
        if UpstreamFailure.refusals.contains(refused.response.status) {
            core.forget(address, grant.client)
        }
        exchange.note("cache", "forwarded")
        try core.forwarder.pass(
            refused.response, to: grant.download.url, of: address.host, exchange)
    }
}
