import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What `apus cache` does when things break around it.
@Suite(.timeLimit(.minutes(10))) struct CacheHardshipTests {
    private let scratch = Result { try TemporaryDirectory() }
    private var folder: TemporaryDirectory { get throws { try scratch.get() } }

    private func cache(_ upstreams: [String]? = nil) throws -> ApusServer {
        try ApusServer(
            cacheIn: try folder("store"), of: try upstreams ?? CachePair.upstreams())
    }

    /// What is in the store, but for what it is made of.
    private func unfinished() throws -> String {
        try run(
            "find",
            [
                try folder("store"), "(", "-name", "tmp_*", "-o", "-name", "*.new", "-o", "-name",
                "*.tmp*", "-o", "-name", "*.lock", "-o", "-name", "*.keep", "-o", "-name",
                "incoming*", ")",
            ]
        ).out
    }

    @Test func upstreamIsGone() throws {
        let root = try folder("root")
        let tiny = try Fixture.named("tiny")
        try run("/bin/mkdir", [root]).required()
        try run("/bin/cp", ["-R", tiny.path, "\(root)/tiny.git"]).required()
        let upstream = try ApusServer(root: root)
        let cache = try cache(["up=\(upstream.http)/"])
        let url = "\(cache.http)/up/tiny.git"
        try Git.run(["clone", "-q", url, try folder("before")])
        try upstream.end()

        for version in [2, 0] {
            let clone = try Git.attempt(
                ["clone", "-q", url, try folder("after")], environment: protocolVersion(version))
            #expect(clone.exit == .code(128))
            let fatal = clone.errorLines.filter { $0.hasPrefix("fatal: ") }
            #expect(fatal.count == 1)
            #expect(fatal.first?.hasSuffix("The requested URL returned error: 502") == true)
            #expect(try !exists(folder("after")))
        }
        let fetch = try Git.attempt(["fetch", "-q"], in: try folder("before"))
        #expect(fetch.exit == .code(128))
        let answer = try RawClient(url: url).advertisement("upload-pack")
        #expect(answer.status == 502)
        #expect(answer.body.split(separator: 0x0a).count == 1, "\(answer)")
        #expect(try unfinished() == "")
    }

    /// What upstream says of a failure of its own is passed on, or is 502.
    @Test(
        arguments: [
            (400, 502), (403, 403), (404, 404), (410, 410), (429, 429), (500, 502), (503, 503),
        ])
    func upstreamRefuses(status: Int, expected: Int) throws {
        let cache = try CachePair.sharedCache()
        let client = RawClient(url: "\(cache.http)/git/status/\(status)/tiny.git")
        #expect(try client.advertisement("upload-pack").status == expected)
        #expect(
            try client.post("upload-pack", .fetch(String(repeating: "1", count: 40))).status
                == expected)
    }

    /// No Git server, or one that says what it must not.
    @Test(arguments: ["page/x.git", "loop/x.git"])
    func upstreamIsNoGitServer(path: String) throws {
        let cache = try CachePair.sharedCache()
        let answer = try RawClient(url: "\(cache.http)/git/\(path)").advertisement("upload-pack")
        #expect(answer.status == 502, "\(answer)")
    }

    /// Other servers than those of the list are nobody's business.
    @Test(arguments: ["other/tiny.git", "", "127.0.0.1/tiny.git", "%2e%2e/tiny.git"])
    func onlyTheUpstreamsOfTheListAreAsked(path: String) throws {
        let cache = try CachePair.sharedCache()
        let answer = try RawClient(url: "\(cache.http)/\(path)").advertisement("upload-pack")
        #expect([400, 404].contains(answer.status), "\(answer)")
    }

    @Test func killedInTheMiddleOfTheFirstClone() throws {
        let upstream = try SlowUpstream()
        let first = try cache()
        let path = "/git/slow/\(upstream.name).git"
        let clone = try ChildProcess(
            "git", ["clone", "-q", first.http + path, try folder("first")])
        try SlowUpstream.waitForPack(in: try folder("store"))
        try first.end()
        #expect(try clone.wait().exit == .code(128))

        let second = try cache()
        let fast = "\(second.http)/git/git/\(upstream.name).git"
        for url in [second.http + path, fast] {
            let copy = try folder("copy-\(UInt32.random(in: 0 ... .max))")
            try Git.run(["clone", "-q", url, copy])
            try Git.run(["fsck", "--strict"], in: copy)
        }
        let left = try unfinished()
        #expect(left == "")
    }

    @Test func anAnswerOnDiskIsDamaged() throws {
        let upstream = try Upstream()
        let first = try cache()
        let path = "/git/git/\(upstream.name).git"
        try Git.run(["clone", "-q", first.http + path, try folder("first")])
        try first.end(by: SIGTERM)
        let answers = try run("find", [try folder("store/answers"), "-type", "f"]).out
            .split(separator: "\n").map(String.init)
        let answer = try #require(answers.first)
        #expect(answers.count == 1)
        var bytes = try #require(readFile(answer))
        bytes[bytes.count / 2] ^= 1
        try run("sh", ["-c", #"cat > "$0""#, answer], input: bytes).required()

        let second = try cache()
        for number in 0 ..< 2 {
            let copy = try folder("second-\(number)")
            try Git.run(["clone", "-q", second.http + path, copy])
            try Git.run(["fsck", "--strict"], in: copy)
        }
        try second.end(by: SIGTERM)
        let log = try second.requests().joined(separator: "\n")
        let made = try #require(log.firstRange(of: "\"cache\":\"made\""))
        let hit = try #require(log.firstRange(of: "\"cache\":\"hit\""))
        #expect(made.lowerBound < hit.lowerBound)
    }

    /// What was kept serves after a restart, too.
    @Test(arguments: [SIGTERM, SIGKILL])
    func anAnswerOutlivesTheProcess(signal: Int32) throws {
        let upstream = try Upstream()
        let first = try cache()
        let path = "/git/git/\(upstream.name).git"
        try Git.run(["clone", "-q", first.http + path, try folder("first")])
        try first.end(by: signal)
        let second = try cache()
        try Git.run(["clone", "-q", second.http + path, try folder("second")])
        try Git.run(["fsck", "--strict"], in: try folder("second"))
        try second.end(by: SIGTERM)
        #expect(try second.requests().contains { $0.contains("\"cache\":\"hit\"") })
    }

    @Test func theStoreIsAnothers() throws {
        let first = try cache()
        let second = try Apus.run([
            "cache", "--store", try folder("store"), "--upstream", "git=http://127.0.0.1:1/",
            "--listen", "127.0.0.1:0",
        ])
        expectFailure(second)
        #expect(second.err.contains("another process has the cache's folder"), "\(second.err)")
        #expect(try RawClient(url: "\(first.http)/-/healthy/x").advertisement("x").status == 404)
    }

    @Test(
        arguments: [
            ("--upstream x=http://127.0.0.1:1/", 129), ("--store STORE", 129),
            ("--store STORE --upstream x=http://127.0.0.1:1/ --answers 0", 129),
            ("--store STORE --upstream x=http://127.0.0.1:1/ --grace -1", 129),
            ("--store STORE --upstream x=ssh://127.0.0.1/", 128),
            ("--store STORE --upstream x=http://ada:lovelace@127.0.0.1/", 128),
            ("--store STORE --upstream -=http://127.0.0.1/", 128),
            ("--store STORE --upstream a/b=http://127.0.0.1/", 128),
            ("--store STORE --upstream =http://127.0.0.1/", 128),
            ("--store STORE/no/such --upstream x=http://127.0.0.1:1/", 128),
            ("--store STORE --upstream x=http://127.0.0.1:1/ --listen nowhere", 129),
        ])
    func badOptions(line: String, code: Int32) throws {
        let store = try folder("store")
        let words = line.split(separator: " ").map { $0.replacing("STORE", with: store) }
        let result = try Apus.run(["cache"] + words.map(String.init))
        #expect(result.exit == .code(code), "\(result.err)")
        #expect(result.out == "")
        #expect(!result.err.contains("lovelace"))
        if code == 128 { expectFailure(result) }
        #expect(!exists(store))
    }
}
