import Foundation
import Synchronization
import TestSupport
import Testing

/// Objects of Git LFS through `apus cache`.
@Suite(.timeLimit(.minutes(10))) struct CacheLFSTests {
    @Test func aBatchLeadsThroughTheCache() throws {
        let server = try LFSUpstream([.init("one"), .init("two"), .init("")])
        let answer = try server.batch("anna")
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        let places = server.places(answer)
        try #require(places.count == 3)
        let token = try #require(places[0].split(separator: "?token=").last)
        #expect(token.wholeMatch(of: /[0-9a-f]{32}/) != nil)
        // But for the URLs it is what upstream said, byte for byte.
        let base = "http:\\/\\/127.0.0.1:\(server.pair.upstream.port)\\/objects\\/"
        var said = answer.body
        for (object, place) in zip(server.objects, places) {
            #expect(place == "/up/x.git/info/lfs/apus/\(object.oid)?token=\(token)")
            said = said.replacing("http://cache\(place)", with: base + object.oid)
        }
        #expect(said == LFSUpstream.batch(server.objects, base.replacing("\\", with: ""), ""))
        #expect(answer.header("content-length") == "\(answer.body.utf8.count)")

        for (object, place) in zip(server.objects, places) {
            for _ in 0 ..< 2 {
                let got = try server.get(place)
                #expect(got.hasPrefix("HTTP/1.1 200 ") && Array(got.body.utf8) == object.bytes)
                #expect(got.header("content-length") == "\(object.bytes.count)")
            }
        }
        #expect(server.fetched.count == 3)
        let noted = try server.noted(6)
        let log = try server.pair.cache.requests()
        // An answer that was just sent is kept a moment later.
        #expect(
            noted.map { $0 == "shared" ? "hit" : $0 } == [
                "made", "hit", "made", "hit", "made", "hit",
            ], "\(log)")
        // Nobody finds the right in the log or on the disk.
        #expect(try !server.pair.cache.requests().contains { $0.contains(token) })
        let found = try run(
            "grep", ["-rlaF", "-e", String(token), "-e", "anna", server.pair.store])
        #expect(found.out == "" && found.exit == .code(1), "\(found)")
    }

    @Test func aPartOfWhatIsKeptIsSent() throws {
        let server = try LFSUpstream([.init("0123456789")])
        let place = try server.place("anna")
        _ = try server.get(place)
        let part = try server.get(place, ["Range: bytes=4-9"])
        #expect(part.hasPrefix("HTTP/1.1 206 ") && part.body == "456789")
        #expect(part.header("content-range") == "bytes 4-9/10")
        #expect(try server.get(place, ["Range: bytes=10-"]).hasPrefix("HTTP/1.1 416 "))
        #expect(server.fetched.count == 1)
    }

    /// What one client brought here another one gets only if upstream lets it.
    @Test func everybodyNeedsARightOfTheirOwn() throws {
        let server = try LFSUpstream([.init("secret")])
        let oid = server.objects[0].oid
        let anna = try server.place("anna")
        #expect(try server.get(anna).body == "secret")

        // Carl is refused; that he knows the name, or has a right elsewhere, helps nothing.
        #expect(try server.batch("carl").hasPrefix("HTTP/1.1 403 "))
        #expect(try server.batch(nil).hasPrefix("HTTP/1.1 401 "))
        let carl = try server.place("carl", "y.git")
        let token = try #require(carl.split(separator: "?").last)
        let login = [LFSUpstream.login("carl")]
        for query in ["?\(token)", "?token=", "?token=\(String(repeating: "0", count: 32))"] {
            let answer = try server.get("/up/x.git/info/lfs/apus/\(oid)\(query)", login)
            #expect(answer.hasPrefix("HTTP/1.1 403 ") && !answer.contains("secret"), "\(query)")
        }
        for query in ["", "?\(token)&\(token)", "?x=y"] {
            // Which is nothing of the cache's, and upstream has no such thing.
            let answer = try server.get("/up/x.git/info/lfs/apus/x\(oid)\(query)", login)
            #expect(answer.hasPrefix("HTTP/1.1 404 ") && !answer.contains("secret"), "\(query)")
        }
        // In another repository it is another one: upstream may not have it there.
        #expect(server.fetched.count == 1)
        #expect(try server.get(carl).body == "secret")
        #expect(server.fetched.count == 2)

        // Bert has one, and gets what is kept.
        let bert = try server.place("bert")
        #expect(bert != anna)
        #expect(try server.get(bert).body == "secret")
        #expect(server.fetched.count == 2)
        #expect(try server.noted(9).last == "hit")

        // When upstream refuses one, its right is over, and no other.
        server.change { $0.refused = ["anna"] }
        #expect(try server.batch("anna").hasPrefix("HTTP/1.1 403 "))
        #expect(try server.get(anna).hasPrefix("HTTP/1.1 403 "))
        #expect(try server.get(bert).body == "secret")
    }

    @Test func aRightEndsWhenUpstreamSays() throws {
        let server = try LFSUpstream([.init("short")])
        server.change { $0.action = ",\"expires_in\":1" }
        let place = try server.place("anna")
        #expect(try server.get(place).body == "short")
        #expect(try eventually { try server.get(place).hasPrefix("HTTP/1.1 403 ") })
        #expect(server.fetched.count == 1)
    }

    /// Upstream is asked for one byte, from time to time.
    @Test func whereUpstreamDoesNotSayItIsAskedAgain() throws {
        let scratch = try TemporaryDirectory()
        let config = try scratch.write("config", "[cache]\ngrantLifetime = 1\n".utf8)
        let server = try LFSUpstream([.init("long")], options: ["--config", config])
        let place = try server.place("anna")
        #expect(try server.get(place).body == "long")
        sleep(1)
        #expect(try server.get(place).body == "long")
        try #require(server.fetched.count == 2)
        let head = server.fetched[1].map { $0.lowercased() }
        #expect(head.contains("range: bytes=0-0") && head.contains("authorization: bearer anna"))
        sleep(1)
        server.change { behaviour in
            behaviour.answer = { call in
                call.answer(403, [], "not any more")
                return true
            }
        }
        let refused = try server.get(place)
        #expect(refused.hasPrefix("HTTP/1.1 403 ") && refused.body == "not any more")
        #expect(try !server.get(place).contains("long"))
        #expect(server.fetched.count == 3)
    }

    /// What comes with the URL is the login; where none does and it is upstream itself, the client's.
    @Test func credentialsGoWhereTheyBelong() throws {
        let server = try LFSUpstream([.init("a")])
        server.change { $0.answer = { call in call.values("x-part") == ["no"] } }
        _ = try server.get(try server.place("anna"), ["Cookie: of=mine", "X-Other: 1"])
        #expect(
            Set(try #require(server.fetched.last).dropFirst().map { $0.lowercased() }) == [
                "host: 127.0.0.1:\(server.pair.upstream.port)", "accept-encoding: identity",
                "authorization: bearer anna", "user-agent: git/apus-0.1",
            ])
        server.change {
            $0.action = ",\"header\":{\"Authorization\":\"Basic eA==\",\"X-Own\":\"yes\"}"
        }
        _ = try server.get(try server.place("carl", "y.git"))
        let head = try #require(server.fetched.last).map { $0.lowercased() }
        #expect(head.contains("authorization: basic ea==") && head.contains("x-own: yes"))
        #expect(!head.contains { $0.contains("carl") })
    }

    /// One of some pieces is broken off, and of one piece nothing is sent.
    @Test(arguments: [9, 3 << 20]) func whatIsNotWhatItsNameSaysIsKeptForNobody(size: Int) throws {
        let object = try LFSUpstream.Object([UInt8](repeating: 0x61, count: size))
        let server = try LFSUpstream([object])
        server.change {
            $0.answer = { call in
                LFSUpstream.send(Array(object.bytes.dropLast()) + [0x62], call)
                return true
            }
        }
        let place = try server.place("anna")
        for _ in 0 ..< 2 {
            let got = try server.get(place)
            #expect(got.hasPrefix("HTTP/1.1 502 ") || got.hasPrefix("HTTP/1.1 200 "))
            #expect(!got.contains("b\u{0}") && got.body.utf8.count != size)
            #expect(size < 100 ? got.hasPrefix("HTTP/1.1 502 ") : !got.body.hasSuffix("b"))
        }
        #expect(server.fetched.count == 2)
        // One that is too short or too long is not it either.
        for bytes in [object.bytes.dropLast(), object.bytes + [0x61]] {
            server.change {
                $0.answer = { call in
                    call.write(Array("HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\n".utf8))
                    call.write(Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes)
                    return call.write(Array("\r\n0\r\n\r\n".utf8))
                }
            }
            let got = try server.get(place)
            #expect(!got.hasPrefix("HTTP/1.1 200 ") || got.body.utf8.count < size)
        }
        server.change { $0.answer = nil }
        #expect(Array(try server.get(place).body.utf8) == object.bytes)
    }

    /// A part of what is coming comes with it; upstream is asked for the whole, once.
    @Test func aPartOfWhatIsComingIsSent() throws {
        let (object, server, gate) = try halfWay()
        let scratch = try TemporaryDirectory()
        let whole = try curl(server, scratch("whole"), [])
        #expect(eventually { (readFile(scratch("whole"))?.count ?? 0) > 900_000 })
        let half = 1 << 20
        // From before the middle, from behind it, the end, and parts that are there; with what is known by now.
        let asked = [
            ("1000000-", 1_000_000 ..< object.bytes.count, "206"),
            ("1500000-", 1_500_000 ..< object.bytes.count, "206"),
            ("-1000", object.bytes.count - 1_000 ..< object.bytes.count, "206"),
            ("0-99", 0 ..< 100, "206"), ("100-700000", 100 ..< 700_001, "206"),
            ("\(half - 10)-\(half + 9)", half - 10 ..< half + 10, "206"),
            ("0-", 0 ..< object.bytes.count, "206"),
            ("5-3", 0 ..< object.bytes.count, "200"),
        ]
        let clients = try asked.enumerated().map { number, one in
            try curl(server, scratch("\(number)"), ["-r", one.0])
        }
        // Of a part behind which something is to come, not all is sent: it may not be what it should be.
        #expect(eventually { (readFile(scratch("0"))?.count ?? 0) > 40_000 })
        #expect(eventually { (readFile(scratch("4"))?.count ?? 0) > 500_000 })
        #expect((readFile(scratch("4"))?.count ?? 0) < 700_000)
        #expect(readFile(scratch("3"))?.isEmpty ?? true)
        let none = try curl(server, scratch("none"), ["-r", "\(object.bytes.count)-"]).wait()
        #expect(none.out.hasPrefix("416 "), "\(none)")
        gate.open()
        for (number, (range, bytes, status)) in asked.enumerated() {
            let result = try clients[number].wait()
            let place = "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(object.bytes.count)"
            #expect(
                result.succeeded && result.out == "\(status) \(status == "206" ? place : "")",
                "\(range): \(result)")
            let isRight = readFile(scratch("\(number)")) == Array(object.bytes[bytes])
            #expect(isRight, "\(range)")
        }
        let isRight = try whole.wait().succeeded && readFile(scratch("whole")) == object.bytes
        #expect(isRight)
        #expect(server.fetched.count == 1)
    }

    /// Where a part does not come soon the whole is sent: who hears nothing gives up.
    @Test func aPartThatIsLongInComingIsNotWaitedFor() throws {
        let (object, server, gate) = try halfWay()
        let scratch = try TemporaryDirectory()
        // The first to ask for it, and one that follows.
        let clients = try (0 ..< 2).map { number in
            defer { usleep(200_000) }
            return try curl(server, scratch("\(number)"), ["-r", "2000000-"])
        }
        for number in 0 ..< 2 {
            #expect(eventually { (readFile(scratch("\(number)"))?.count ?? 0) > 900_000 })
        }
        gate.open()
        for (number, client) in clients.enumerated() {
            #expect(try client.wait().out == "200 ")
            let isRight = readFile(scratch("\(number)")) == object.bytes
            #expect(isRight)
        }
        #expect(server.fetched.count == 1)
    }

    /// No part of what is not what its name says is sent to its end.
    @Test func aPartOfWhatIsWrongIsSentToNobody() throws {
        let (object, server, gate) = try halfWay(isRight: false)
        let scratch = try TemporaryDirectory()
        let clients = try ["0-99", "0-800000", "-100"].map { range in
            try curl(server, scratch(range), ["-r", range])
        }
        #expect(eventually { (readFile(scratch("0-800000"))?.count ?? 0) > 500_000 })
        gate.open()
        for client in clients {
            let result = try client.wait()
            #expect(result.out.hasPrefix("502 ") || result.exit == .code(18), "\(result)")
        }
        for name in ["0-99", "-100"] {
            #expect(!(readFile(scratch(name)) ?? []).starts(with: object.bytes.prefix(50)))
        }
        #expect((readFile(scratch("0-800000"))?.count ?? 0) < 800_000)
    }

    /// One of two mebibytes, of which upstream sends the second only when the gate is open.
    private func halfWay(isRight: Bool = true) throws -> (LFSUpstream.Object, LFSUpstream, Gate) {
        var random = SystemRandomNumberGenerator()
        let bytes = (0 ..< 2 << 20).map { _ in UInt8.random(in: 0 ... 255, using: &random) }
        let object = try LFSUpstream.Object(bytes)
        let server = try LFSUpstream([object])
        let gate = Gate()
        server.change {
            $0.answer = { call in
                call.write(
                    Array("HTTP/1.1 200 So\r\nContent-Length: \(bytes.count)\r\n\r\n".utf8))
                call.write(Array(bytes.prefix(1 << 20)))
                gate.wait()
                call.write(Array(bytes.dropFirst(1 << 20).dropLast()))
                return call.write([isRight ? bytes[bytes.count - 1] : ~bytes[bytes.count - 1]])
            }
        }
        return (object, server, gate)
    }

    /// Says the status and the place of what it got.
    private func curl(
        _ server: LFSUpstream, _ file: String, _ options: [String]
    ) throws -> ChildProcess {
        try ChildProcess(
            "curl",
            ["-sS", "-N", "-o", file, "-w", "%{http_code} %header{content-range}"] + options
                + [server.pair.cache.http + server.place("anna")])
    }

    /// The first byte does not wait for the last, and a second client follows.
    @Test func whoAsksForWhatIsComingFollows() throws {
        let object = try LFSUpstream.Object([UInt8](repeating: 0x61, count: 2 << 20))
        let server = try LFSUpstream([object])
        let gate = Gate()
        server.change {
            $0.answer = { call in
                call.write(
                    Array("HTTP/1.1 200 So\r\nContent-Length: \(object.bytes.count)\r\n\r\n".utf8))
                call.write(Array(object.bytes.prefix(1 << 20)))
                gate.wait()
                call.write(Array(object.bytes.dropFirst(1 << 20)))
                return true
            }
        }
        let places = try ["anna", "bert"].map { try server.place($0) }
        let scratch = try TemporaryDirectory()
        let clients = try places.enumerated().map { number, place in
            defer { _ = eventually { (readFile(scratch("\(number)"))?.count ?? 0) > 100_000 } }
            return try ChildProcess(
                "curl", ["-sSf", "-o", scratch("\(number)"), server.pair.cache.http + place])
        }
        for number in 0 ..< 2 { #expect((readFile(scratch("\(number)"))?.count ?? 0) > 100_000) }
        gate.open()
        for (number, client) in clients.enumerated() {
            #expect(try client.wait().succeeded)
            #expect(readFile(scratch("\(number)")) == object.bytes)
        }
        #expect(server.fetched.count == 1)
        #expect(Set(try server.noted(2)) == ["made", "shared"])
    }

    final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        func wait() { _ = semaphore.wait(timeout: .now() + 30) }
        func open() { for _ in 0 ..< 10 { semaphore.signal() } }
    }

    /// If the client goes for which it is fetched, it is fetched on for another one.
    @Test func theFetchOutlivesItsFirstClient() throws {
        let object = try LFSUpstream.Object([UInt8](repeating: 0x61, count: 2 << 20))
        let server = try LFSUpstream([object])
        let gate = Gate()
        server.change {
            $0.answer = { call in
                call.write(
                    Array("HTTP/1.1 200 So\r\nContent-Length: \(object.bytes.count)\r\n\r\n".utf8))
                call.write(Array(object.bytes.prefix(1 << 20)))
                gate.wait()
                return call.write(Array(object.bytes.dropFirst(1 << 20)))
            }
        }
        let scratch = try TemporaryDirectory()
        var clients: [ChildProcess] = []
        for user in ["anna", "bert"] {
            let file = scratch(user)
            clients.append(
                try ChildProcess(
                    "curl", ["-sSf", "-o", file, server.pair.cache.http + server.place(user)]))
            #expect(eventually { (readFile(file)?.count ?? 0) > 100_000 })
        }
        clients[0].send(9, group: false)
        _ = try clients[0].wait()
        #expect(try server.noted(1) == ["made"])
        gate.open()
        #expect(try clients[1].wait().succeeded)
        #expect(readFile(scratch("bert")) == object.bytes)
        #expect(server.fetched.count == 1)
    }
}
