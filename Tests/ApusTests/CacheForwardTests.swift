import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `apus cache` in front of a server that is no server: what goes through it, byte by byte.
struct CachedUpstream {
    let upstream: FakeUpstream
    let cache: ApusServer
    private let scratch: TemporaryDirectory

    init(
        path: String = "", others: [String] = [],
        _ handler: @escaping @Sendable (FakeUpstream.Call) -> Void
    ) throws {
        upstream = try FakeUpstream(handler)
        scratch = try TemporaryDirectory()
        cache = try ApusServer(
            cacheIn: scratch("store"), of: ["up=" + upstream.url + path] + others)
    }

    /// The answer to a request on a connection of its own.
    func ask(_ line: String, _ headers: [String] = [], body: [UInt8] = []) throws -> String {
        let lines = ["\(line) HTTP/1.1", "Host: cache", "Connection: close"] + headers
        let head = Array((lines + ["", ""]).joined(separator: "\r\n").utf8)
        return String(
            decoding: try exchange(port: cache.port, sending: head + body), as: UTF8.self)
    }
}

extension String {
    /// The value of a header in an answer.
    fileprivate func header(_ name: String) -> String? {
        let head = components("\r\n\r\n").first ?? ""
        return head.components("\r\n").first { $0.lowercased().hasPrefix(name + ": ") }
            .map { String($0.dropFirst(name.count + 2)) }
    }

    fileprivate func components(_ separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }

    fileprivate var body: String {
        components("\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
    }
}

@Suite(.timeLimit(.minutes(2))) struct CacheForwardHeadTests {
    @Test func aRequestIsMadeAnewFromWhatWasUnderstood() throws {
        let pair = try CachedUpstream(path: "base") { $0.answer(200, [], "yes") }
        let answer = try pair.ask(
            "POST /up//a%2db/%20x/info/lfs/objects/batch?q=a%26b&r",
            [
                "Content-Length: 2", "Content-Type: application/vnd.git-lfs+json", "X-Own: kept",
                "Authorization: Basic c2VjcmV0", "Cookie: a=b", "Accept-Encoding: br",
                "X-Forwarded-For: 10.0.0.1", "x-forwarded-host: evil", "Forwarded: for=x",
                "TE: trailers", "Keep-Alive: 5", "Proxy-Authorization: Basic eA==",
                "Upgrade: h2c", "Expect: 100-continue", "X-Empty:",
            ], body: Array("{}".utf8))
        #expect(answer.contains("200"))
        #expect(answer.hasSuffix("yes"))
        let head = try #require(pair.upstream.heads.first)
        #expect(head[0] == "POST /base/a-b/%20x/info/lfs/objects/batch?q=a%26b&r HTTP/1.1")
        #expect(
            Set(head.dropFirst().map { $0.lowercased() }) == [
                "host: 127.0.0.1:\(pair.upstream.port)", "content-length: 2",
                "content-type: application/vnd.git-lfs+json", "x-own: kept",
                "authorization: basic c2vjcmv0", "cookie: a=b", "accept-encoding: br", "x-empty:",
            ])
    }

    @Test func nothingIsAddedToABareRequest() throws {
        let pair = try CachedUpstream { $0.answer(200) }
        _ = try pair.ask("PROPFIND /up/x/")
        let head = try #require(pair.upstream.heads.first)
        #expect(head.first == "PROPFIND /x/ HTTP/1.1")
        #expect(
            Set(head.dropFirst()) == [
                "Host: 127.0.0.1:\(pair.upstream.port)", "Content-Length: 0",
            ])
    }

    @Test func whatConnectionNamesGoesNoFurther() throws {
        let pair = try CachedUpstream { call in
            call.answer(
                200, ["Connection: X-Secret", "X-Secret: a", "X-Open: b", "Keep-Alive: timeout=5"])
        }
        let lines = ["GET /up/x HTTP/1.1", "Host: c", "Connection: close, Authorization, x-hop"]
        let rest = ["Authorization: Basic eA==", "X-Hop: 1", "X-End: 2", "", ""]
        let request = Array((lines + rest).joined(separator: "\r\n").utf8)
        let answer = String(
            decoding: try exchange(port: pair.cache.port, sending: request), as: UTF8.self)
        #expect(answer.header("x-secret") == nil)
        #expect(answer.header("keep-alive") == nil)
        #expect(answer.header("x-open") == "b")
        let head = try #require(pair.upstream.heads.first).map { $0.lowercased() }
        #expect(!head.contains { $0.hasPrefix("authorization") || $0.hasPrefix("x-hop") })
        #expect(head.contains("x-end: 2"))
    }

    @Test func twoLengthsOfOneBodyNeverReachUpstream() throws {
        let pair = try CachedUpstream { $0.answer(200) }
        let answer = try pair.ask(
            "POST /up/x/git-receive-pack",
            ["Content-Length: 4", "Transfer-Encoding: chunked"],
            body: Array("0\r\n\r\nGET /up/secret HTTP/1.1\r\n\r\n".utf8))
        #expect(answer.hasPrefix("HTTP/1.1 400"))
        #expect(pair.upstream.heads.isEmpty)
    }

    @Test(arguments: ["TRACE", "CONNECT"]) func aMethodThatIsForServersIsRefused(
        method: String
    ) throws {
        let pair = try CachedUpstream { $0.answer(200) }
        #expect(try pair.ask("\(method) /up/x").hasPrefix("HTTP/1.1 405"))
        #expect(pair.upstream.heads.isEmpty)
    }

    @Test func aCompressedAnswerStaysCompressed() throws {
        let packed: [UInt8] = [0x1f, 0x8b, 8, 0, 1, 2, 3]
        let pair = try CachedUpstream { call in
            call.write(
                Array("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\n".utf8)
                    + packed)
        }
        let answer = try exchange(
            port: pair.cache.port,
            sending: Array("GET /up/x HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n".utf8))
        #expect(answer.suffix(7) == packed[...])
        #expect(String(decoding: answer, as: UTF8.self).header("content-encoding") == "gzip")
    }

    @Test func aHeadHasTheLengthAndNoBody() throws {
        let pair = try CachedUpstream { call in
            call.write(Array("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n".utf8))
        }
        let answer = try pair.ask("HEAD /up/x")
        #expect(answer.header("content-length") == "1234")
        #expect(answer.header("etag") == "\"a\"")
        #expect(answer.body.isEmpty)
        #expect(pair.upstream.heads.first?.first == "HEAD /x HTTP/1.1")
    }

    @Test(arguments: [204, 304]) func anAnswerWithoutABodyEnds(status: Int) throws {
        let pair = try CachedUpstream { call in
            call.write(Array("HTTP/1.1 \(status) So\r\nX-A: b\r\n\r\n".utf8))
        }
        let answer = try pair.ask("GET /up/x")
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
        #expect(answer.header("x-a") == "b")
        #expect(answer.body.isEmpty)
    }

    @Test func redirectsAreTheClientsToFollow() throws {
        let other = try FakeUpstream { $0.answer(200, [], "stolen") }
        let pair = try CachedUpstream(path: "git/") { call in
            let path = call.head[0].components(" ")[1]
            let location =
                switch path {
                case "/git/other": other.url + "x#f"
                case "/git/own": "http://\(call.values("host")[0])/git/y/z?q#f"
                case "/git/path": "/git/y"
                case "/git/beside": "/elsewhere"
                case "/git/a/relative": "../../elsewhere"
                default: "//127.0.0.1:9/z"
                }
            call.answer(302, ["Location: " + location])
        }
        func location(_ path: String) throws -> String? {
            let answer = try pair.ask("GET /up/" + path, ["Authorization: Basic eA=="])
            #expect(answer.hasPrefix("HTTP/1.1 302"))
            return answer.header("location")
        }
        #expect(try location("other") == other.url + "x#f")
        #expect(try location("own") == "/up/y/z?q#f")
        #expect(try location("path") == "/up/y")
        #expect(try location("beside") == pair.upstream.url + "elsewhere")
        #expect(try location("a/relative") == pair.upstream.url + "elsewhere")
        #expect(try location("net") == "http://127.0.0.1:9/z")
        #expect(other.heads.isEmpty)
    }

    @Test func aCookieIsKeptToThePathsOfItsUpstream() throws {
        let pair = try CachedUpstream {
            $0.answer(200, ["Set-Cookie: a=b; Path=/; domain=example.com; HttpOnly", "Alt-Svc: x"])
        }
        let answer = try pair.ask("GET /up/x")
        #expect(answer.header("set-cookie") == "a=b; HttpOnly; Path=/up/")
        #expect(answer.header("alt-svc") == nil)
    }

    @Test func anUpstreamThatIsNotThereIsABadGateway() throws {
        let scratch = try TemporaryDirectory()
        let cache = try ApusServer(cacheIn: scratch("s"), of: ["up=http://127.0.0.1:9/"])
        let request =
            "GET /up/x?private_token=secret HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n"
        let answer = String(
            decoding: try exchange(port: cache.port, sending: Array(request.utf8)), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 502"))
        #expect(!answer.contains("127.0.0.1"))
        #expect(
            try eventually { try cache.requests().joined().contains("\"cache\":\"forwarded\"") })
        #expect(!(try cache.requests().joined().contains("secret")))
    }
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct CacheForwardBodyTests {
    private static let size = 100 << 20

    /// Sums bytes up so that a lost, doubled or moved piece is seen.
    struct Sum: Equatable {
        var count = 0
        var hash: UInt64 = 14_695_981_039_346_656_037
        mutating func add(_ bytes: [UInt8]) {
            count += bytes.count
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        }
    }

    /// Bytes that differ from place to place.
    private static func piece(_ number: Int) -> [UInt8] {
        (0 ..< 1 << 16).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
    }
    private static let pieces = (0 ..< 7).map(piece)

    private static func sum(_ size: Int) -> Sum {
        var sum = Sum()
        for number in 0 ..< size >> 16 { sum.add(pieces[number % 7]) }
        return sum
    }

    @Test func aHundredMegabytesGoUpAndDownInLittleMemory() throws {
        let sums = Mutex<[Sum]>([])
        let size = Self.size
        let pair = try CachedUpstream { call in
            guard call.head[0].hasPrefix("PUT") else {
                call.write(Array("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n".utf8))
                for number in 0 ..< size >> 16 where !call.write(Self.pieces[number % 7]) { return }
                return
            }
            var sum = Sum()
            while sum.count < size, let piece = call.read() { sum.add(piece) }
            sums.withLock { $0.append(sum) }
            call.answer(201, [], "\(call.values("content-length"))")
        }
        let scratch = try TemporaryDirectory()
        let file = try scratch.write(
            "object", (0 ..< size >> 16).lazy.flatMap { Self.pieces[$0 % 7] })
        let before = try #require(pair.cache.memory("VmHWM"))
        let up = try run(
            "curl", ["-sS", "-T", file, "-H", "Expect:", "\(pair.cache.http)/up/lfs/object"])
        #expect(up.out == "[\"\(size)\"]", "\(up)")
        #expect(sums.withLock { $0 } == [Self.sum(size)])
        let down = try run(
            "curl", ["-sS", "-o", scratch("copy"), "\(pair.cache.http)/up/lfs/object"])
        #expect(down.succeeded, "\(down)")
        #expect(try run("cmp", [file, scratch("copy")]).succeeded)
        let after = try #require(pair.cache.memory("VmHWM"))
        #expect(after - before < 24 << 10, "\(before) KiB before, \(after) after")
    }

    @Test func neitherSideMayBeFasterThanTheOther() throws {
        let taken = Mutex(0)
        let pair = try CachedUpstream { call in
            // Nothing is read for a while.
            usleep(1_500_000)
            taken.withLock { $0 = 1 }
            var sum = Sum()
            while sum.count < Self.size, let piece = call.read() { sum.add(piece) }
            call.answer(200, [], "\(sum == Self.sum(Self.size))")
        }
        let before = try #require(pair.cache.memory("VmHWM"))
        let all = (0 ..< Self.size >> 16).flatMap { Self.pieces[$0 % 7] }
        let answer = try pair.ask(
            "POST /up/x/git-receive-pack", ["Content-Length: \(Self.size)"], body: all)
        #expect(answer.hasSuffix("true"))
        let after = try #require(pair.cache.memory("VmHWM"))
        #expect(after - before < 24 << 10)
    }

    @Test func aBodyInChunksStaysInChunks() throws {
        let seen = Mutex<[String]>([])
        let pair = try CachedUpstream { call in
            seen.withLock { $0 = call.values("transfer-encoding") + call.values("content-length") }
            var body = ""
            while !body.hasSuffix("0\r\n\r\n"), let piece = call.read() {
                body += String(decoding: piece, as: UTF8.self)
            }
            call.answer(200, [], body)
        }
        let answer = try pair.ask(
            "PATCH /up/x", ["Transfer-Encoding: chunked"],
            body: Array("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n".utf8))
        #expect(seen.withLock { $0 } == ["chunked"])
        #expect(answer.body == "5\r\nabcde\r\n0\r\n\r\n")
        #expect(pair.upstream.heads.first?.first == "PATCH /x HTTP/1.1")
    }

    @Test(arguments: ["Content-Length: 100000", "Transfer-Encoding: chunked"])
    func anAnswerThatUpstreamBreaksOffIsBrokenOff(framing: String) throws {
        let pair = try CachedUpstream { call in
            call.write(Array("HTTP/1.1 200 OK\r\n\(framing)\r\n\r\n".utf8))
            call.write(Array("5\r\nabcde\r\n".utf8))
        }
        let result = try run("curl", ["-sS", "\(pair.cache.http)/up/x"])
        #expect(!result.succeeded)
        #expect(result.out.contains("abcde"))
    }

    @Test func aBodyThatTheClientBreaksOffIsBrokenOff() throws {
        let end = Mutex<String?>(nil)
        let pair = try CachedUpstream { call in
            var body: [UInt8] = []
            while let piece = call.read() { body += piece }
            end.withLock { $0 = String(decoding: body.suffix(5), as: UTF8.self) }
        }
        // More than is held before upstream is asked, and then the connection is closed.
        let piece = "10000\r\n" + String(repeating: "x", count: 1 << 16) + "\r\n"
        let head = "POST /up/x HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n"
        _ = try run(
            "bash", ["-c", #"exec 3<>/dev/tcp/127.0.0.1/$0; cat >&3"#, "\(pair.cache.port)"],
            input: Array((head + String(repeating: piece, count: 8)).utf8))
        #expect(eventually { end.withLock { $0 != nil } })
        #expect(end.withLock { $0 } != "0\r\n\r\n")
        #expect(pair.upstream.heads.count == 1)
    }

    @Test func aClientThatHangsUpEndsTheTransfer() throws {
        let sawTheEnd = Mutex<Bool?>(nil)
        let pair = try CachedUpstream { call in
            call.write(Array("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".utf8))
            let saw = call.sawTheEnd(within: 10)
            sawTheEnd.withLock { $0 = saw }
        }
        let result = try run("curl", ["-sS", "-m", "1", "\(pair.cache.http)/up/x"])
        #expect(!result.succeeded)
        #expect(eventually { sawTheEnd.withLock { $0 != nil } })
        #expect(sawTheEnd.withLock { $0 } == true)
    }

    @Test func aRefusalBeforeTheBodyIsReadReachesTheClient() throws {
        let pair = try CachedUpstream { call in
            call.answer(413, ["X-Why: large"], "too much")
            _ = call.sawTheEnd(within: 5)
        }
        let scratch = try TemporaryDirectory()
        let file = try scratch.write("big", repeatElement(7, count: 20 << 20))
        let answer = try run(
            "curl", ["-sS", "-i", "-T", file, "-H", "Expect:", "\(pair.cache.http)/up/x"])
        #expect(answer.out.contains(" 413 "), "\(answer)")
        #expect(answer.out.hasSuffix("too much"))
    }
}

/// Waits until something is so; says whether it is.
private func eventually(_ isSo: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while try !isSo() {
        guard ContinuousClock.now < deadline else { return false }
        usleep(5_000)
    }
    return true
}
