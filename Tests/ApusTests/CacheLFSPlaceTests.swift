import TestSupport
import Testing

/// Which objects of Git LFS `apus cache` fetches, and which clients fetch by themselves.
@Suite(.timeLimit(.minutes(10))) struct CacheLFSPlaceTests {
    /// What upstream names may not have the cache ask servers of its own network.
    @Test(arguments: [
        "http://127.0.0.1:PORT/objects/", "http://localhost:PORT/objects/", "http://[::1]:PORT/o/",
        "http://169.254.169.254/latest/", "http://10.0.0.1/", "ftp://files.example/",
        "http://u:p@files.example/", "//files.example/",
    ])
    func whereItMayNotGoTheClientGoesByItself(place: String) throws {
        let other = try FakeUpstream { $0.answer(200) }
        let server = try LFSUpstream([.init("x")])
        let place = place.replacing("PORT", with: "\(other.port)")
        server.change { $0.place = place }
        let answer = try server.batch("anna")
        #expect(server.places(answer).isEmpty)
        #expect(answer.body == LFSUpstream.batch(server.objects, place, ""))
        #expect(other.heads.isEmpty)
    }

    /// Where a name leads is known only when it is asked for: then the client is sent there.
    @Test(arguments: ["http://files.localhost:PORT/objects/", "http://files.invalid/objects/"])
    func whatTheCacheCannotReachTheClientMay(place: String) throws {
        let other = try FakeUpstream { $0.answer(200) }
        let server = try LFSUpstream([.init("x")])
        let place = place.replacing("PORT", with: "\(other.port)")
        server.change { $0.place = place }
        let answer = try server.get(try server.place("anna"))
        #expect(answer.hasPrefix("HTTP/1.1 307 "))
        #expect(answer.header("location") == place + server.objects[0].oid)
        #expect(other.heads.isEmpty)
        #expect(try server.noted(1) == ["passed"])
    }

    /// Another server gets what upstream gave the client for it, and nothing of the client's own.
    @Test func whatIsElsewhereIsFetchedWithoutTheClientsLogin() throws {
        let object = try LFSUpstream.Object("far away")
        let proxy = try FakeUpstream { call in
            if call.head[0].hasPrefix("GET http://files.test/") {
                return call.answer(200, [], "far away")
            }
            call.answer(
                200, ["Content-Type: application/vnd.git-lfs+json"],
                LFSUpstream.batch(
                    [object], "http://files.test/o?s=1&oid=", ",\"header\":{\"X-Signed\":\"yes\"}"))
        }
        let scratch = try TemporaryDirectory()
        let config = try scratch.write(
            "config",
            """
            [upstream "up"]
            url = http://forge.test/
            proxy = http://127.0.0.1:\(proxy.port)
            """.utf8)
        let cache = try ApusServer(cacheIn: scratch("store"), of: [], ["--config", config])
        let lines = [
            "POST /up/x.git/info/lfs/objects/batch HTTP/1.1", "Host: cache", "Connection: close",
            "Content-Length: 2", "Authorization: Bearer anna", "", "{}",
        ]
        let answer = String(
            decoding: try exchange(
                port: cache.port, sending: Array(lines.joined(separator: "\r\n").utf8)),
            as: UTF8.self)
        let place = try #require(answer.body.firstMatch(of: /"http:\/\/cache([^"]*)"/)).1
        for _ in 0 ..< 2 {
            let got = try run(
                "curl", ["-sS", "-H", "Authorization: Bearer anna", cache.http + place])
            #expect(got.out == "far away", "\(got)")
        }
        let heads = proxy.heads.filter { $0[0].hasPrefix("GET ") }
        try #require(heads.count == 1)
        #expect(heads[0][0] == "GET http://files.test/o?s=1&oid=\(object.oid) HTTP/1.1")
        let lower = heads[0].map { $0.lowercased() }
        #expect(lower.contains("x-signed: yes"))
        #expect(!lower.contains { $0.contains("anna") })
    }

    /// What upstream says instead of an object is for the client.
    @Test func whatIsNoObjectIsPassedOn() throws {
        let server = try LFSUpstream([.init("x")])
        let place = try server.place("anna")
        server.change {
            $0.answer = { call in
                call.answer(302, ["Location: https://s3.example/o?sig=1"])
                return true
            }
        }
        let moved = try server.get(place)
        #expect(moved.hasPrefix("HTTP/1.1 302 "))
        #expect(moved.header("location") == "https://s3.example/o?sig=1")
        server.change {
            $0.answer = { call in
                call.answer(503, ["Retry-After: 0"], "later")
                return true
            }
        }
        let busy = try server.get(place)
        #expect(busy.hasPrefix("HTTP/1.1 503 ") && busy.body == "later")
        #expect(busy.header("retry-after") == "0")
        server.change {
            $0.answer = { call in
                call.answer(404, [], "gone")
                return true
            }
        }
        #expect(try server.get(place).hasPrefix("HTTP/1.1 404 "))
        // And with that its right is over.
        #expect(try server.get(place).hasPrefix("HTTP/1.1 403 "))
        #expect(server.fetched.count == 3)
    }

    /// Nothing that is not understood in full is touched.
    @Test(arguments: ["tus", "sha512", "html", "gzip", "large", "status", "upload", "twice"])
    func anotherAnswerIsPassedOnAsItIs(kind: String) throws {
        let server = try LFSUpstream([.init("x")])
        let plain = LFSUpstream.batch(server.objects, "http://forge.example/o/", "")
        var text = plain
        var headers = ["Content-Type: application/vnd.git-lfs+json"]
        switch kind {
        case "tus": text = plain.replacing("\"basic\"", with: "\"tus\"")
        case "sha512": text = plain.replacing("\"more\"", with: "\"hash_algo\":\"sha512\",\"more\"")
        case "html": headers = ["Content-Type: text/html"]
        case "gzip": headers.append("Content-Encoding: gzip")
        case "large": text = plain + String(repeating: " ", count: 5 << 20)
        case "upload": text = plain.replacing("\"download\"", with: "\"upload\"")
        case "twice": text = plain.replacing("\"x\":", with: "\"oid\":")
        default: break
        }
        let status = kind == "status" ? 206 : 200
        server.change { [text, headers] in
            $0.batch = { call in
                call.answer(status, headers, text)
                return true
            }
        }
        let answer = try server.batch("anna")
        #expect(answer.hasPrefix("HTTP/1.1 \(status) ") && answer.body == text)
    }

    /// That for which there is no room goes by itself, so that it drives nothing out.
    @Test func whatIsTooLargeGoesByItself() throws {
        let server = try LFSUpstream(
            [.init("small"), .init([UInt8](repeating: 0, count: 600 << 10))],
            options: ["--answers", "1"])
        let places = server.places(try server.batch("anna"))
        #expect(places.count == 1)
        #expect(try server.get(try #require(places.first)).body == "small")
    }

    @Test func theClientComesTheWayItCame() throws {
        let server = try LFSUpstream([.init("x")])
        let secure = try server.batch("anna", headers: ["X-Forwarded-Proto: https"])
        #expect(secure.contains("\"https://cache/up/x.git/info/lfs/apus/"))
        let encoded = try server.batch("anna", "%78%2Egit/")
        #expect(encoded.contains("\"http://cache/up/%78%2Egit//info/lfs/apus/"))
        let place = try #require(server.places(encoded).first)
        #expect(try server.get(place).body == "x")
    }

    /// Neither the object nor a right to it is left.
    @Test func aPurgeTakesObjectsAndRights() throws {
        let server = try LFSUpstream([.init("erased")])
        let place = try server.place("anna")
        #expect(try server.get(place).body == "erased")
        let other = try server.place("carl", "y.git")
        #expect(try server.get(other).body == "erased")
        let said = try Apus.run(["cache", "purge", "--store", server.pair.store, "up/x"]).required()
        #expect(said.out == "purged up/x: no mirror, 1 answers\n")
        #expect(try server.get(place).hasPrefix("HTTP/1.1 403 "))
        #expect(server.fetched.count == 2)
        #expect(try server.get(try server.place("anna")).body == "erased")
        #expect(server.fetched.count == 3)
        #expect(try server.get(other).body == "erased")
        #expect(server.fetched.count == 3)
    }
}

extension LFSUpstream {
    fileprivate func batch(_ user: String, headers: [String]) throws -> String {
        try batch(user, "x.git", headers)
    }
}
