import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Bodies through `apus cache`, both ways.
@Suite(.timeLimit(.minutes(10))) struct CacheForwardBodyTests {
    /// Far above what the cache may hold.
    private static let size = 48 << 20
    /// KiB more than before.
    private static let allowed = 16 << 10

    /// What such a body is made of, so that a lost, doubled or moved part is seen.
    private static let block: [UInt8] = (0 ..< 458_751).map {
        UInt8(truncatingIfNeeded: $0 &* $0 >> 7 ^ $0)
    }

    private static func whole(_ size: Int = size) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size + block.count)
        while bytes.count < size { bytes += block }
        return Array(bytes.prefix(size))
    }

    /// Whether `piece` is what such a body has at `offset`.
    private static func fits(_ piece: [UInt8], at offset: Int) -> Bool {
        var checked = 0
        while checked < piece.count {
            let place = (offset + checked) % block.count
            let count = min(piece.count - checked, block.count - place)
            let isSame = piece.withUnsafeBytes { piece in
                block.withUnsafeBytes { block in
                    guard let one = piece.baseAddress, let other = block.baseAddress else {
                        return false
                    }
                    return memcmp(one + checked, other + place, count) == 0
                }
            }
            guard isSame else { return false }
            checked += count
        }
        return true
    }

    /// Takes a body of known length; says whether it is as it should be.
    private static func take(_ call: FakeUpstream.Call, _ size: Int = size) -> Bool {
        var taken = 0
        var isSame = true
        while taken < size, let piece = call.read() {
            isSame = isSame && fits(piece, at: taken)
            taken += piece.count
        }
        return isSame && taken == size
    }

    /// GET too: what a body means is not the cache's to say.
    @Test(arguments: ["PUT", "GET"])
    func aBodyGoesUpInLittleMemoryThoughUpstreamIsSlow(method: String) throws {
        let pair = try CachedUpstream { call in
            // Nothing is read for a while.
            usleep(700_000)
            call.answer(201, [], "\(call.values("content-length")) \(Self.take(call))")
        }
        let scratch = try TemporaryDirectory()
        let file = try scratch.write("object", Self.whole())
        let before = try #require(pair.cache.memory("VmHWM"))
        let up = try run(
            "curl", ["-sS", "-X", method, "-T", file, "\(pair.cache.http)/up/lfs/object"])
        #expect(up.out == "[\"\(Self.size)\"] true", "\(up)")
        #expect(pair.upstream.heads.first?.first == "\(method) /lfs/object HTTP/1.1")
        let after = try #require(pair.cache.memory("VmHWM"))
        #expect(after - before < Self.allowed, "\(before) KiB before, \(after) after")
    }

    @Test func aBodyGoesDownInLittleMemoryThoughTheClientIsSlow() throws {
        let pair = try CachedUpstream { call in
            call.write(Array("HTTP/1.1 200 OK\r\nContent-Length: \(Self.size)\r\n\r\n".utf8))
            call.write(Self.whole())
        }
        let scratch = try TemporaryDirectory()
        let file = try scratch.write("object", Self.whole())
        let before = try #require(pair.cache.memory("VmHWM"))
        let down = try run(
            "curl",
            ["-sS", "--limit-rate", "40M", "-o", scratch("copy"), "\(pair.cache.http)/up/object"])
        #expect(down.succeeded, "\(down)")
        #expect(try run("cmp", [file, scratch("copy")]).succeeded)
        let after = try #require(pair.cache.memory("VmHWM"))
        #expect(after - before < Self.allowed, "\(before) KiB before, \(after) after")
    }

    @Test func aBodyInChunksStaysInChunksAndPacked() throws {
        let seen = Mutex<[String]>([])
        let pair = try CachedUpstream { call in
            seen.withLock {
                $0 = ["transfer-encoding", "content-length", "content-encoding"]
                    .flatMap(call.values)
            }
            var body = ""
            while !body.hasSuffix("0\r\n\r\n"), let piece = call.read() {
                body += String(decoding: piece, as: UTF8.self)
            }
            call.answer(200, [], body)
        }
        let answer = try pair.ask(
            "PATCH /up/x", ["Transfer-Encoding: chunked", "Content-Encoding: gzip"],
            body: Array("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n".utf8))
        #expect(seen.withLock { $0 } == ["chunked", "gzip"])
        #expect(answer.body.hasSuffix("\r\n0\r\n\r\n"))
        let chunks = answer.body.components("\r\n")
        #expect(stride(from: 1, to: chunks.count, by: 2).map { chunks[$0] }.joined() == "abcde")
        #expect(pair.upstream.heads.first?.first == "PATCH /x HTTP/1.1")
    }

    @Test func theBodyOfAHeadGoesNoFurther() throws {
        let pair = try CachedUpstream { $0.answer(200) }
        let answer = try pair.ask(
            "HEAD /up/x", ["Transfer-Encoding: chunked"], body: Array("3\r\nabc\r\n0\r\n\r\n".utf8))
        #expect(answer.hasPrefix("HTTP/1.1 200"))
        let head = try #require(pair.upstream.heads.first)
        #expect(head.first == "HEAD /x HTTP/1.1")
        #expect(!head.contains { $0.lowercased().hasPrefix("transfer-encoding") })
    }

    /// Several at a time: see `BreakOffTests`.
    @Test(arguments: ["Content-Length: 100000", "Transfer-Encoding: chunked"])
    func anAnswerThatUpstreamBreaksOffIsBrokenOff(framing: String) throws {
        let pair = try CachedUpstream { call in
            call.write(Array("HTTP/1.1 200 OK\r\n\(framing)\r\n\r\n".utf8))
            call.write(Array("5\r\nabcde\r\n".utf8))
        }
        let results = try run(
            "sh",
            [
                "-c",
                #"for i in 1 2 3 4 5 6; do (curl -sS -m 15 "$0"; echo "exit=$?") & done; wait"#,
                "\(pair.cache.http)/up/x",
            ])
        let exits = results.out.matches(of: /exit=([0-9]+)/).map { String($0.1) }
        // 18: an answer that is not whole; 56: a connection that broke.
        #expect(exits.count == 6 && exits.allSatisfy(["18", "56"].contains), "\(results)")
        #expect(results.out.matches(of: /abcde/).count == 6)
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
        let result = try run("curl", ["-sS", "-m", "0.5", "\(pair.cache.http)/up/x"])
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
        let file = try scratch.write("big", Self.whole(8 << 20))
        let answer = try run(
            "curl", ["-sS", "-i", "-T", file, "-H", "Expect:", "\(pair.cache.http)/up/x"])
        #expect(answer.out.contains(" 413 "), "\(answer)")
        #expect(answer.out.hasSuffix("too much"))
    }
}
