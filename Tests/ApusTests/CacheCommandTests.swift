import TestSupport
import Testing

/// Commands of stock git in a row, as people and machines use them, through `apus cache` and without.
@Suite(.timeLimit(.minutes(10))) struct CacheCommandTests {
    /// Both kinds of upstream, and all versions, but for what other suites have.
    static let ways = [("git", 1), ("apus", 2), ("apus", 0)]

    @Test(arguments: ways)
    func aRepositoryIsFollowed(location: String, version: Int) throws {
        let upstream = try Upstream()
        try upstream.git("branch", "topic", "main~2")
        try upstream.git("tag", "-m", "One", "v1", "main~1")
        let pair = try CachePair(location, version: version)
        let url = "URL/\(upstream.name).git"
        try pair.git("clone -q \(url) copy")
        try pair.expectSame()
        try upstream.commit(2)
        try upstream.git("branch", "-D", "topic")
        try upstream.git("branch", "fresh", "main~1")
        try upstream.git("tag", "-d", "v1")
        try pair.git("ls-remote --symref \(url)")
        try pair.git("fetch -q --prune --prune-tags", in: "copy")
        try pair.expectSame()
        // What refs hold every upstream gives by its id, in every version.
        let tip = try upstream.git("rev-parse", "fresh")
        try pair.git("init -q other")
        try pair.git("fetch -q \(url) \(tip)", in: "other")
        try pair.expectSame("other")
        try pair.git("fetch -q \(url) +refs/*:refs/mirror/*", in: "other")
        try pair.expectSame("other")
    }

    @Test(arguments: ways)
    func historyIsCutOffAndLengthened(location: String, version: Int) throws {
        let pair = try CachePair(location, version: version)
        _ = try Fixture.named("history")
        try pair.git("clone -q --depth 1 --no-single-branch URL/history.git copy")
        try pair.expectSame()
        try pair.git("fetch -q --shallow-exclude=v1.0", in: "copy")
        try pair.expectSame()
        try pair.git("fetch -q --shallow-since=1700010000", in: "copy")
        try pair.expectSame()
        try pair.git("fetch -q --deepen 2 origin maint", in: "copy")
        try pair.expectSame()
        try pair.git("fetch -q --unshallow", in: "copy")
        try pair.expectSame()
    }

    @Test(
        arguments: [
            ("apus", 2, "tree:0"), ("apus", 2, "blob:none"), ("apus", 0, "blob:none"),
            ("git", 1, "blob:none"),
        ])
    func objectsAreLeftOut(location: String, version: Int, filter: String) throws {
        let upstream = try Upstream()
        try upstream.git("config", "uploadpack.allowFilter", "true")
        try upstream.git("branch", "behind", "main~3")
        let pair = try CachePair(location, version: version)
        try pair.git(
            "clone -q -n --filter=\(filter) --single-branch -b behind URL/\(upstream.name).git copy"
        )
        try pair.expectSame()
        try pair.git("fetch -q --filter=\(filter) origin main", in: "copy")
        try pair.expectSame()
        // In version 0 Git's own server gives nothing by its id but what refs hold.
        guard version == 2 else { return }
        try pair.git("checkout -q --detach FETCH_HEAD", in: "copy")
        try pair.expectSame()
    }

    // MARK: Submodules

    /// Two of one repository: one at a tip, one at a commit behind a branch, that no ref holds.
    @Test(
        arguments: [
            ("-j 2", "git", 2), ("--shallow-submodules", "git", 2),
            ("--shallow-submodules", "apus", 2), ("", "git", 0), ("", "apus", 0), ("", "old", 2),
        ])
    func submodulesOfOneRepository(options: String, location: String, version: Int) throws {
        let library = try Upstream(commits: 4)
        let pins = [
            "tip": try library.git("rev-parse", "main"),
            "behind": try library.git("rev-parse", "main~2"),
        ]
        let upstream = try Upstream(commits: 1)
        for (path, commit) in pins {
            let file = "\(upstream.upstream)/.gitmodules"
            try Git.run(["config", "-f", file, "submodule.\(path).path", path])
            try Git.run([
                "config", "-f", file, "submodule.\(path).url",
                CachePair.base + library.name + ".git",
            ])
            try upstream.git("update-index", "--add", "--cacheinfo", "160000,\(commit),\(path)")
        }
        try upstream.git("add", ".gitmodules")
        try upstream.git("commit", "-q", "-m", "Submodules")

        let pair = try CachePair(location, version: version)
        try pair.git(
            "clone -q --recurse-submodules \(options) URL/\(upstream.name).git copy")
        for (path, commit) in pins {
            let copy = pair.folder(.cached)("copy/\(path)")
            #expect(try Git.line(["rev-parse", "HEAD"], in: copy) == commit)
            try Git.run(["fsck", "--strict"], in: copy)
        }
        try pair.git("submodule status", in: "copy")
        try library.commit(1)
        try pair.git("submodule update -q --remote", in: "copy")
        try pair.git("submodule status", in: "copy")
    }
}
