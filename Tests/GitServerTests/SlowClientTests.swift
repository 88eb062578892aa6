import Synchronization
import TestSupport
import Testing

@testable import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Clients that take their time, or go away.
@Suite(.timeLimit(.minutes(10))) struct SlowClientTests {
    /// One that ends slow clients within a few seconds.
    private func strict(_ handler: TestHandler = TestHandler()) throws -> HTTPServer {
        try HTTPServer.test(handler) { options in
            options.headTime = .seconds(2)
            options.minimumPace = 1_000
            options.paceWindow = .seconds(1)
        }
    }

    /// Sends a byte now and then until the server has had enough; says whether that came.
    private func trickle(_ client: RawClient) -> Bool {
        eventually {
            usleep(100_000)
            return !client.send("x")
        }
    }

    @Test func endsAHeadThatNeverEnds() throws {
        let handler = TestHandler()
        let server = try strict(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send("GET /a HTTP/1.1\r\nHost: x\r\nX: ")
        #expect(trickle(client) && handler.answered == 0)
        #expect(eventually { server.connections == 0 })
    }

    @Test func endsIdleConnections() throws {
        let server = try strict()
        defer { server.stop(grace: .zero) }
        let silent = try RawClient(server.port)
        let used = try RawClient(server.port)
        used.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try used.response().status == 200)
        #expect(try silent.rest() == [])
        #expect(try used.rest() == [])
    }

    @Test(arguments: [true, false])
    func endsABodyThatTrickles(isWelcome: Bool) throws {
        let server = try strict(
            isWelcome ? TestHandler() : TestHandler(refuse: { _ in HTTPResponse(403, text: "") }))
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")
        #expect(trickle(client))
        #expect(eventually { server.connections == 0 && server.activeRequests == 0 })
    }

    @Test func endsAnAnswerThatNobodyReads() throws {
        let handler = TestHandler { exchange in
            exchange.respond(HTTPResponse(200, body: .stream()))
            let block = [UInt8](repeating: 0x61, count: 1 << 20)
            while (try? exchange.write(block)) != nil {}
        }
        let server = try strict(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port, receiveBuffer: 4_096)
        client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(eventually { handler.records.count == 1 })
        #expect(handler.records.first?.isWhole == false)
        #expect(eventually { server.activeRequests == 0 && server.connections == 0 })
        _ = client
    }

    /// Also of answers that are not streamed.
    @Test func endsAFileThatNobodyReads() throws {
        let scratch = try TemporaryDirectory()
        let path = try scratch.write("file", [UInt8](repeating: 0x61, count: 20 << 20))
        let handler = TestHandler { exchange in
            exchange.respond(
                HTTPResponse(
                    200,
                    body: .file(descriptor: open(path, O_RDONLY), offset: 0, count: 20 << 20)))
        }
        let server = try strict(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port, receiveBuffer: 4_096)
        client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(eventually { handler.records.count == 1 && server.connections == 0 })
        #expect(handler.records.first?.isWhole == false)
        _ = client
    }

    /// A file takes as long as it takes, if only it goes on.
    @Test func leavesAFileThatIsReadSlowly() throws {
        let scratch = try TemporaryDirectory()
        let path = try scratch.write("file", [UInt8](repeating: 0x61, count: 20 << 20))
        let handler = TestHandler { exchange in
            exchange.respond(
                HTTPResponse(
                    200,
                    body: .file(descriptor: open(path, O_RDONLY), offset: 0, count: 20 << 20)))
        }
        let server = try HTTPServer.test(handler) { options in
            options.minimumPace = 1 << 30
            options.paceWindow = .seconds(1)
        }
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        usleep(2_500_000)
        #expect(try client.response().body.count == 20 << 20)
    }

    /// A server that works needs no bytes to move.
    @Test func leavesAClientThatWaitsForItsAnswer() throws {
        let handler = TestHandler { exchange in
            usleep(3_500_000)
            exchange.respond(HTTPResponse(200, text: "late"))
        }
        let server = try strict(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.response().text == "late\n")
    }

    @Test(arguments: [true, false])
    func stopsWorkForAClientThatIsGone(isStreaming: Bool) throws {
        let cancelled = Mutex<ContinuousClock.Instant?>(nil)
        let handler = TestHandler { exchange in
            exchange.onCancel { cancelled.withLock { $0 = .now } }
            if isStreaming {
                exchange.respond(HTTPResponse(200, body: .stream()))
                exchange.writeNow([1])
            }
            _ = eventually { exchange.isCancelled }
        }
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        var client: RawClient? = try RawClient(server.port)
        client?.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(eventually { handler.answered == 1 })
        let gone = ContinuousClock.now
        client = nil
        #expect(eventually { cancelled.withLock { $0 } != nil })
        let time = (cancelled.withLock { $0 } ?? gone) - gone
        // Within a second by design; the rest is for a machine that is busy.
        #expect(time < .seconds(5))
        #expect(eventually { server.connections == 0 && server.activeRequests == 0 })
    }

    /// Thousands of idle connections hold nobody up.
    @Test func answersBesideManyIdleConnections() async throws {
        await #expect(processExitsWith: .success) {
            _ = try SlowClientTests.bytesOfEachIdleConnection()
        }
    }

    /// They cost little.
    @Test func idleConnectionsTakeLittleMemory() async throws {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardOutputContent]
        ) {
            let each = try SlowClientTests.bytesOfEachIdleConnection()
            print("idle connections: \(each) bytes each")
            #expect(each < 64 << 10)
        }
        print(String(decoding: result?.standardOutputContent ?? [], as: UTF8.self))
    }

    /// What each of many connections with the beginning of a request takes in memory; all of them, and one
    /// more, are answered.
    private static func bytesOfEachIdleConnection() throws -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, 10_000)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let count = min(2_000, Int(limit.rlim_cur) / 2 - 100)
        let server = try HTTPServer.test()
        defer { server.stop(grace: .zero) }
        _ = try RawClient(server.port)
        let before = residentKilobytes()
        let idle = try (0 ..< count).map { _ in try RawClient(server.port) }
        #expect(eventually { server.connections == count })
        // A head that has begun has a buffer.
        for client in idle { client.send("GET /a HTTP/1.1\r\n") }
        let client = try RawClient(server.port)
        client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try client.response().text == "GET /a ")
        let each = (residentKilobytes() - before) * 1_024 / count
        for client in idle {
            client.send("Host: x\r\n\r\n")
            #expect(try client.response().text == "GET /a ")
        }
        return each
    }
}
