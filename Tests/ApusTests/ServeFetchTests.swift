import TestSupport
import Testing

/// Fetches into a repository that has something already.
@Suite(.timeLimit(.minutes(10))) struct ServeFetchTests {
    /// A clone as it was when the branch was `commits` shorter.
    private func behind(_ pair: ServePair, _ commits: Int, _ fixture: Fixture) throws {
        let old = try Git.line(["rev-parse", "main~\(commits)"], in: fixture.path)
        try pair.inClients { client in
            try Git.run(["init", "-q", "-b", "main", "copy"], in: client.path)
            try Git.run(
                ["fetch", "-q", "-u", fixture.path, "\(old):refs/heads/main"], in: client("copy"))
        }
    }

    @Test(arguments: [2, 1, 0], [1, 30, 100])
    func incremental(version: Int, commits: Int) throws {
        let pair = try ServePair("history", version: version)
        try behind(pair, commits, try Fixture.named("history"))
        try pair.git(["remote", "add", "origin", "URL"], in: "copy")
        try pair.git(["fetch", "origin"], in: "copy")
        try pair.expectSameClients()
        try pair.git(
            ["fetch", "origin", "refs/notes/*:refs/notes/*", "+refs/pull/*:refs/pull/*"], in: "copy"
        )
        try pair.expectSameClients()
    }

    /// Thousands of commits that the server has never seen: haves are sent in many rounds.
    @Test(arguments: [2, 0])
    func manyRoundsOfHaves(version: Int) throws {
        let pair = try ServePair("history", version: version)
        let fixture = try Fixture.named("history")
        try behind(pair, 40, fixture)
        try pair.inClients { client in
            var stream = ""
            for number in 1 ... 1500 {
                stream +=
                    "commit refs/heads/mine\ncommitter A <a@b> \(1_800_000_000 + number) +0000\ndata 0\n"
                if number == 1 { stream += "from refs/heads/main^0\n" }
                stream += "M 100644 inline mine\ndata <<E\n\(number)\nE\n"
            }
            try Git.run(["fast-import", "--quiet"], in: client("copy"), input: Array(stream.utf8))
        }
        try pair.git(["fetch", "URL", "+refs/heads/*:refs/remotes/origin/*"], in: "copy")
        try pair.expectSameClients()
    }

    /// Nothing at all in common.
    @Test(arguments: [2, 0])
    func unrelatedHistories(version: Int) throws {
        let pair = try ServePair("history", version: version)
        let other = try Fixture.named("octopus")
        try pair.inClients { try Git.run(["clone", "-q", other.path, "copy"], in: $0.path) }
        try pair.git(["fetch", "URL", "main:refs/heads/theirs"], in: "copy")
        try pair.expectSameClients()
    }

    @Test(arguments: [2, 0])
    func tagsFollow(version: Int) throws {
        let pair = try ServePair("history", version: version)
        try pair.inClients { try Git.run(["init", "-q", "-b", "mine", "copy"], in: $0.path) }
        try pair.git(["remote", "add", "origin", "URL"], in: "copy")
        // v1.0 is behind maint, v3.0 is not.
        try pair.git(["fetch", "origin", "maint"], in: "copy", words: .none)
        try pair.git(["fetch", "origin"], in: "copy")
        try pair.expectSameClients()
    }

    @Test(arguments: [2, 0], ["annotated", "thrice", "of-blob", "of-tree", "light-blob", "aside"])
    func oneTag(version: Int, tag: String) throws {
        let pair = try ServePair("nested-tags", version: version)
        try pair.inClients { try Git.run(["init", "-q", "copy"], in: $0.path) }
        try pair.git(
            ["fetch", "--no-tags", "URL", "refs/tags/\(tag):refs/tags/\(tag)"], in: "copy")
        try pair.expectSameClients()
    }

    @Test(arguments: [2, 0])
    func aFastForwardAndAForcedUpdate(version: Int) throws {
        let pair = try ServePair("history", version: version) { _ in }
        try pair.git(["clone", "URL", "copy"])
        try pair.inRepositories { path in
            try Git.run(["update-ref", "refs/heads/main", "main~3"], in: path)
            try Git.run(["update-ref", "refs/heads/new", "maint"], in: path)
            try Git.run(["update-ref", "-d", "refs/heads/topic/one"], in: path)
            try Git.run(["tag", "-a", "-m", "Late", "late", "maint~3"], in: path)
        }
        try pair.git(["fetch", "--prune", "origin"], in: "copy")
        try pair.expectSameClients()
    }

    @Test func negotiatesOnly() throws {
        let pair = try ServePair("history")
        try behind(pair, 30, try Fixture.named("history"))
        try pair.inClients { client in
            for _ in 1 ... 3 {
                try Git.run(["commit", "-q", "--allow-empty", "-m", "Mine"], in: client("copy"))
            }
        }
        let result = try pair.git(
            ["fetch", "--negotiate-only", "--negotiation-tip=main", "URL"], in: "copy")
        #expect(!result.out.isEmpty)
    }

    @Test func aRefByNameInTheRequest() throws {
        let pair = try ServePair("history") { path in
            try Git.run(["config", "uploadpack.allowRefInWant", "true"], in: path)
        }
        let trace = pair.client(.apus)("trace")
        try pair.git(
            ["clone", "-b", "maint", "URL", "copy"], environment: ["GIT_TRACE_PACKET": trace])
        let said = String(decoding: readFile(trace) ?? [], as: UTF8.self)
        #expect(said.contains("want-ref refs/heads/maint"))
        #expect(said.contains("wanted-refs"))
        try pair.expectSameClients()
    }

    @Test func sidebandForAll() throws {
        let pair = try ServePair("history") { path in
            try Git.run(["config", "uploadpack.allowSidebandAll", "true"], in: path)
        }
        let trace = pair.client(.apus)("trace")
        let environment = ["GIT_TRACE_PACKET": trace, "GIT_TEST_SIDEBAND_ALL": "1"]
        try pair.git(["clone", "URL", "copy"], environment: environment)
        #expect(String(decoding: readFile(trace) ?? [], as: UTF8.self).contains("sideband-all"))
        try pair.expectSameClients()
        try pair.git(["fetch", "--depth=3", "origin"], in: "copy", environment: environment)
        try pair.expectSameClients()
    }

    @Test func optionsForTheServer() throws {
        let pair = try ServePair("tiny")
        try pair.git(["clone", "--server-option=one", "--server-option=two=2", "URL", "copy"])
        try pair.git(["ls-remote", "--server-option=one", "URL"], words: .none)
        try pair.expectSameClients()
    }

    /// The client asks for deltas on what it has: the pack is smaller than one that stands by itself.
    @Test(arguments: [2, 0])
    func packsAreThin(version: Int) throws {
        let pair = try ServePair("history", version: version)
        try behind(pair, 1, try Fixture.named("history"))
        try pair.git(
            ["-c", "fetch.unpackLimit=1", "fetch", "URL", "main:refs/heads/theirs"], in: "copy")
        try pair.expectSameClients()
    }

    /// A fetch into a clone that borrows from the repository by alternates.
    @Test(arguments: [2, 0])
    func intoABorrower(version: Int) throws {
        let pair = try ServePair("history", version: version)
        let fixture = try Fixture.named("history")
        try pair.git(["clone", "--reference", fixture.path, "URL", "copy"])
        try pair.expectSameClients()
    }
}
