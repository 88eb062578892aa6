import TestSupport
import Testing

/// What of a request and an answer goes through `apus cache`, besides bodies.
@Suite(.timeLimit(.minutes(10))) struct CacheForwardHeadTests {
    @Test func aRequestIsMadeAnewFromWhatWasUnderstood() throws {
        let pair = try CachedUpstream(path: "base") { $0.answer(200, [], "yes") }
        let answer = try pair.ask(
            "POST /up//a%2db/%20x/info/lfs/locks?q=a%26b&r",
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
        #expect(head[0] == "POST /base/a-b/%20x/info/lfs/locks?q=a%26b&r HTTP/1.1")
        #expect(
            Set(head.dropFirst().map { $0.lowercased() }) == [
                "host: 127.0.0.1:\(pair.upstream.port)", "content-length: 2",
                "content-type: application/vnd.git-lfs+json", "x-own: kept",
                "authorization: basic c2vjcmv0", "cookie: a=b", "accept-encoding: br", "x-empty:",
            ])
    }

    /// As calls of GitLab's API have them.
    @Test func anEncodedSlashStaysEncoded() throws {
        let pair = try CachedUpstream { $0.answer(200) }
        for path in [
            "api/v4/projects/a%2Fb%2fc", "a%2Fb/info/refs?service=git-upload-pack", "x/git%2Fe",
        ] {
            #expect(try pair.ask("GET /up/\(path)").hasPrefix("HTTP/1.1 200"))
        }
        #expect(
            pair.upstream.heads.map { $0[0] } == [
                "GET /api/v4/projects/a%2Fb%2Fc HTTP/1.1",
                "GET /a%2Fb/info/refs?service=git-upload-pack HTTP/1.1", "GET /x/git%2Fe HTTP/1.1",
            ])
        for path in ["up%2Fx", "up/a%2F..%2Fb", "up/..%2F", "-/x%2Fmetrics"] {
            #expect(try !pair.ask("GET /\(path)").hasPrefix("HTTP/1.1 200"))
        }
        #expect(pair.upstream.heads.count == 3)
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

    @Test func whatARefusalTellsTheClientReachesIt() throws {
        let pair = try CachedUpstream { call in
            call.answer(
                call.head[0].contains("busy") ? 429 : 401,
                [
                    "WWW-Authenticate: Basic realm=\"a\"", "WWW-Authenticate: Bearer",
                    "Retry-After: 7",
                ],
                "why")
        }
        let refused = try pair.ask("GET /up/x.git/info/refs?service=git-receive-pack")
        #expect(refused.hasPrefix("HTTP/1.1 401 ") && refused.body == "why")
        let challenges = refused.lowercased().components("\r\n").filter {
            $0.hasPrefix("www-authenticate: ")
        }
        #expect(challenges.count == 2)
        let busy = try pair.ask("POST /up/busy", ["Content-Length: 0"])
        #expect(busy.hasPrefix("HTTP/1.1 429 "))
        #expect(busy.header("retry-after") == "7")
    }

    @Test func theLoginsOfWhoRunsTheCacheAreNotUsed() throws {
        let home = try TemporaryDirectory()
        try home.write(".netrc", "machine 127.0.0.1 login op password erator\n".utf8)
        try home.write(".gitconfig", "[http]\n\textraHeader = X-Operator: secret\n".utf8)
        let pair = try CachedUpstream(environment: ["HOME": home.path]) { $0.answer(200) }
        _ = try pair.ask("GET /up/x")
        let head = try #require(pair.upstream.heads.first).map { $0.lowercased() }
        #expect(!head.contains { $0.hasPrefix("authorization") || $0.hasPrefix("x-operator") })
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

    @Test func anUpstreamThatHangsUpBeforeItsAnswerIsABadGateway() throws {
        let pair = try CachedUpstream { _ in }
        for request in ["GET /up/x?token=secret", "POST /up/y/git-receive-pack"] {
            let answer = try pair.ask(request)
            #expect(answer.hasPrefix("HTTP/1.1 502"), "\(answer)")
            #expect(!answer.contains("\(pair.upstream.port)"))
        }
    }
}
