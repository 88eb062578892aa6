import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What `apus cache` forwards, while upstream is away or has no time.
@Suite(.timeLimit(.minutes(10))) struct CacheForwardHealthTests {
    private static let listing = "GET /up/x.git/info/refs?service=git-upload-pack"
    private static let forwarded = [
        "GET /up/x.git/info/refs?service=git-receive-pack", "POST /up/x.git/git-receive-pack",
        "PUT /up/x.git/info/lfs/objects/x", "POST /up/x.git/info/lfs/objects/batch",
        "GET /up/x/raw/main/file", "GET /up/api/v4/projects",
    ]

    private func status(_ answer: String) -> Int {
        answer.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }

    private func retryAfter(_ answer: String) -> Int {
        answer.header("retry-after").flatMap { Int($0) } ?? 0
    }

    @Test func aHostThatIsAwayIsLeftAlone() throws {
        let folder = try TemporaryDirectory()
        let port = try FakeUpstream { _ in }.port
        let cache = try ApusServer(
            cacheIn: folder("store"), of: ["up=http://127.0.0.1:\(port)/"])
        func ask(_ line: String, body: [UInt8] = []) throws -> String {
            let lines = [
                "\(line) HTTP/1.1", "Host: cache", "Connection: close",
                "Content-Length: \(body.count)", "", "",
            ]
            let request = Array(lines.joined(separator: "\r\n").utf8) + body
            return String(decoding: try exchange(port: cache.port, sending: request), as: UTF8.self)
        }
        // One kind of request is as good as another.
        for line in Self.forwarded.prefix(4) + [Self.listing] {
            #expect(status(try ask(line)) == 502, "\(line)")
        }
        for line in Self.forwarded + [Self.listing] {
            let answer = try ask(line)
            #expect(status(answer) == 503 && retryAfter(answer) > 0, "\(line): \(answer)")
        }
        // Who sends much hears it as well.
        let large = try ask("PUT /up/x", body: [UInt8](repeating: 1, count: 8 << 20))
        #expect(status(large) == 503 && retryAfter(large) > 0, "\(large)")
    }

    /// What one request is told counts for all kinds.
    @Test func itsWishesAreRespected() throws {
        let pair = try CachedUpstream { call in
            let isAnna = call.values("authorization") == ["Bearer anna"]
            let path = call.head[0].split(separator: " ")[1]
            if path == "/limited", isAnna { return call.answer(429, ["Retry-After: 100"]) }
            if path == "/busy" { return call.answer(503, ["Retry-After: 100"]) }
            call.answer(404)
        }
        let (anna, bert) = (["Authorization: Bearer anna"], ["Authorization: Bearer bert"])
        let told = try pair.ask("GET /up/limited", anna)
        // What upstream says is passed on as it is; the cache's own is a little later.
        #expect(status(told) == 429 && told.header("retry-after") == "100")
        for line in Self.forwarded + [Self.listing] {
            let answer = try pair.ask(line, anna)
            #expect(status(answer) == 429 && retryAfter(answer) >= 95, "\(line): \(answer)")
            #expect(status(try pair.ask(line, bert)) == 404, "\(line)")
        }
        let asked = pair.upstream.heads.count
        #expect(status(try pair.ask("GET /up/busy", bert)) == 503)
        for line in Self.forwarded + [Self.listing] {
            let answer = try pair.ask(line, bert)
            #expect(status(answer) == 503 && retryAfter(answer) >= 95, "\(line): \(answer)")
        }
        #expect(pair.upstream.heads.count == asked + 1)
    }

    /// One repository's trouble is no other's.
    @Test func connectionsThatEndCloseNoHost() throws {
        let pair = try CachedUpstream { call in
            let path = call.head[0].split(separator: " ")[1]
            if path.hasPrefix("/fine") { return call.answer(200, [], "fine") }
            if path.hasPrefix("/gateway") { return call.answer(502) }
            if path.hasPrefix("/middle") {
                call.write(Array("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".utf8))
            }
        }
        for path in ["middle", "none", "gateway"] {
            for _ in 0 ..< 7 { _ = try pair.ask("GET /up/\(path)/x") }
            for _ in 0 ..< 7 {
                let line = "GET /up/\(path).git/info/refs?service=git-upload-pack"
                #expect(status(try pair.ask(line)) == 502)
            }
            #expect(try pair.ask("GET /up/fine").body == "fine", "\(path)")
        }
    }

    @Test func clientsThatHangUpCloseNoHost() throws {
        let pair = try CachedUpstream { call in
            if call.head[0].contains("/fine") { return call.answer(200, [], "fine") }
            while call.read() != nil {}
        }
        // Before upstream has answered, and in the middle of a body.
        for _ in 0 ..< 7 {
            _ = try run("curl", ["-sS", "-m", "0.2", "\(pair.cache.http)/up/slow"])
        }
        let piece = "10000\r\n" + String(repeating: "x", count: 1 << 16) + "\r\n"
        let head = "POST /up/x HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in 0 ..< 7 {
            _ = try run(
                "bash", ["-c", #"exec 3<>/dev/tcp/127.0.0.1/$0; cat >&3"#, "\(pair.cache.port)"],
                input: Array((head + String(repeating: piece, count: 8)).utf8))
        }
        #expect(eventually { pair.upstream.heads.count == 14 })
        #expect(try pair.ask("GET /up/fine").body == "fine")
    }

    /// Objects of LFS that are with upstream, too; what is kept is sent meanwhile.
    @Test func objectsWaitAsWell() throws {
        let server = try LFSUpstream([.init("one"), .init("two")])
        let places = server.places(try server.batch("anna"))
        try #require(places.count == 2)
        #expect(try server.get(places[0]).body == "one")
        server.change { behaviour in
            behaviour.batch = { call in
                call.answer(503, ["Retry-After: 100"])
                return true
            }
        }
        #expect(status(try server.batch("anna")) == 503)
        let asked = server.fetched.count
        let answer = try server.get(places[1])
        #expect(status(answer) == 503 && retryAfter(answer) >= 95, "\(answer)")
        #expect(server.fetched.count == asked)
        #expect(try server.get(places[0]).body == "one")
    }
}
