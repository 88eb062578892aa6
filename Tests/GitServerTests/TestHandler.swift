import Synchronization

@testable import GitServer

/// Tells the client what it asked, unless it is told to do otherwise; keeps the records.
final class TestHandler: HTTPHandler {
    private let refusing: @Sendable (RequestHead) -> HTTPResponse?
    private let answering: @Sendable (HTTPExchange) -> Void
    private let kept = Mutex<(answered: Int, records: [HTTPRecord])>((0, []))

    init(_ answer: @escaping @Sendable (HTTPExchange) -> Void = TestHandler.echo) {
        refusing = { _ in nil }
        answering = answer
    }

    init(refuse: @escaping @Sendable (RequestHead) -> HTTPResponse?) {
        refusing = refuse
        answering = TestHandler.echo
    }

    var answered: Int { kept.withLock { $0.answered } }
    var records: [HTTPRecord] { kept.withLock { $0.records } }

    func refuse(_ head: RequestHead) -> HTTPResponse? { refusing(head) }

    func answer(_ exchange: HTTPExchange) {
        kept.withLock { $0.answered += 1 }
        answering(exchange)
    }

    func finished(_ record: HTTPRecord) { kept.withLock { $0.records.append(record) } }

    /// `METHOD TARGET BODY`
    @Sendable static func echo(_ exchange: HTTPExchange) {
        var body: [UInt8] = []
        do {
            while let piece = try exchange.read() { body += piece }
        } catch { return }
        let head = exchange.head
        let start = Array("\(head.method) ".utf8) + head.rawTarget.bytes + [0x20]
        exchange.respond(HTTPResponse(200, body: .bytes(start + body)))
    }
}

extension HTTPServer {
    /// One for a test, with a handler.
    static func test(
        _ handler: TestHandler = TestHandler(),
        _ change: (inout HTTPServerOptions) -> Void = { _ in }
    ) throws -> HTTPServer {
        var options = HTTPServerOptions()
        change(&options)
        return try HTTPServer(options, handler)
    }
}
