import Synchronization
import TestSupport
import Testing

@testable import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The bodies of requests: how they come, how they are compressed, and when they are not wanted.
@Suite(.timeLimit(.minutes(10))) struct BodyTests {
    /// Answers with how many bytes came, or what was wrong with them.
    private static func counting(_ maximum: UInt64) -> TestHandler {
        TestHandler { exchange in
            do throws(BodyFault) {
                let body = try RequestBody(exchange, maximum: maximum).all()
                exchange.respond(HTTPResponse(200, text: "\(body.count)"))
            } catch { exchange.respond(HTTPResponse(418, text: "\(error)")) }
        }
    }

    private func answer(
        _ fields: String, _ body: [UInt8], maximum: UInt64 = 1 << 30
    ) throws -> String {
        let server = try HTTPServer.test(Self.counting(maximum))
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send("POST /a HTTP/1.1\r\nHost: x\r\n\(fields)\r\n")
        client.send(body)
        return try client.response().text.trimmed
    }

    private func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
        try run("gzip", ["-9"], input: bytes).required().stdout
    }

    @Test(arguments: [1, 7, 1_000, 600_000])
    func takesChunks(of size: Int) throws {
        let body = [UInt8](repeating: 0x61, count: size < 1_000 ? 500 : 1_500_000)
        var chunks: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: size) {
            let chunk = body[start ..< min(start + size, body.count)]
            chunks += Array("\(String(chunk.count, radix: 16));x=y\r\n".utf8) + chunk + [13, 10]
        }
        let all = chunks + Array("0\r\nX-Trailer: z\r\n\r\n".utf8)
        #expect(try answer("Transfer-Encoding: chunked\r\n", all) == "\(body.count)")
    }

    @Test func decompresses() throws {
        let body = (0 ..< 300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
        let packed = try gzip(body)
        for coding in ["gzip", "x-gzip", "GZIP"] {
            let fields = "Content-Encoding: \(coding)\r\nContent-Length: \(packed.count)\r\n"
            #expect(try answer(fields, packed) == "300000")
        }
        #expect(
            try answer("Content-Encoding: identity\r\nContent-Length: 3\r\n", [1, 2, 3]) == "3")
        #expect(try answer("Content-Encoding: gzip\r\n", []) == "malformed")
    }

    @Test func refusesWhatIsNoGzip() throws {
        let packed = try gzip(Array(repeating: 0x61, count: 5_000))
        var damaged = packed
        damaged[damaged.count - 6] ^= 1  // the checksum
        for bad in [
            Array("0123456789".utf8), Array(packed.dropLast()), Array(packed.prefix(12)),
            packed + [0], packed + packed, damaged,
        ] {
            let fields = "Content-Encoding: gzip\r\nContent-Length: \(bad.count)\r\n"
            #expect(try answer(fields, bad) == "malformed")
        }
    }

    @Test(arguments: ["br", "deflate", "gzip, gzip", "identity, gzip", ""])
    func refusesOtherCodings(_ coding: String) throws {
        let fields = "Content-Encoding: \(coding)\r\nContent-Length: 3\r\n"
        #expect(try answer(fields, [1, 2, 3]) == "unknownCoding")
    }

    @Test func refusesMoreThanIsAllowed() throws {
        let body = [UInt8](repeating: 0x61, count: 1_001)
        #expect(try answer("Content-Length: 1001\r\n", body, maximum: 1_000) == "tooLarge")
        #expect(try answer("Content-Length: 1001\r\n", body, maximum: 1_001) == "1001")
        let packed = try gzip(body)
        let fields = "Content-Encoding: gzip\r\nContent-Length: \(packed.count)\r\n"
        #expect(try answer(fields, packed, maximum: 1_000) == "tooLarge")
        #expect(try answer(fields, packed, maximum: 1_001) == "1001")
    }

    /// A few hundred kilobytes that would be hundreds of megabytes.
    @Test func refusesABombBeforeItIsLarge() async throws {
        await #expect(processExitsWith: .success) {
            let zeros = try run("/bin/sh", ["-c", "head -c 60000000 /dev/zero | gzip -9"])
            let bomb = try zeros.required().stdout
            let server = try HTTPServer.test(BodyTests.counting(.max))
            let before = residentKilobytes()
            let client = try RawClient(server.port)
            client.send(
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
                    + "Content-Length: \(bomb.count)\r\n\r\n")
            client.send(bomb)
            #expect(try client.response().text.trimmed == "tooLarge")
            #expect(residentKilobytes() - before < 40 << 10)
            server.stop(grace: .zero)
        }
    }

    @Test func asksForABodyThatIsWelcome() throws {
        let server = try HTTPServer.test()
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.returnsContinue = true
        client.send(
            "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n")
        #expect(try client.response().status == 100)
        client.send("abc")
        #expect(try client.response().text == "POST /a abc")
    }

    @Test func refusesABodyBeforeItIsSent() throws {
        let handler = TestHandler(refuse: { _ in HTTPResponse(403, text: "No.") })
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.returnsContinue = true
        client.send(
            "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        #expect(statuses(try client.rest()) == [403] && handler.answered == 0)
    }

    @Test func keepsTheConnectionAfterRefusals() throws {
        let handler = TestHandler(refuse: {
            $0.rawTarget == "/no" ? HTTPResponse(403, text: "No.") : nil
        })
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        let body = String(repeating: "x", count: 60_000)
        for _ in 0 ..< 3 {
            client.send("GET /no HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.response().status == 403)
            client.send("POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n\(body)")
            #expect(try client.response().status == 403)
            client.send("POST /yes HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n\(body)")
            #expect(try client.response().body.count == 60_010)
        }
    }

    /// One that is refused while it comes: the answer is heard, the rest is not read for ever.
    @Test func endsALongBodyThatNobodyWants() throws {
        let handler = TestHandler(refuse: { _ in HTTPResponse(403, text: "No.") })
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        #expect(try client.response().status == 403)
        let block = [UInt8](repeating: 0, count: 1 << 20)
        #expect(eventually { !client.send(block) })
    }

    /// A worker that does not read is not given more than some megabytes to keep.
    @Test func holdsBackABodyThatIsNotRead() throws {
        let isFree = Mutex(false)
        let handler = TestHandler { exchange in
            _ = eventually { isFree.withLock { $0 } }
            TestHandler.echo(exchange)
        }
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        let body = [UInt8](repeating: 0x61, count: 32 << 20)
        let done = Mutex(false)
        let sender = try BackgroundThread {
            client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n\r\n")
            client.send(body)
            done.withLock { $0 = true }
        }
        #expect(eventually { handler.answered == 1 })
        usleep(300_000)
        #expect(done.withLock { $0 } == false)
        isFree.withLock { $0 = true }
        sender.join()
        #expect(try client.response().body.count == body.count + 8)
    }
}
