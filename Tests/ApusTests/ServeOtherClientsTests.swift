import TestSupport
import Testing

/// Other clients than git: dulwich, and pygit2, which is libgit2. They do the same with `apus serve` and with
/// `git http-backend`, and what is left on both sides must be equal, and sound.
///
/// Neither of them knows sha256.
@Suite(.timeLimit(.minutes(10))) struct ServeOtherClientsTests {
    /// The Python that has them: Debian's, where its packages are.
    private static let python = Result {
        let all = ["/usr/bin/python3", "python3"]
        let found = try all.first {
            try run($0, ["-c", "import dulwich, pygit2"]).succeeded
        }
        guard let found else { throw TestFailure("no Python has dulwich and pygit2") }
        return found
    }

    /// Has dulwich or pygit2 do one thing.
    static func act(
        _ client: String, _ action: String, _ url: String, _ directory: String, depth: Int? = nil
    ) throws {
        let script = "\(TestEnvironment.packageRoot)/Tests/Fixtures/other-client.py"
        try run(
            try python.get(),
            [script, client, action, url, directory] + (depth.map { ["\($0)"] } ?? [])
        ).required()
    }

    private static func refs(_ repository: String) throws -> String {
        try Git.run(["for-each-ref", "--format=%(objectname) %(refname)"], in: repository).out
    }

    @Test(arguments: ["dulwich", "pygit2"])
    func clonesFetchesAndPushes(client: String) throws {
        let pair = try ServePair("history") { repository in
            try Git.run(["config", "http.receivepack", "true"], in: repository)
        }
        var left: [[String]] = []
        for side in ServePair.Side.allCases {
            let folder = try TemporaryDirectory()
            let (copy, server) = (folder("copy"), pair.repository(side))
            let url = try pair.url(side)
            var seen: [String] = []
            func look() throws {
                for repository in [copy, server] {
                    try Git.run(["fsck", "--strict", "--no-dangling"], in: repository)
                    seen.append(try Self.refs(repository))
                }
                seen.append(try Git.run(["status", "--porcelain"], in: copy).out)
            }
            try Self.act(client, "clone", url, copy)
            try look()
            // Commits are made at one moment, so that their ids are equal.
            try Git.run(["branch", "fresh", "main~1"], in: server)
            try Git.run(["update-ref", "refs/heads/maint", "main~2"], in: server)
            try Self.act(client, "fetch", url, copy)
            try look()
            try Git.run(["checkout", "-q", "-B", "main", "origin/main"], in: copy)
            try Git.run(["commit", "-q", "--allow-empty", "-m", "New"], in: copy)
            try Self.act(client, "push", url, copy)
            #expect(
                try Git.line(["rev-parse", "main"], in: server)
                    == Git.line(["rev-parse", "main"], in: copy))
            try look()
            left.append(seen)
        }
        #expect(left[0] == left[1])
    }

    /// pygit2 of Debian 12 clones nothing but all.
    @Test(arguments: [1, 3]) func clonesShallow(depth: Int) throws {
        let pair = try ServePair("history")
        let left = try ServePair.Side.allCases.map { side in
            let copy = try TemporaryDirectory()
            try Self.act("dulwich", "clone", try pair.url(side), copy("copy"), depth: depth)
            try Git.run(["fsck", "--strict"], in: copy("copy"))
            let shallow = try #require(readFile(copy("copy/.git/shallow")))
            return [
                // dulwich writes them in any order.
                String(decoding: shallow, as: UTF8.self).split(separator: "\n").sorted()
                    .joined(separator: " "),
                try Git.run(["rev-list", "--all", "--objects"], in: copy("copy")).out,
            ]
        }
        #expect(left[0] == left[1])
        #expect(!left[0][0].isEmpty)
    }

    // MARK: Many at once

    private static let many = 500

    /// All of them are served, and get the same.
    @Test func fiveHundredAtOnce() throws {
        let pair = try ServePair("history")
        let tip = try Git.line(["rev-parse", "main"], in: pair.repository(.apus))
        try Self.expectManyAnswers(pair.url(.apus), of: tip)
    }

    @Test func fiveHundredAtOnceThroughTheCache() throws {
        let store = try TemporaryDirectory()
        let upstream = try Fixture.named("history")
        let cache = try ApusServer(cacheIn: store("store"), of: CachePair.upstreams())
        let tip = try Git.line(["rev-parse", "main"], in: upstream.path)
        try Self.expectManyAnswers("\(cache.http)/git/git/\(upstream.name).git", of: tip)
        #expect(try cache.requests().filter { $0.contains("\"cache\":\"made\"") }.count == 1)
    }

    private static func expectManyAnswers(_ url: String, of tip: String) throws {
        let port = try #require(url.firstMatch(of: /:([0-9]+)\/(.*)$/))
        let body = RawClient.v2("fetch", ["ofs-delta", "no-progress", "want \(tip)", "done"])
        let head = [
            "POST /\(port.2)/git-upload-pack HTTP/1.1", "Host: a", "Connection: close",
            "Git-Protocol: version=2", "Content-Type: application/x-git-upload-pack-request",
            "Content-Length: \(body.count)", "", "",
        ]
        let result = try run(
            try python.get(),
            [
                "\(TestEnvironment.packageRoot)/Tests/Fixtures/many-clients.py", String(port.1),
                "\(many)",
            ], input: Array(head.joined(separator: "\r\n").utf8) + body
        ).required()
        let kinds = result.out.split(separator: "\n")
        #expect(kinds.count == 1, "\(result.out)")
        #expect(kinds.first?.hasPrefix("\(many) HTTP/1.1 200 OK ") == true, "\(result.out)")
        // That of nothing.
        #expect(kinds.first?.contains(" e3b0c44298fc1c14") == false)
    }
}
