import TestSupport
import Testing

/// Stock git does through `apus cache` what it does without.
@Suite(.timeLimit(.minutes(10))) struct CacheTransparencyTests {
    static let fixtures = [
        "tiny", "history", "sha256", "empty", "unborn-only", "unborn-other", "detached",
        "nested-tags", "odd-names",
    ]

    /// Upstreams that speak every version, version 0 alone, this project's own, one that has
    /// moved, one that compresses.
    @Test(arguments: ["git", "old", "apus", "moved", "gzip"], [2, 1, 0])
    func clones(location: String, version: Int) throws {
        let pair = try CachePair(location, version: version)
        _ = try Fixture.named("history")
        try pair.git("clone URL/history.git copy")
        try pair.expectSame()
    }

    @Test(arguments: fixtures, [("git", 2), ("git", 0), ("old", 2)])
    func clonesWhatIsOdd(fixture: String, way: (location: String, version: Int)) throws {
        let pair = try CachePair(way.location, version: way.version)
        _ = try Fixture.named(fixture)
        try pair.git("clone -n URL/\(fixture).git copy")
        try pair.expectSame()
    }

    @Test(
        arguments: [
            "--bare", "--mirror", "--depth 1", "--depth 3 --no-single-branch",
            "--shallow-since=1700010000", "--shallow-exclude=v1.0", "--single-branch",
            "-b v2.0", "-b maint --single-branch", "--no-tags", "-b nothing",
        ], [("git", 2), ("git", 0), ("old", 2)])
    func optionsOfClone(options: String, way: (location: String, version: Int)) throws {
        let pair = try CachePair(way.location, version: way.version)
        _ = try Fixture.named("history")
        let isThere = options != "-b nothing"
        try pair.git("clone \(options) URL/history.git copy", succeeds: isThere)
        if isThere { try pair.expectSame() }
    }

    @Test(
        arguments: ["blob:none", "tree:0", "blob:limit=300"],
        [("git", 2), ("git", 0), ("old", 2)])
    func filters(filter: String, way: (location: String, version: Int)) throws {
        let pair = try CachePair(way.location, version: way.version)
        _ = try Fixture.named("history")
        try pair.git("clone --filter=\(filter) -n URL/history.git copy")
        try pair.expectSame()
    }

    /// Which is not said of the other versions, in which Git's server gives nothing but what refs hold.
    @Test(arguments: ["blob:none", "tree:0", "blob:limit=300"])
    func whatAFilterLeftOutComesWhenItIsNeeded(filter: String) throws {
        let pair = try CachePair()
        _ = try Fixture.named("history")
        try pair.git("clone -q --filter=\(filter) URL/history.git copy")
        try pair.git("checkout -q maint", in: "copy")
        try pair.git("log --stat --oneline -3 origin/topic/one", in: "copy")
        try pair.expectSame()
    }

    @Test(
        arguments: [
            "", "--symref URL HEAD", "--symref", "--heads", "--tags URL v*", "--refs",
            "--exit-code URL nothing", "URL refs/pull/*",
        ], [("git", 2), ("git", 1), ("old", 2), ("apus", 2)])
    func lists(options: String, way: (location: String, version: Int)) throws {
        let pair = try CachePair(way.location, version: way.version)
        _ = try Fixture.named("history")
        var words = options.split(separator: " ").map(String.init)
        if !words.contains("URL") { words.append("URL") }
        let line = words.map { $0 == "URL" ? "URL/history.git" : $0 }.joined(separator: " ")
        try pair.git("ls-remote " + line, succeeds: !options.contains("nothing"))
    }

    @Test(arguments: ["empty", "unborn-other", "detached", "sha256"], [2, 0])
    func listsWhatIsOdd(fixture: String, version: Int) throws {
        let pair = try CachePair(version: version)
        _ = try Fixture.named(fixture)
        try pair.git("ls-remote --symref URL/\(fixture).git")
    }

    @Test(arguments: [2, 0])
    func goesOnFromAShallowClone(version: Int) throws {
        let pair = try CachePair(version: version)
        _ = try Fixture.named("history")
        try pair.git("clone -q --depth 2 URL/history.git copy")
        try pair.git("fetch -q --deepen 3", in: "copy")
        try pair.expectSame()
        try pair.git("fetch -q origin tag v1.0 --depth 1", in: "copy")
        try pair.expectSame()
        try pair.git("fetch -q --unshallow", in: "copy")
        try pair.expectSame()
    }

    /// One repository two folders down, with `.git` at the end of its name and without.
    private static let nested = Result {
        let tiny = try Fixture.named("tiny")
        let folder = "\(tiny.server.root)/group/sub"
        try TestSupport.run("/bin/mkdir", ["-p", folder]).required()
        for name in ["nested.git", "nested"] {
            try TestSupport.run("/bin/cp", ["-R", tiny.path, "\(folder)/\(name)"]).required()
        }
    }

    /// Every way of naming a repository that upstream understands.
    @Test(
        arguments: [
            "tiny.git", "tiny.git/", "group/sub/nested.git", "group/sub/nested",
            "group//sub/nested.git",
            "nothing.git", "tiny", "Tiny.git", "group/sub", "",
        ])
    func names(name: String) throws {
        try Self.nested.get()
        let pair = try CachePair()
        let isThere = try pair.run(["ls-remote", CachePair.base + name], .direct).succeeded
        try pair.git("clone -n URL/\(name) copy", succeeds: isThere)
        if isThere { try pair.expectSame() }
    }

    @Test(arguments: [2, 0])
    func submodules(version: Int) throws {
        let tiny = try Fixture.named("tiny")
        let commit = try Git.line(["rev-parse", "main"], in: tiny.path)
        let upstream = try Upstream(commits: 1)
        let modules = """
            [submodule "relative"]
            \tpath = relative
            \turl = ../tiny.git
            [submodule "absolute"]
            \tpath = absolute
            \turl = \(CachePair.base)tiny.git

            """
        try TestSupport.run(
            "sh", ["-c", #"cat > "$0"/.gitmodules"#, upstream.upstream], input: Array(modules.utf8)
        ).required()
        for path in ["relative", "absolute"] {
            try upstream.git("update-index", "--add", "--cacheinfo", "160000,\(commit),\(path)")
        }
        try upstream.git("add", ".gitmodules")
        try upstream.git("commit", "-q", "-m", "Submodules")
        let pair = try CachePair(version: version)
        try pair.git("clone -q --recurse-submodules URL/\(upstream.name).git copy")
        for path in ["relative", "absolute"] {
            let head = try Git.line(
                ["rev-parse", "HEAD"], in: pair.folder(.cached)("copy/\(path)"))
            #expect(head == commit)
        }
        try pair.git("submodule status", in: "copy")
    }

    @Test func tellsOfProgress() throws {
        _ = try Fixture.named("history")
        let pair = try CachePair()
        let clone = try pair.git("clone --progress URL/history.git copy")
        #expect(clone.err.contains("remote: Counting objects: 100%"), "\(clone.err)")
        let quiet = try pair.git("clone -q URL/history.git quiet")
        #expect(quiet.err == "")
    }
}
