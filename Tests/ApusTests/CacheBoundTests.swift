import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What an upstream may make `apus cache` hold, in memory and on the disk.
@Suite(.timeLimit(.minutes(10))) struct CacheBoundTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private static let kind = "Content-Type: application/x-git-upload-pack-"

    private static func line(_ text: String) -> String {
        let size = String(text.utf8.count + 4, radix: 16)
        return String(repeating: "0", count: 4 - size.count) + size + text
    }

    /// KiB that a listing takes at its largest, with as much again for the allocator.
    private static let allowed = 256 << 10

    /// Refs without end, for each of two clients. Nothing of them stays.
    @Test func listingsWithoutEnd() throws {
        let sent = Atomic(0)
        let pair = try CachedUpstream { call in
            if call.head[0].hasPrefix("GET") {
                let text = "version 2\n"
                let lines = [text, "ls-refs\n", "fetch=shallow\n"].map(Self.line).joined()
                return call.answer(200, [Self.kind + "advertisement"], lines + "0000")
            }
            call.write(Array("HTTP/1.1 200 OK\r\n\(Self.kind)result\r\n\r\n".utf8))
            var number = 100_000_000
            while true {
                var lines = ""
                for _ in 0 ..< 1_000 {
                    number += 1
                    lines += Self.line(
                        "\(String(repeating: "1", count: 40)) refs/pull/\(number)/head\n")
                }
                guard call.write(Array(lines.utf8)) else { return }
                sent.add(lines.utf8.count, ordering: .relaxed)
            }
        }
        let before = try #require(pair.cache.memory("VmHWM"))
        let result = try run(
            "sh",
            [
                "-c",
                #"""
                for user in anna bert; do
                  curl -sS -m 120 -H "Authorization: Bearer $user" "$0" &
                done; wait
                """#, "\(pair.cache.http)/up/x.git/info/refs?service=git-upload-pack",
            ], timeout: .seconds(150))
        let told = "The upstream's answer is too large: the server has more than 524288 refs."
        #expect(result.out.components(told).count == 3, "\(result.out.prefix(300)) \(result)")
        // It is not read to its end.
        #expect(sent.load(ordering: .relaxed) < 400 << 20)
        let after = try #require(pair.cache.memory("VmHWM"))
        #expect(after - before < 2 * Self.allowed, "\(before) KiB before, \(after) after")
        let answer = try pair.ask("GET /up/x.git/info/refs?service=git-upload-pack")
        #expect(answer.hasPrefix("HTTP/1.1 502 ") && answer.contains(told), "\(answer)")
    }

    /// The clone that is fed while the pack comes is broken off; from then on upstream is asked for it.
    @Test(arguments: [2, 0])
    func aRepositoryThatIsTooLargeIsPassedOn(version: Int) throws {
        let upstream = try Upstream(commits: 1)
        try run("sh", ["-c", #"head -c 3000000 /dev/urandom >"$0""#, "\(upstream.upstream)/noise"])
            .required()
        try upstream.commit(1)
        _ = try folder.write("settings", "[cache]\n\tmaxPackSize = 1m\n".utf8)
        let cache = try ApusServer(
            cacheIn: folder("store"), of: CachePair.upstreams(),
            ["--config", folder("settings")])
        let url = "\(cache.http)/git/git/\(upstream.name).git"
        let environment = protocolVersion(version)
        let first = try Git.attempt(
            ["clone", "-q", url, folder("first")], environment: environment)
        #expect(!first.succeeded)
        for name in ["second", "third"] {
            try Git.run(["clone", "-q", url, folder(name)], environment: environment)
            try Git.run(["fsck", "--strict"], in: folder(name))
        }
        // Nothing of it stays.
        #expect(try run("find", [folder("store/mirrors"), "-name", "*.pack"]).out == "")
        #expect(try run("find", [folder("store/mirrors"), "-name", "tmp_*"]).out == "")
        let packs = try cache.requests().filter { $0.contains("\"cache\":\"") }
        #expect(packs.suffix(2).allSatisfy { $0.contains("\"cache\":\"passed\"") }, "\(packs)")
        #expect(packs.suffix(2).allSatisfy { $0.contains("(cache.maxPackSize)") }, "\(packs)")
        #expect(
            try cache.requests().filter { $0.contains("\"event\":\"what was fetched for") }.count
                == 1)
        // It is tried again when the setting is another.
        _ = try folder.write("settings", "[cache]\n\tmaxPackSize = 100m\n".utf8)
        kill(cache.id, SIGHUP)
        #expect(
            try eventually {
                try run("rm", ["-rf", folder("fourth")]).required()
                try Git.run(
                    ["clone", "-q", url, folder("fourth")], environment: environment)
                return try cache.requests().last { $0.contains("\"cache\":\"") }?
                    .contains("\"cache\":\"made\"") == true
            })
    }
}
