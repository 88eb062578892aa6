import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `apus cache` while its own store fails it, or its upstream does.
@Suite(.timeLimit(.minutes(10))) struct CacheOutageTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func cache(_ options: [String] = []) throws -> ApusServer {
        try ApusServer(cacheIn: folder("store"), of: CachePair.upstreams(), options)
    }

    private func clone(_ url: String, _ name: String, _ options: [String] = []) throws -> RunResult
    {
        let result = try Git.attempt(["clone", "-q"] + options + [url, folder(name)])
        if result.succeeded { try Git.run(["fsck", "--strict"], in: folder(name)) }
        return result
    }

    private func packs() throws -> [String] {
        try run("find", [folder("store/mirrors"), "-name", "*.pack"]).out
            .split(separator: "\n").map(String.init)
    }

    private func answers() throws -> [String] {
        try run("find", [folder("store/answers"), "-type", "f"]).out
            .split(separator: "\n").map(String.init)
    }

    /// How the requests for packs were answered.
    private func ways(_ cache: ApusServer) throws -> [String] {
        try cache.requests().compactMap { line in
            line.firstMatch(of: /git-upload-pack".*"cache":"([a-z]+)"/).map { String($0.1) }
        }
    }

    // MARK: Its own store

    @Test(arguments: [2, 0])
    func aDamagedMirrorIsMadeAnew(version: Int) throws {
        let upstream = try Upstream(commits: 20)
        let cache = try cache()
        let url = "\(cache.http)/git/git/\(upstream.name).git"
        let environment = protocolVersion(version)
        try Git.run(["clone", "-q", url, folder("first")], environment: environment)
        let answers = try answers()
        #expect(answers.count == 1)
        let pack = try #require(try packs().first)
        let bytes = try #require(readFile(pack))
        let damaged = bytes.indices.map {
            12 ..< bytes.count - 20 ~= $0 ? bytes[$0] ^ 0x55 : bytes[$0]
        }
        try run("sh", ["-c", #"chmod u+w "$0" && cat > "$0""#, pack], input: damaged).required()

        // What is found in the middle of an answer breaks that one off.
        for number in 0 ..< 2 {
            let name = "shallow-\(number)"
            let result = try Git.attempt(
                ["clone", "-q", "--depth", "3", url, folder(name)], environment: environment)
            #expect(result.succeeded || number == 0, "\(result.err)")
            if result.succeeded { try Git.run(["fsck", "--strict"], in: folder(name)) }
        }
        // What was made from it is not sent again either.
        #expect(!exists(answers[0]))
        try upstream.commit(1)
        try Git.run(["fetch", "-q"], in: folder("first"), environment: environment)
        #expect(try packs().allSatisfy { $0 != pack })
        #expect(try cache.requests().contains { $0.contains("\"event\":\"the mirror of") })
    }

    /// An index leads to an entry that is whole, and another object's. An answer with that would be kept, and
    /// nobody could use it.
    @Test func anIndexLeadsToAnotherObject() throws {
        let upstream = try Upstream(commits: 2)
        for name in ["one", "two"] {
            try folder.write(name, noise(3_000, seed: name == "one" ? 1 : 2))
            try run("cp", [folder(name), "\(upstream.upstream)/\(name)"]).required()
        }
        try upstream.commit(1)
        let cache = try cache()
        let url = "\(cache.http)/git/git/\(upstream.name).git"
        #expect(try clone(url, "first").succeeded)
        let answers = try answers()
        let program = """
            import struct, sys
            with open(sys.argv[1], 'r+b') as file:
                data = file.read()
                count = struct.unpack('>I', data[1028:1032])[0]
                places = 1032 + 24 * count
                def place(name):
                    oid = bytes.fromhex(name)
                    rows = [data[1032 + 20 * n:1052 + 20 * n] for n in range(count)]
                    return places + 4 * rows.index(oid)
                one, two = map(place, sys.argv[2:])
                file.seek(one)
                file.write(data[two:two + 4])
            """
        let pack = try #require(try packs().first)
        let index = pack.dropLast(".pack".count) + ".idx"
        try run("chmod", ["u+w", String(index)]).required()
        try run(
            "python3",
            [
                "-c", program, String(index), upstream.git("rev-parse", "main:one"),
                upstream.git("rev-parse", "main:two"),
            ]
        ).required()
        for number in 0 ..< 2 {
            let result = try clone(url, "shallow-\(number)", ["--depth", "1"])
            #expect(result.succeeded || number == 0, "\(result.err)")
        }
        #expect(try cache.requests().contains { $0.contains("\"event\":\"the mirror of") })
        #expect(!exists(answers[0]))
    }

    /// No mirror can be made: upstream answers.
    @Test(arguments: [2, 0])
    func aStoreThatCannotBeWrittenIsPassedBy(version: Int) throws {
        let upstream = try Upstream()
        let cache = try cache()
        try run("sh", ["-c", #"rmdir "$0" && echo > "$0""#, folder("store/mirrors")]).required()
        let url = "\(cache.http)/git/git/\(upstream.name).git"
        try Git.run(["clone", "-q", url, folder("copy")], environment: protocolVersion(version))
        try Git.run(["fsck", "--strict"], in: folder("copy"))
        try upstream.commit(1)
        try Git.run(["pull", "-q"], in: folder("copy"), environment: protocolVersion(version))
        #expect(
            try Git.line(["rev-parse", "HEAD"], in: folder("copy"))
                == Git.line(["rev-parse", "HEAD"], in: upstream.upstream))
        #expect(try ways(cache).allSatisfy { $0 == "passed" })
        #expect(try ways(cache).count >= 2)
    }

    /// A disk that fills up while the first clone comes. That one breaks off; the next is upstream's.
    @Test func aDiskThatIsFullIsPassedBy() throws {
        let upstream = try Upstream()
        _ = try folder.write("noise", noise(400_000))
        try run("cp", [folder("noise"), "\(upstream.upstream)/large"]).required()
        try upstream.commit(1)
        let cache = try cache()
        try run("prlimit", ["--pid", "\(cache.id)", "--fsize=100000:unlimited"]).required()
        let url = "\(cache.http)/git/git/\(upstream.name).git"
        _ = try clone(url, "first")
        for name in ["second", "third"] {
            let result = try clone(url, name, ["--depth", "1"])
            #expect(result.succeeded, "\(result.err)")
        }
        #expect(try ways(cache).suffix(2) == ["passed", "passed"])
        try run("prlimit", ["--pid", "\(cache.id)", "--fsize=unlimited"]).required()
        #expect(try clone(url, "fourth").succeeded)
        #expect(try ways(cache).last == "made")
    }

    /// Letters that do not shrink much.
    private func noise(_ count: Int, seed: UInt32 = 1) -> [UInt8] {
        var state = seed
        return (0 ..< count).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(0x21 + (state >> 16) % 90)
        }
    }

    // MARK: Upstream

    /// Whoever was let in lately sees what was there, and is told; nobody else sees anything.
    @Test(arguments: [2, 0])
    func awayAndStale(version: Int) throws {
        let root = folder("root")
        try run("/bin/mkdir", [root]).required()
        try run("/bin/cp", ["-R", Fixture.named("tiny").path, "\(root)/tiny.git"]).required()
        let upstream = try ApusServer(root: root)
        _ = try folder.write("settings", "[cache]\n\tstaleness = 600\n".utf8)
        let cache = try ApusServer(
            cacheIn: folder("store"), of: ["up=\(upstream.http)/"],
            ["--config", folder("settings")])
        let url = "\(cache.http)/up/tiny.git"
        let environment = protocolVersion(version)
        try Git.run(["clone", "-q", url, folder("before")], environment: environment)
        try upstream.end()

        // More often than a host may fail.
        for number in 0 ..< 7 {
            let result = try Git.attempt(
                ["clone", "--progress", url, folder("after-\(number)")], environment: environment)
            #expect(result.succeeded, "\(result.err)")
            #expect(
                result.err.contains("remote: warning: the upstream cannot be reached"),
                "\(result.err)")
            try Git.run(["fsck", "--strict"], in: folder("after-\(number)"))
        }
        let stranger = try RawClient(url: url, headers: ["Authorization: Basic YTpi"])
            .advertisement("upload-pack")
        #expect([502, 503].contains(stranger.status), "\(stranger)")
        #expect(try cache.requests().filter { $0.contains("\"stale\":\"true\"") }.count >= 7)
    }

    /// A host that does not answer is left alone: clients hear when to come again.
    @Test func awayForLonger() throws {
        let port = try FakeUpstream { _ in }.port
        let cache = try ApusServer(
            cacheIn: folder("store"), of: ["up=http://127.0.0.1:\(port)/"])
        let client = RawClient(url: "\(cache.http)/up/tiny.git")
        var statuses: [Int] = []
        for _ in 0 ..< 8 { statuses.append(try client.advertisement("upload-pack").status) }
        #expect(statuses == [502, 502, 502, 502, 502, 503, 503, 503])
        let answer = try client.advertisement("upload-pack")
        #expect(answer.status == 503)
        #expect(Int(answer.head.header("retry-after") ?? "") ?? 0 > 0, "\(answer)")
        #expect(!answer.text.contains("127.0.0.1"))
    }

    /// Upstream shows its refs, and gives no pack: its reason is the client's, at the first clone too.
    @Test(arguments: [(429, "7"), (503, "7"), (403, nil)])
    func thePackIsRefused(status: Int, retryAfter: String?) throws {
        let oid = String(repeating: "1", count: 40)
        let upstream = try FakeUpstream { call in
            let line = call.head.first ?? ""
            let result = "Content-Type: application/x-git-upload-pack-result"
            if line.hasPrefix("GET") {
                call.answer(
                    200, ["Content-Type: application/x-git-upload-pack-advertisement"],
                    "000eversion 2\n000cls-refs\n0012fetch=shallow\n0000")
            } else if String(decoding: call.body(20), as: UTF8.self).contains("ls-refs") {
                call.answer(200, [result], "003d\(oid) refs/heads/main\n0000")
            } else {
                call.answer(status, retryAfter.map { ["Retry-After: \($0)"] } ?? [])
            }
        }
        let cache = try ApusServer(cacheIn: folder("store"), of: ["up=\(upstream.url)"])
        let client = RawClient(url: "\(cache.http)/up/tiny.git")
        #expect(try client.advertisement("upload-pack").status == 200)
        let answer = try client.post("upload-pack", .fetch(oid))
        #expect(answer.status == status, "\(answer)")
        // Who is told to wait by the cache waits a little longer.
        #expect(answer.head.header("retry-after") == retryAfter, "\(answer)")
        #expect(try packs().isEmpty)
    }
}
