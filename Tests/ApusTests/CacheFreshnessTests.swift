import TestSupport
import Testing

/// What is fetched through `apus cache` is what upstream has at that moment.
@Suite(.timeLimit(.minutes(10))) struct CacheFreshnessTests {
    static let ways = [("git", 2), ("git", 0), ("old", 2), ("old", 0)]

    @Test(arguments: ways)
    func everyChangeIsSeenAtOnce(location: String, version: Int) throws {
        let upstream = try Upstream()
        try upstream.git("branch", "topic")
        let pair = try CachePair(location, version: version)
        let url = "URL/\(upstream.name).git"
        try pair.git("clone -q \(url) copy")
        try pair.expectSame()

        try upstream.commit(2)
        try upstream.git("tag", "-m", "One", "v1")
        try pair.git("fetch -q", in: "copy")
        try pair.expectSame()

        // History is rewritten.
        try upstream.git("reset", "-q", "--hard", "HEAD~3")
        try upstream.commit(1, file: "other")
        try upstream.git("tag", "-f", "-m", "Another", "v1")
        try pair.git("fetch -q --force --tags", in: "copy")
        try pair.expectSame()

        // HEAD is renamed, and a branch is deleted.
        try upstream.git("branch", "-m", "main", "trunk")
        try upstream.git("branch", "-D", "topic")
        try pair.git("ls-remote --symref \(url)")
        try pair.git("fetch -q --prune", in: "copy")
        try pair.git("remote set-head origin --auto", in: "copy")
        try pair.expectSame()
        try pair.git("clone -q \(url) again")
        try pair.expectSame("again")
    }

    /// The client gets what it was shown.
    @Test(arguments: ["git", "old"])
    func aBranchMovesBetweenListingAndFetch(location: String) throws {
        let upstream = try Upstream()
        let client = try client(upstream, location)
        let shown = try upstream.git("rev-parse", "main")
        #expect(try list(client).contains(shown))
        try upstream.commit(1)
        try expectPack(try client.post("upload-pack", .fetch(shown)), of: shown)
        let moved = try upstream.git("rev-parse", "main")
        #expect(try list(client).contains(moved))
        try expectPack(try client.post("upload-pack", .fetch(moved)), of: moved)
    }

    @Test func aBranchIsRewrittenBetweenListingAndFetch() throws {
        let upstream = try Upstream()
        let client = try client(upstream, "git")
        let shown = try upstream.git("rev-parse", "main")
        #expect(try list(client).contains(shown))
        try upstream.git("reset", "-q", "--hard", "HEAD~2")
        try upstream.commit(1, file: "other")
        try expectPack(try client.post("upload-pack", .fetch(shown)), of: shown)
    }

    /// Two clients of no name: one lists again before the other fetches what it was shown.
    @Test func anotherListsBetweenListingAndFetch() throws {
        let upstream = try Upstream()
        let client = try client(upstream, "git")
        let shown = try upstream.git("rev-parse", "main")
        #expect(try list(client).contains(shown))
        try upstream.git("reset", "-q", "--hard", "HEAD~2")
        try upstream.commit(1, file: "other")
        #expect(try !list(client).contains(shown))
        try expectPack(try client.post("upload-pack", .fetch(shown)), of: shown)
    }

    /// What a client was shown is gone for good: it is told so, and the next one gets what there is.
    @Test(arguments: ["git", "old"])
    func whatWasShownIsErased(location: String) throws {
        let upstream = try Upstream()
        let client = try client(upstream, location)
        let shown = try upstream.git("rev-parse", "main")
        #expect(try list(client).contains(shown))
        try upstream.git("reset", "-q", "--hard", "HEAD~2")
        try upstream.git("reflog", "expire", "--expire=all", "--all")
        try upstream.git("gc", "-q", "--prune=now")
        let refused = try client.post("upload-pack", .fetch(shown))
        #expect(refused.parts.pack == [], "\(refused)")
        let pair = try CachePair(location)
        try pair.git("clone -q URL/\(upstream.name).git copy")
        try pair.expectSame()
    }

    /// By its id alone, which some clients know from elsewhere; whether or not anything was fetched before.
    @Test(arguments: ["", "--depth=1"], [false, true])
    func aCommitThatNoRefHolds(option: String, isWarm: Bool) throws {
        let upstream = try Upstream()
        let pair = try CachePair()
        let url = "URL/\(upstream.name).git"
        if isWarm { try pair.git("clone -q \(url) other") }
        let commit = try upstream.git("rev-parse", "main~2")
        try pair.git("init -q copy")
        try pair.git("fetch -q \(option) \(url) \(commit)", in: "copy")
        try pair.git("checkout -q FETCH_HEAD", in: "copy")
        #expect(try Git.line(["rev-parse", "HEAD"], in: pair.folder(.cached)("copy")) == commit)
        try Git.run(["fsck", "--strict"], in: pair.folder(.cached)("copy"))
    }

    /// What of upstream's refs the client does not ask for is in nobody's way.
    @Test(arguments: ["git", "old"])
    func anotherBranchVanishesBetweenListingAndFetch(location: String) throws {
        let upstream = try Upstream()
        try upstream.git("checkout", "-q", "-b", "topic")
        try upstream.commit(1)
        try upstream.git("checkout", "-q", "main")
        let client = try client(upstream, location)
        let shown = try upstream.git("rev-parse", "main")
        #expect(try list(client).contains(shown))
        try upstream.git("branch", "-q", "-D", "topic")
        try upstream.git("reflog", "expire", "--expire=all", "--all")
        try upstream.git("gc", "-q", "--prune=now")
        try expectPack(try client.post("upload-pack", .fetch(shown)), of: shown)
    }

    /// Upstream is made anew, with other objects, or in another format.
    @Test(arguments: ["sha1", "sha256"])
    func upstreamIsMadeAnew(format: String) throws {
        let upstream = try Upstream()
        let pair = try CachePair()
        let url = "URL/\(upstream.name).git"
        try pair.git("clone -q \(url) copy")
        try run("/bin/rm", ["-rf", upstream.upstream]).required()
        try Git.run([
            "init", "-q", "-b", "main", "--object-format=\(format)", upstream.upstream,
        ])
        try upstream.commit(2, file: "new")
        try pair.git("clone -q \(url) again")
        try pair.expectSame("again")
    }

    private func client(_ upstream: Upstream, _ location: String) throws -> RawClient {
        let cache = try CachePair.sharedCache()
        return RawClient(url: "\(cache.http)/git/\(location)/\(upstream.name).git")
    }

    private func list(_ client: RawClient) throws -> String {
        #expect(try client.advertisement("upload-pack").status == 200)
        return try client.post("upload-pack", RawClient.v2("ls-refs", ["symrefs"])).text
    }

    /// The pack is whole, and has the commit and all that it leads to.
    private func expectPack(
        _ answer: RawClient.Answer, of commit: String, location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(answer.status == 200, "\(answer)", sourceLocation: location)
        let folder = try TemporaryDirectory()
        try Git.run(["init", "-q", "--bare", folder.path])
        let made = try Git.attempt(
            ["index-pack", "--stdin", "--strict"], in: folder.path, input: answer.parts.pack)
        #expect(made.succeeded, "\(answer) \(made.err)", sourceLocation: location)
        let walk = try Git.attempt(["rev-list", "--objects", commit], in: folder.path)
        #expect(walk.succeeded, "\(walk.err)", sourceLocation: location)
    }
}
