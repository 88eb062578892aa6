import TestSupport
import Testing

/// `apus clone` beside `git clone` of the same URL: what is on disk afterwards is equal.
@Suite(.timeLimit(.minutes(10))) struct CloneTests {
    static let fixtures = [
        "tiny", "history", "empty", "unborn-other", "unborn-only", "detached", "octopus",
        "nested-tags", "many-refs", "modes", "odd-names", "line-ends", "submodule", "alternates",
        "many-packs", "deep-deltas", "sha256",
    ]

    @Test(arguments: fixtures, [0, 1, 2])
    func leavesWhatGitLeaves(fixture: String, version: Int) throws {
        let pair = try ClonePair(
            [try Fixture.named(fixture).url()], environment: protocolVersion(version))
        #expect(pair.apus.exit == pair.git.exit, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    /// A server that has never heard of protocol versions.
    @Test(arguments: ["history", "nested-tags", "empty"])
    func speaksVersionZeroWhenTheServerDoes(fixture: String) throws {
        let pair = try ClonePair([try Fixture.named(fixture).url("old")])
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    /// Servers of version 0 that can less and less.
    @Test(arguments: ["side-band", "plain", "simple"])
    func managesWithFewCapabilities(mode: String) throws {
        let pair = try ClonePair([try Fixture.named("history").url("odd/\(mode)")])
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    @Test(arguments: ["gzip", "moved"])
    func readsCompressedAnswersAndFollowsRedirects(location: String) throws {
        let pair = try ClonePair([try Fixture.named("history").url(location)])
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    @Test
    func asksForVersionTwoAndForWhatTheConfigurationSays() throws {
        let fixture = try Fixture.named("tiny")
        for (label, environment, expected) in [
            ("version-unset", [:], "version=2"),
            ("version-2", protocolVersion(2), "version=2"),
            ("version-1", protocolVersion(1), "version=1"),
            ("version-0", protocolVersion(0), "-"),
        ] {
            let scratch = try TemporaryDirectory()
            let url = fixture.url("git/@\(label)")
            try Apus.run(
                ["clone", "-q", url, "copy"], in: scratch.path, environment: environment
            ).required()
            let requests = fixture.server.requests(with: "@\(label)/")
            #expect(requests.count >= 2)
            #expect(requests.allSatisfy { $0.contains("protocol=\"\(expected)\"") })
        }
    }

    @Test
    func usesOneConnectionForTheWholeClone() throws {
        let fixture = try Fixture.named("history")
        let scratch = try TemporaryDirectory()
        let url = fixture.url("git/@connections")
        try Apus.run(["clone", "-q", url, "copy"], in: scratch.path).required()
        let connections = fixture.server.requests(with: "@connections/").compactMap {
            $0.split(separator: " ").first { $0.hasPrefix("connection=") }
        }
        #expect(connections.count >= 3)
        #expect(Set(connections).count == 1)
    }

    @Test
    func worksOverTLSOnceTheCertificateIsTrusted() throws {
        let fixture = try Fixture.named("tiny")
        let url = "\(fixture.server.https)/git/tiny.git"
        let pair = try ClonePair(
            [url], environment: ["GIT_SSL_CAINFO": fixture.server.certificate])
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    @Test
    func goesThroughTheProxyOfTheEnvironment() throws {
        let fixture = try Fixture.named("tiny")
        let pair = try ClonePair(
            ["http://repositories.invalid/git/tiny.git"],
            environment: ["http_proxy": fixture.server.http])
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    /// What git's own program goes on with: a fetch, a commit, a merge and a repack.
    @Test
    func leavesARepositoryThatGitGoesOnWith() throws {
        let scratch = try TemporaryDirectory()
        let origin = scratch("origin.git")
        try Git.run(["clone", "-q", "--bare", try Fixture.named("history").path, origin])
        let url = try Fixture.named("history").url()
        try Apus.run(["clone", "-q", url, "copy"], in: scratch.path).required()
        let copy = scratch("copy")
        try Git.run(["config", "remote.origin.url", origin], in: copy)

        try Git.run(["clone", "-q", origin, "other"], in: scratch.path)
        try scratch.write("other/new", "New\n".utf8)
        try Git.run(["add", "new"], in: scratch("other"))
        try Git.run(["commit", "-q", "-m", "New"], in: scratch("other"))
        try Git.run(["push", "-q"], in: scratch("other"))

        try scratch.write("copy/mine", "Mine\n".utf8)
        try Git.run(["add", "mine"], in: copy)
        try Git.run(["commit", "-q", "-m", "Mine"], in: copy)
        try Git.run(["pull", "-q", "--no-rebase", "--no-edit"], in: copy)
        try Git.run(["gc", "-q"], in: copy)
        try Git.run(["multi-pack-index", "write", "--no-progress"], in: copy)
        try Git.run(["multi-pack-index", "verify", "--no-progress"], in: copy)
        try Git.run(["fsck", "--strict", "--no-progress"], in: copy)
        #expect(try Git.line(["status", "--porcelain"], in: copy) == "")
        #expect(exists("\(copy)/new"))
    }

    @Test
    func leavesAPackThatGitVerifies() throws {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("many-packs").url()
        try Apus.run(["clone", "-q", "--bare", url, "copy"], in: scratch.path).required()
        let packs = try TreeListing(of: scratch("copy/objects/pack")).entries.keys
            .filter { $0.hasSuffix(".idx") }
        #expect(packs.count == 1)
        for name in packs {
            let index = scratch("copy/objects/pack/\(name)")
            let verified = try Git.attempt(["verify-pack", index])
            #expect(verified.succeeded, "\(verified.err)")
        }
        try Git.run(["multi-pack-index", "write", "--no-progress"], in: scratch("copy"))
        try Git.run(["multi-pack-index", "verify", "--no-progress"], in: scratch("copy"))
    }
}
