import TestSupport
import Testing

/// Clients other than stock git, through `apus cache` and without.
@Suite(.timeLimit(.minutes(10))) struct CacheClientTests {
    // MARK: dulwich and libgit2

    @Test(arguments: [("dulwich", nil), ("dulwich", 2), ("pygit2", nil)], ["git", "apus"])
    func librariesCloneAndFetch(client: (name: String, depth: Int?), location: String) throws {
        let upstream = try Upstream(commits: 4)
        try upstream.git("tag", "-m", "One", "v1")
        let pair = try CachePair(location)
        func both(_ action: String) throws {
            for way in CachePair.Way.allCases {
                let url = "\(try pair.origin(way))\(upstream.name).git"
                try ServeOtherClientsTests.act(
                    client.name, action, url, pair.folder(way)("copy"),
                    depth: action == "clone" ? client.depth : nil)
            }
            let (cached, direct) = (
                try content(of: pair.folder(.cached)("copy")),
                try content(of: pair.folder(.direct)("copy"))
            )
            #expect(cached == direct, "\(action)")
        }
        try both("clone")
        // dulwich 0.21 cannot fetch into a shallow clone, from stock git's server neither.
        if client.depth != nil { return }
        try upstream.commit(2)
        try upstream.git("tag", "light")
        try upstream.git("checkout", "-q", "-b", "topic", "main~3")
        try upstream.commit(1, file: "other")
        try both("fetch")
        let copy = pair.folder(.cached)("copy")
        for branch in ["main", "topic"] {
            #expect(
                try Git.line(["rev-parse", "origin/\(branch)"], in: copy)
                    == upstream.git("rev-parse", branch))
        }
    }

    /// Refs, objects and where history ends, all of it sound.
    private func content(of copy: String) throws -> [String] {
        try Git.run(["fsck", "--strict", "--no-dangling"], in: copy)
        let shallow = String(decoding: readFile("\(copy)/.git/shallow") ?? [], as: UTF8.self)
        return [
            try Git.run(["for-each-ref"], in: copy).out,
            try Git.run(["cat-file", "--batch-all-objects", "--batch-check"], in: copy).out,
            shallow.split(separator: "\n").sorted().joined(separator: " "),
        ]
    }

    // MARK: apus

    @Test(arguments: ["", "--bare", "-b maint --single-branch", "--mirror"], ["git", "old"])
    func apusClones(options: String, location: String) throws {
        let pair = try CachePair(location)
        _ = try Fixture.named("history")
        try apus("clone \(options) URL/history.git copy", pair)
        try pair.expectSame()
    }

    @Test(arguments: ["git", "apus"])
    func apusClonesTheOtherFormat(location: String) throws {
        let pair = try CachePair(location)
        _ = try Fixture.named("sha256")
        try apus("clone URL/sha256.git copy", pair)
        try pair.expectSame()
    }

    @Test(arguments: [false, true], ["git", "old"])
    func apusFetches(isSHA256: Bool, location: String) throws {
        let upstream = try Upstream(commits: 4, sha256: isSHA256)
        try upstream.git("branch", "gone")
        let pair = try CachePair(location)
        try apus("clone URL/\(upstream.name).git copy", pair)
        try upstream.commit(2)
        try upstream.git("tag", "-m", "One", "v1")
        try upstream.git("branch", "-D", "gone")
        try apus("fetch --prune", pair, in: "copy")
        try pair.expectSame()
        try apus("ls-remote URL/\(upstream.name).git", pair)
    }

    @Test(
        arguments: ["--symref URL/history.git", "--tags URL/history.git v*", "URL/sha256.git"],
        ["git", "apus"])
    func apusLists(line: String, location: String) throws {
        let pair = try CachePair(location)
        for fixture in ["history", "sha256"] { _ = try Fixture.named(fixture) }
        try apus("ls-remote \(line)", pair)
    }

    /// Runs it both ways; it succeeds and prints the same.
    private func apus(
        _ line: String, _ pair: CachePair, in directory: String = ".",
        location: SourceLocation = #_sourceLocation
    ) throws {
        let words = line.split(separator: " ").map {
            String($0).replacing("URL/", with: CachePair.base)
        }
        var results: [RunResult] = []
        for way in CachePair.Way.allCases {
            let result = try Apus.run(
                words, in: pair.folder(way)(directory), environment: try pair.environment(way))
            #expect(result.succeeded, "\(line): \(result.err)", sourceLocation: location)
            results.append(result)
        }
        #expect(results[0].out == results[1].out, "\(line)", sourceLocation: location)
    }
}
