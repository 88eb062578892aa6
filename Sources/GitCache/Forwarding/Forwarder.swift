import GitClient
import GitCore
import GitServer
import GitStore

/// Passes requests on to upstream, and its answers back, as if there were no cache: all that is no fetch.
struct Forwarder: Sendable {
    let sender: UpstreamSender
    private let key: IdentityKey

    init(_ sender: UpstreamSender, _ key: IdentityKey) {
        self.sender = sender
        self.key = key
    }

    /// Methods that a proxy must not pass on without understanding them, or that echo a client's secrets.
    static let refusedMethods = ["CONNECT", "TRACE"]

    /// Bytes of an answer's body that are read to change it.
    static let largestRevised = 4 << 20

    /// Answers `exchange` with what upstream answers.
    ///
    /// - Parameter reviser: may change it on the way.
    /// - Throws: `ExchangeEnded` where the client is gone, or its answer has to be broken off;
    ///   ``StatusRefusal`` where there is nothing to pass on.
    func forward(
        _ exchange: HTTPExchange, to host: UpstreamHost, _ path: [ByteString],
        revising reviser: (any AnswerReviser)? = nil
    ) throws {
        exchange.note("cache", "forwarded")
        try admit(exchange, host)
        var request = try Self.request(exchange, host, path)
        request.isRead = reviser != nil
        guard let upload = request.upload else {
            let body = try Self.smallBody(exchange)
            return try pass(
                request, .bytes(body), host, exchange, HeldAnswer(exchange, isOpen: true), reviser)
        }
        let answer = HeldAnswer(exchange, isOpen: false)
        // Before anything is answered: an answer has the server drop what the client still sends, and the
        // rest of a body must not be taken for its end.
        defer { upload.close() }
        try SystemThread {
            Self.send(exchange, upload)
            answer.open()
        }.detach()
        try pass(request, .upload(upload), host, exchange, answer, reviser)
        upload.close()
        answer.open()
    }

    /// The same of a request whose body was read, and decoded.
    func forward(
        _ exchange: HTTPExchange, _ body: [UInt8], to host: UpstreamHost, _ path: [ByteString]
    ) throws {
        try admit(exchange, host)
        var request = try Self.request(exchange, host, path)
        request.isDecoded = true
        try pass(request, .bytes(body), host, exchange, HeldAnswer(exchange, isOpen: true))
    }

    private func client(_ exchange: HTTPExchange) -> ClientIdentity {
        ClientCredentials(exchange.head.headers, key).identity
    }

    /// What upstream is not to be asked for now is answered before anything is read.
    private func admit(_ exchange: HTTPExchange, _ host: UpstreamHost) throws {
        try UpstreamFailure.passingOn { try sender.admit(host, client(exchange)) }
    }

    private static func request(
        _ exchange: HTTPExchange, _ host: UpstreamHost, _ path: [ByteString]
    ) throws(StatusRefusal) -> ForwardedRequest {
        do throws(ClientError) {
            return try ForwardedRequest(exchange.head, host, path)
        } catch {
            throw StatusRefusal(
                GitServer.HTTPResponse(414, text: "The URL is too long.").uncached,
                reason: "the URL is too long")
        }
    }

    /// At most ``ForwardedRequest/smallBody`` bytes. What comes with a HEAD, of whatever length, is dropped.
    private static func smallBody(_ exchange: HTTPExchange) throws(ExchangeEnded) -> [UInt8] {
        guard exchange.head.bodyLength != .none else { return [] }
        var body: [UInt8] = []
        while let piece = try exchange.read() {
            if exchange.head.method != "HEAD" { body += piece }
        }
        return body
    }

    /// Hands the client's body on as it comes.
    private static func send(_ exchange: HTTPExchange, _ upload: HTTPUpload) {
        do throws(ExchangeEnded) {
            while let piece = try exchange.read() {
                guard upload.write(piece) else { return }
            }
            upload.finish()
        } catch {
            upload.fail()
        }
    }

    private func pass(
        _ request: ForwardedRequest, _ body: HTTPRequest.Body, _ host: UpstreamHost,
        _ exchange: HTTPExchange, _ answer: HeldAnswer, _ reviser: (any AnswerReviser)? = nil
    ) throws {
        try failing(exchange, answer) {
            let sent = request.request(body)
            let isGone = { exchange.isCancelled }
            let client = client(exchange)
            let response = try Blocking.run(isGone: isGone) { [sender] in
                try await sender.send(sent, to: host, of: client)
            }
            let forwarded = ForwardedAnswer(response, to: request.url, of: host)
            if let reviser, reviser.begins(response) {
                try Self.pass(response, forwarded, to: answer, isGone, reviser)
            } else {
                try Self.pass(response, forwarded, to: answer, isGone)
            }
        }
    }

    /// Answers `exchange` with an answer that upstream has given.
    ///
    /// - Throws: as ``forward(_:to:_:revising:)``.
    func pass(
        _ response: GitClient.HTTPResponse, to url: GitURL, of host: UpstreamHost,
        _ exchange: HTTPExchange
    ) throws {
        let answer = HeldAnswer(exchange, isOpen: true)
        try failing(exchange, answer) {
            try Self.pass(
                response, ForwardedAnswer(response, to: url, of: host), to: answer,
                { exchange.isCancelled })
        }
    }

    /// Has what goes wrong become what the client is to see of it.
    private func failing(
        _ exchange: HTTPExchange, _ answer: HeldAnswer, _ body: () throws -> Void
    ) throws {
        do { try body() } catch let ended as ExchangeEnded {
            throw ended
        } catch {
            let reason = Self.reason(error)
            guard answer.drop(), !exchange.isCancelled else {
                exchange.note("error", reason)
                throw ExchangeEnded()
            }
            throw StatusRefusal(failure: error, reason: reason)
        }
    }

    private static func pass(
        _ response: GitClient.HTTPResponse, _ forwarded: ForwardedAnswer, to answer: HeldAnswer,
        _ isGone: () -> Bool
    ) throws {
        answer.begin(try forwarded.requiredHead)
        try pass(response.body, of: forwarded.length, to: answer, isGone)
    }

    /// The same, with a body that is read first; one that is too large goes on as it comes.
    private static func pass(
        _ response: GitClient.HTTPResponse, _ forwarded: ForwardedAnswer, to answer: HeldAnswer,
        _ isGone: () -> Bool, _ reviser: any AnswerReviser
    ) throws {
        let head = try forwarded.requiredHead
        var start: [UInt8] = []
        while let piece = try Blocking.run(isGone: isGone, { try await response.body.next() }) {
            start += piece
            guard start.count <= largestRevised else {
                answer.begin(head)
                try answer.send(start)
                return try pass(
                    response.body, of: forwarded.length, after: start.count, to: answer, isGone)
            }
        }
        let revised = reviser.revised(start)
        answer.begin(revised.map { head.withBody(of: $0.count) } ?? head)
        try answer.send(revised ?? start)
    }

    private static func pass(
        _ body: any HTTPBodyStream, of length: UInt64?, after start: Int = 0,
        to answer: HeldAnswer, _ isGone: () -> Bool
    ) throws {
        var count = UInt64(start)
        while true {
            let piece: [UInt8]?
            do { piece = try Blocking.run(isGone: isGone) { try await body.next() } } catch {
                // Who refuses a body may answer, and take no more of it.
                if count == length { return }
                throw error
            }
            guard let piece else { return }
            count += UInt64(piece.count)
            try answer.send(piece)
        }
    }

    /// Without the URL, whose query may hold a secret.
    static func reason(_ error: any Error) -> String {
        guard let error = error as? ClientError else { return "\(error)" }
        return error.message.split(separator: "': ").last.map(String.init) ?? "\(error)"
    }
}

extension ForwardedAnswer {
    fileprivate var requiredHead: GitServer.HTTPResponse {
        get throws(ClientError) {
            guard let head else {
                throw ClientError(
                    .protocolError, "the answer's status is one that is not passed on")
            }
            return head
        }
    }
}

extension GitServer.HTTPResponse {
    /// The same of another body, without what is true of that one alone.
    fileprivate func withBody(of count: Int) -> Self {
        var head = self
        head.body = .stream(count: UInt64(count))
        head.headers.removeAll {
            ["etag", "content-md5", "digest", "content-digest", "repr-digest"].contains($0.name)
        }
        return head
    }
}

extension StatusRefusal {
    /// What is between this machine and upstream is no client's business.
    init(failure: any Error, reason: String) {
        let isLate = (failure as? ClientError)?.isTimeout == true
        let response =
            isLate
            ? GitServer.HTTPResponse(504, text: "The upstream did not answer in time.")
            : GitServer.HTTPResponse(502, text: "The upstream cannot be reached.")
        self.init(response.uncached, reason: reason)
    }
}
