import TestSupport
import Testing

/// Stock git clones from `apus serve` what it clones from `git http-backend`.
@Suite(.timeLimit(.minutes(10))) struct ServeCloneTests {
    static let fixtures = [
        "tiny", "history", "nested-tags", "sha256", "empty", "unborn-only", "unborn-other",
        "detached", "octopus", "modes", "odd-names", "submodule", "deep-deltas", "many-packs",
        "alternates", "line-ends",
    ]

    @Test(arguments: ServePair.sample(fixtures), [2, 1, 0])
    func leavesTheSame(fixture: String, version: Int) throws {
        let pair = try ServePair(fixture, version: version)
        try pair.git(["clone", "-n", "URL", "copy"], succeeds: nil)
        try pair.expectSameClients()
    }

    @Test(arguments: ServePair.sample(fixtures))
    func mirrorsTheSame(fixture: String) throws {
        let pair = try ServePair(fixture)
        try pair.git(["clone", "--mirror", "URL", "copy"])
        try pair.expectSameClients()
    }

    @Test(arguments: [2, 0])
    func manyRefs(version: Int) throws {
        let pair = try ServePair("many-refs", version: version)
        try pair.git(["clone", "--bare", "URL", "copy"])
        try pair.expectSameClients()
    }

    @Test(
        arguments: [
            "--single-branch", "--no-tags", "--single-branch --no-tags", "-b maint", "-b v2.0",
            "--single-branch -b v1.0", "--no-checkout", "-q", "-v",
        ], [2, 0])
    func optionsOfTheClient(options: String, version: Int) throws {
        let pair = try ServePair("history", version: version)
        try pair.git("clone \(options) URL copy", words: .none)
        try pair.expectSameClients()
    }

    @Test(
        arguments: [
            "", "main", "refs/heads/*", "--tags", "--heads", "--refs", "--symref", "--symref HEAD",
            "refs/tags/v1.0", "--tags v*", "nothing", "--exit-code nothing", "topic/*",
            "--sort=-v:refname",
            "refs/notes/*", "v1.0^{}", "-q main maint",
        ], [2, 1, 0])
    func listsTheSame(options: String, version: Int) throws {
        let pair = try ServePair("history", version: version)
        let words = options.split(separator: " ").map(String.init)
        let flags = words.filter { $0.hasPrefix("-") }
        let patterns = words.filter { !$0.hasPrefix("-") }
        try pair.git(["ls-remote"] + flags + ["URL"] + patterns, succeeds: nil)
    }

    @Test(
        arguments: ["empty", "unborn-only", "unborn-other", "detached", "nested-tags", "sha256"],
        [2, 1, 0])
    func listsTheSame(of fixture: String, version: Int) throws {
        let pair = try ServePair(fixture, version: version)
        try pair.git("ls-remote --symref URL")
    }

    @Test func noProgressIsSilent() throws {
        let pair = try ServePair("history")
        let quiet = try pair.git(["clone", "-q", "URL", "quiet"])
        #expect(quiet.err == "")
        let loud = try pair.git(["clone", "--progress", "URL", "loud"], words: .none)
        #expect(loud.err.contains("remote: Counting objects: 100%"))
    }

    @Test(arguments: [2, 0])
    func whatIsNotThere(version: Int) throws {
        let pair = try ServePair("tiny", version: version)
        let url = try ApusServer.shared().http + "/nothing.git"
        let other = try GitHTTPServer.shared().http + "/git/nothing.git"
        let apus = try Git.attempt(["clone", url, "x"], in: pair.client(.apus).path)
        let git = try Git.attempt(["clone", other, "x"], in: pair.client(.git).path)
        #expect(apus.exit == git.exit)
        #expect(apus.err.contains("not found"), "\(apus.err)")
        #expect(git.err.contains("not found"))
    }
}
