import Foundation
import GitCore
import Testing

@testable import GitClient

extension HTTPBodyStream {
    func all() async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = try await next() { bytes += chunk }
        return bytes
    }
}

/// The error that `body` throws.
func failure(_ body: () async throws -> Void) async -> ClientError? {
    do {
        try await body()
        return nil
    } catch { return error as? ClientError }
}

@Suite(.timeLimit(.minutes(10))) struct HTTPTransportTests {
    private let transport = CurlTransport()

    private func get(
        _ url: String, _ options: HTTPOptions = HTTPOptions(),
        headers: [(name: String, value: ByteString)] = []
    ) async throws -> HTTPResponse {
        try await transport.send(
            HTTPRequest(.get, try GitURL(url), headers: headers, options: options))
    }

    private func gzip(_ bytes: [UInt8]) throws -> [UInt8] { try #require(bytes.gzipped) }

    @Test func givesStatusHeadersAndBody() async throws {
        let server = HTTPTestServer {
            $0.answer(203, ["X-Two: a", "x-two:  b \t", "X-Bytes: \u{e9}"], body: "hello")
        }
        let response = try await get(server.url + "/a%20b?c=d")
        #expect(response.status == 203)
        #expect(response.headers.all("X-TWO") == ["a", "b"])
        #expect(response.headers["x-bytes"] == "\u{e9}")
        #expect(try await response.body.all() == Array("hello".utf8))
        #expect(try await response.body.next() == nil)
        let request = try #require(server.requests.first)
        #expect(request.target == "/a%20b?c=d")
        #expect(request.headers["user-agent"] == "git/apus-0.1")
        #expect(request.headers["accept-encoding"] == "deflate, gzip")
        #expect(request.headers["authorization"] == nil)
    }

    @Test(arguments: [200, 204, 304, 403, 404, 410, 500, 503])
    func everyStatusIsAnAnswer(status: Int) async throws {
        let server = HTTPTestServer { $0.answer(status) }
        #expect(try await get(server.url).status == status)
    }

    @Test(arguments: [("Negotiate YIIZ", 2), ("Basic YTpi", 1)])
    func aLoginOfAConnectionIsNobodyElses(login: ByteString, connections: Int) async throws {
        let server = HTTPTestServer { $0.answer(200) }
        var options = HTTPOptions()
        options.extraHeaders = ["Authorization: " + login]
        for options in [options, HTTPOptions()] {
            _ = try await get(server.url, options).body.all()
        }
        #expect(server.connections == connections)
    }

    @Test func redirectsAreNotFollowed() async throws {
        let server = HTTPTestServer { $0.answer(302, ["Location: /elsewhere"]) }
        #expect(try await get(server.url).status == 302)
        #expect(server.requests.count == 1)
    }

    @Test func cookiesAreNotKept() async throws {
        let server = HTTPTestServer { $0.answer(200, ["Set-Cookie: a=b; Path=/"]) }
        for _ in 0 ..< 2 { _ = try await get(server.url).body.all() }
        #expect(server.requests.allSatisfy { $0.headers["cookie"] == nil })
    }

    @Test func interimAnswersArePassedOver() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\n")
            exchange.answer(200, body: "x")
        }
        let response = try await get(server.url)
        #expect(response.status == 200)
        #expect(response.headers["x-early"] == nil)
    }

    @Test func aPostSendsItsBodyAtOnce() async throws {
        let server = HTTPTestServer { $0.answer(200) }
        let body = (0 ..< 300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let request = HTTPRequest(
            .post, try GitURL(server.url), headers: [("X-A", "b")], body: body)
        _ = try await transport.send(request).body.all()
        _ = try await transport.send(HTTPRequest(.post, try GitURL(server.url))).body.all()
        let requests = server.requests
        #expect(requests.first?.method == "POST")
        #expect(requests.first?.body == body)
        #expect(requests.first?.headers["x-a"] == "b")
        #expect(requests.first?.headers["expect"] == nil)
        #expect(requests.last?.body == [])
        #expect(requests.last?.headers["content-length"] == "0")
    }

    @Test func oneConnectionServesManyRequests() async throws {
        let server = HTTPTestServer { $0.answer(200, body: "x") }
        for _ in 0 ..< 5 { _ = try await get(server.url).body.all() }
        #expect(server.requests.count == 5)
        #expect(server.connections == 1)
    }

    @Test func chunksArriveAsTheyAreSent() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            exchange.write("3\r\nabc\r\n")
            // The rest comes only after the first was read, by a second request.
            while exchange.server.requests.count < 2 { usleep(1000) }
            exchange.write("2\r\nde\r\n0\r\nTrailer: x\r\n\r\n")
        }
        let other = CurlTransport()
        let body = try await get(server.url).body
        #expect(try await body.next() == Array("abc".utf8))
        async let second = other.send(HTTPRequest(.get, try GitURL(server.url)))
        #expect(try await body.all() == Array("de".utf8))
        _ = try await second.body.all()
    }

    @Test func gzipIsUndone() async throws {
        let text = Array(repeating: UInt8(ascii: "a"), count: 5_000_000)
        let packed = try gzip(text)
        let server = HTTPTestServer {
            $0.answer(200, ["Content-Encoding: gzip"], body: packed)
        }
        #expect(try await get(server.url).body.all() == text)
    }

    @Test func brokenGzipIsAnError() async throws {
        var packed = try gzip(Array(repeating: UInt8(ascii: "a"), count: 100_000))
        packed[20] ^= 0xff
        let sent = packed
        let server = HTTPTestServer { $0.answer(200, ["Content-Encoding: gzip"], body: sent) }
        let error = await failure { _ = try await get(server.url).body.all() }
        #expect(error?.code == .protocolError || error?.code == .network)
    }

    @Test func aTruncatedBodyIsAnErrorAfterWhatCame() async throws {
        let server = HTTPTestServer {
            $0.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        }
        let body = try await get(server.url).body
        #expect(try await body.next() == Array("abc".utf8))
        for _ in 0 ..< 2 {
            let error = await failure { _ = try await body.next() }
            #expect(error?.code == .network)
            #expect(error?.message.hasPrefix("unable to access '\(server.url)'") == true)
        }
    }

    @Test func truncatedChunksAreAnError() async throws {
        let server = HTTPTestServer {
            $0.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")
        }
        let error = await failure { _ = try await get(server.url).body.all() }
        #expect(error?.code == .network)
    }

    @Test func hugeHeadersAreRefused() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\n")
            let line = "X-A: " + String(repeating: "a", count: 50_000) + "\r\n"
            while exchange.write(line) {}
        }
        let error = await failure { _ = try await get(server.url) }
        #expect(error?.code == .limit)
    }

    @Test func endlessHeadersAreRefused() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\n")
            while exchange.write("a: b\r\n") {}
        }
        let error = await failure { _ = try await get(server.url) }
        #expect(error?.code == .limit)
    }

    @Test func endlessInterimAnswersAreRefused() async throws {
        let server = HTTPTestServer { exchange in
            while exchange.write("HTTP/1.1 100 Continue\r\n\r\n") {}
        }
        let error = await failure { _ = try await get(server.url) }
        #expect(error?.code == .limit)
    }

    @Test func endlessTrailersAreRefused() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
            while exchange.write("a: b\r\n") {}
        }
        let error = await failure { _ = try await get(server.url).body.all() }
        #expect(error != nil)
    }

    @Test(arguments: ["nonsense\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n", "SSH-2.0-x\r\n", ""])
    func whatIsNotHTTPIsAnError(answer: String) async throws {
        let server = HTTPTestServer { $0.write(answer) }
        let error = await failure { _ = try await get(server.url) }
        #expect(error?.code == .network || error?.code == .protocolError)
    }

    @Test func aServerThatNeverAnswersIsGivenUp() async throws {
        let server = HTTPTestServer { $0.waitForClose() }
        var options = HTTPOptions()
        options.lowSpeedTime = 1
        let start = ContinuousClock.now
        let error = await failure { _ = try await get(server.url, options) }
        #expect(error?.code == .network)
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test func aRefusedConnectionSaysSo() async throws {
        // Port 1 of the loopback has no server.
        let error = await failure { _ = try await get("http://127.0.0.1:1/x") }
        #expect(error?.code == .network)
        #expect(
            error?.message.hasPrefix("unable to access 'http://127.0.0.1:1/x': Failed to connect")
                == true)
    }

    @Test func anUnknownHostSaysSo() async throws {
        let error = await failure { _ = try await get("http://no-such-host.invalid/x") }
        #expect(error?.code == .network)
        #expect(
            error?.message
                == "unable to access 'http://no-such-host.invalid/x': Could not resolve host: "
                + "no-such-host.invalid")
    }

    @Test func otherSchemesAreRefused() async throws {
        for url in ["ssh://h/p", "ftp://h/p", "file:///etc/passwd"] {
            let error = await failure { _ = try await get(url) }
            #expect(error?.code == .unsupported)
        }
    }

    @Test(arguments: ["a\r\nX: y", "a\nb", "a\0b"])
    func lineEndsInHeadersAreRefused(value: String) async throws {
        let server = HTTPTestServer { $0.answer(200) }
        var options = HTTPOptions()
        options.extraHeaders = [ByteString("X: " + value)]
        #expect(await failure { _ = try await get(server.url, options) }?.code == .invalid)
        let error = await failure {
            _ = try await get(server.url, headers: [("X", ByteString(value))])
        }
        #expect(error?.code == .invalid)
        #expect(server.requests.isEmpty)
    }

    @Test func aProxyIsAskedForTheWholeURL() async throws {
        let proxy = HTTPTestServer { $0.answer(200, body: "from the proxy") }
        var options = HTTPOptions()
        options.proxy = ByteString(proxy.url)
        let response = try await get("http://example.invalid/x", options)
        #expect(try await response.body.all() == Array("from the proxy".utf8))
        #expect(proxy.requests.first?.target == "http://example.invalid/x")
    }

    @Test func aProxyThatRefusesATunnelIsAnError() async throws {
        let proxy = HTTPTestServer { $0.answer(403, ["Content-Type: application/x-git"]) }
        var options = HTTPOptions()
        options.proxy = ByteString(proxy.url)
        let request = HTTPRequest(
            .get, try GitURL("https://example.invalid/"),
            headers: [("Authorization", "Basic sekret")], options: options)
        let error = await failure { _ = try await transport.send(request) }
        #expect(error?.code == .network)
        #expect(proxy.requests.first?.method == "CONNECT")
        #expect(proxy.requests.first?.headers["authorization"] == nil)
    }
}

@Suite(.timeLimit(.minutes(10))) struct HTTPCancellationTests {
    private let transport = CurlTransport()

    @Test func cancellingTheTaskEndsTheTransfer() async throws {
        let server = HTTPTestServer { $0.waitForClose() }
        let url = try GitURL(server.url)
        let task = Task { try await transport.send(HTTPRequest(.get, url)) }
        while server.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        let start = ContinuousClock.now
        task.cancel()
        let error = await failure { _ = try await task.value }
        #expect(error?.code == .cancelled)
        while server.closed.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(ContinuousClock.now - start < .seconds(200))
    }

    @Test func cancellingWhileABodyIsReadEndsTheTransfer() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            exchange.waitForClose()
        }
        let body = try await transport.send(HTTPRequest(.get, try GitURL(server.url))).body
        #expect(try await body.next() == Array("abc".utf8))
        let task = Task { try await body.next() }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        #expect(await failure { _ = try await task.value }?.code == .cancelled)
        while server.closed.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func aCancelledTaskStartsNothing() async throws {
        let server = HTTPTestServer { $0.answer(200) }
        let url = try GitURL(server.url)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            _ = try await transport.send(HTTPRequest(.get, url))
        }
        task.cancel()
        #expect(await failure { try await task.value }?.code == .cancelled)
    }

    @Test func droppingTheBodyEndsTheTransfer() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            exchange.waitForClose()
        }
        _ = try await transport.send(HTTPRequest(.get, try GitURL(server.url))).status
        while server.closed.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func theBodyOutlivesTheTransport() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
            usleep(100_000)
            exchange.write("def")
        }
        var own: CurlTransport? = CurlTransport()
        let body = try await own?.send(HTTPRequest(.get, try GitURL(server.url))).body
        own = nil
        #expect(try await body?.all() == Array("abcdef".utf8))
    }

    @Test func twoReadersOfOneBodyAreAnError() async throws {
        let server = HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
            exchange.waitForClose()
        }
        let body = try await transport.send(HTTPRequest(.get, try GitURL(server.url))).body
        _ = try await body.next()
        let first = Task { try await body.next() }
        try await Task.sleep(for: .milliseconds(50))
        #expect(await failure { _ = try await body.next() }?.code == .invalid)
        first.cancel()
        _ = await first.result
    }
}

@Suite(.serialized, .timeLimit(.minutes(10))) struct HTTPBackPressureTests {
    private func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    }

    private static func endless(_ size: Int) -> HTTPTestServer {
        HTTPTestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            let chunk = [UInt8](repeating: 7, count: 1 << 16)
            for _ in 0 ..< size >> 16 where !exchange.write(chunk) { return }
        }
    }

    /// Their memory is given back before this returns.
    private static func zeros(_ count: Int) throws -> [UInt8] {
        try #require([UInt8](repeating: 0, count: count).gzipped)
    }

    @Test func aReaderThatDoesNotReadStopsTheServer() async throws {
        let server = Self.endless(1 << 30)
        let transport = CurlTransport()
        let body = try await transport.send(HTTPRequest(.get, try GitURL(server.url))).body
        try await Task.sleep(for: .milliseconds(500))
        let sent = server.sent.withLock { $0 }
        try await Task.sleep(for: .milliseconds(500))
        #expect(server.sent.withLock { $0 } == sent)
        // What the system's socket buffers and the buffer here hold.
        #expect(sent < 16 << 20)
        _ = body
    }

    @Test func aSlowReaderGetsAllOfIt() async throws {
        let server = Self.endless(64 << 20)
        let body = try await CurlTransport().send(HTTPRequest(.get, try GitURL(server.url))).body
        var count = 0
        var largest = 0
        while let chunk = try await body.next() {
            count += chunk.count
            largest = max(largest, chunk.count)
            #expect(chunk.allSatisfy { $0 == 7 })
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(count == 64 << 20)
        #expect(largest <= HTTPLimits.bufferedBody)
    }

    @Test func aStallOfTheReaderIsNotTheServers() async throws {
        let server = Self.endless(32 << 20)
        var options = HTTPOptions()
        options.lowSpeedTime = 1
        let request = HTTPRequest(.get, try GitURL(server.url), options: options)
        let body = try await CurlTransport().send(request).body
        try await Task.sleep(for: .seconds(3))
        #expect(try await body.all().count == 32 << 20)
    }

    @Test func aGzipBombIsHeldBackToo() async throws {
        let packed = try Self.zeros(512 << 20)
        let server = HTTPTestServer { $0.answer(200, ["Content-Encoding: gzip"], body: packed) }
        let before = try residentBytes()
        let body = try await CurlTransport().send(HTTPRequest(.get, try GitURL(server.url))).body
        try await Task.sleep(for: .milliseconds(500))
        // Other tests run beside this one.
        #expect(try residentBytes() - before < 250 << 20)
        _ = body
    }
}
