import GitStore
import TestSupport
import Testing

@testable import GitServer

/// Answers that break off in the middle. Of the connections of one thread, libmicrohttpd by itself closes the
/// one that has waited the longest, and forgets any other until something happens.
@Suite(.timeLimit(.minutes(10))) struct BreakOffTests {
    private static let limit: Duration = .seconds(10)

    @Test(arguments: [nil, UInt64(1_000)])
    func closesItsConnectionWhateverElseIsOpen(count: UInt64?) throws {
        let isBroken = Monitor(false)
        let handler = TestHandler { exchange in
            guard exchange.head.rawTarget == "/broken" else { return TestHandler.echo(exchange) }
            exchange.respond(HTTPResponse(200, body: .stream(count: count)))
            exchange.writeNow(Array("abc".utf8))
            isBroken.wait { $0 ? () : nil }
            exchange.fail()
        }
        let server = try HTTPServer.test(handler)
        defer {
            isBroken.change { $0 = true }
            server.stop(grace: .zero)
        }
        // They stay open, and are older.
        let idle = try (0 ..< 8).map { _ in
            let client = try RawClient(server.port)
            client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.response().status == 200)
            return client
        }
        let client = try RawClient(server.port)
        client.send("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.response(toHead: true).status == 200)
        let began = ContinuousClock.now
        isBroken.change { $0 = true }
        let rest = String(decoding: try client.rest(), as: UTF8.self)
        #expect(rest.contains("abc") && !rest.hasSuffix("0\r\n\r\n"))
        #expect(eventually { server.connections == idle.count })
        #expect(ContinuousClock.now - began < Self.limit)
        #expect(handler.records.last?.isWhole == false)
    }

    /// HTTP/1.0 knows the end of an answer by that of its connection.
    @Test func endsAnAnswerOfUnknownLengthWhateverElseIsOpen() throws {
        let handler = TestHandler { exchange in
            guard exchange.head.rawTarget == "/long" else { return TestHandler.echo(exchange) }
            exchange.respond(HTTPResponse(200, body: .stream()))
            exchange.writeNow([UInt8](repeating: 0x61, count: 1_000_000))
            exchange.end()
        }
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        let idle = try RawClient(server.port)
        idle.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try idle.response().status == 200)
        for _ in 0 ..< 100 {
            let began = ContinuousClock.now
            let client = try RawClient(server.port)
            client.send("GET /long HTTP/1.0\r\n\r\n")
            #expect(try client.rest().count > 1_000_000)
            try #require(ContinuousClock.now - began < Self.limit)
        }
    }

    /// Also of those that fail at once, and at the same time.
    @Test func closesManyAtOnce() throws {
        let handler = TestHandler { exchange in
            exchange.respond(HTTPResponse(200, body: .stream()))
            exchange.writeNow(Array("abc".utf8))
            exchange.fail()
        }
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        let began = ContinuousClock.now
        for _ in 0 ..< 20 {
            let clients = try (0 ..< 8).map { _ in try RawClient(server.port) }
            for client in clients { client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n") }
            for client in clients {
                let rest = String(decoding: try client.rest(), as: UTF8.self)
                #expect(!rest.hasSuffix("0\r\n\r\n"))
                try #require(ContinuousClock.now - began < Self.limit)
            }
        }
    }
}
