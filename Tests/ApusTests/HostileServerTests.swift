import TestSupport
import Testing

/// Servers that attack (Tests/Fixtures/hostile-server.py says how). Whatever they do ends soon, in
/// bounded memory, with one line and status 128, and leaves nothing.
@Suite(.timeLimit(.minutes(10)), .enabled(if: !Apus.isGit)) struct HostileServerTests {
    /// The most that a clone of such a server may hold, in KiB; and the seconds that it may take in a
    /// debug build on a busy machine.
    private static let mostMemory = 768 * 1024
    private static let mostTime = Duration.seconds(100)

    private static let endless =
        [
            ("endless-listing", "2000000 refs"), ("endless-shallow", "2000000 shallow commits"),
            ("endless-capabilities", "4096 capabilities"), ("endless-zeros", "not a smart"),
            ("endless-text", "progress"), ("endless-empty-text", "progress"),
            ("endless-empty-data", "progress"), ("endless-acknowledgments", "side-band"),
            ("endless-after-pack", "garbage"), ("gzip-bomb", "unable to access"),
        ]
        + (ServePair.isThorough
            ? [
                ("endless-refs", "2000000 refs"), ("endless-same-ref", "2000000 refs"),
                ("endless-bad-refs", "2000000 refs"),
            ] : [])

    @Test(arguments: endless)
    func endsAnAnswerWithoutEnd(attack: String, word: String) throws {
        try expectRefused(attack, word)
    }

    @Test(
        arguments: [
            ("wanted-missing", "missing"), ("other-ref-missing", "missing"),
            ("missing-behind-delta", "missing"), ("tree-is-a-blob", "not a tree"),
            ("branch-at-blob", "not a tree"), ("count-huge", "pack"), ("count-small", "pack"),
            ("count-none", "missing"), ("delta-on-itself", "own base"), ("thin", "unresolved"),
            ("size-huge", "less than it declares"), ("size-short", "more than it declares"),
            ("size-long", "less than it declares"), ("size-tree-huge", "tree of"),
            ("deep-trees", "invalid path"), ("deep-and-bad-link", "too long"),
        ])
    func refusesAPackThatIsNotWhatItShouldBe(attack: String, word: String) throws {
        try expectRefused(attack, word)
    }

    @Test(arguments: [("file-and-folder", "at the same time"), ("same-twice", "twice")])
    func refusesRefsThatCannotBeTogether(attack: String, word: String) throws {
        try expectRefused(attack, word)
    }

    @Test(
        arguments: [
            ("redirect-file", "file:///etc/passwd"), ("redirect-ftp", "ftp:"),
            ("redirect-ext", "ext::"), ("redirect-lines", "control character"),
            ("unauthorized", "Username"), ("head-escapes", "control character"),
        ])
    func refusesToFollow(attack: String, word: String) throws {
        try expectRefused(attack, word)
    }

    /// A byte at a time is no way to hold a client.
    @Test func givesUpAServerThatDrips() throws {
        try expectRefused(
            "drip", "slow", ["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=1"])
    }

    /// The length of the folder's path and of the tree's together is more than one call may take.
    @Test func removesWhatIsTooDeepForOnePath() throws {
        let folder = String(repeating: "f", count: 250)
        try expectRefused("deep-and-bad-link", "too long", directory: "\(folder)/\(folder)/copy")
    }

    /// What a hostile name of a ref becomes: no file but where it should be.
    @Test(
        arguments: [
            "bad-names", "head-outside", "head-absolute", "head-itself", "head-config", "case",
            "head-quotes", "head-option",
        ])
    func keepsOddRefsInTheirPlace(attack: String) throws {
        let scratch = try TemporaryDirectory()
        let (result, _) = try clone(attack, scratch, [], "in/here/copy")
        try result.required()
        expectNoControlCharacters(result)
        let copy = scratch("in/here/copy")
        let names = try TreeListing(of: scratch.path, ignoring: []).entries.keys
        #expect(!names.contains { $0.contains("escaped") })
        #expect(Set(names.filter { !$0.contains("copy/") }) == ["in", "in/here", "in/here/copy"])
        #expect(try Git.run(["fsck", "--strict"], in: copy).stdout == [])
        #expect(try Git.run(["status", "--porcelain"], in: copy).stdout == [])
        #expect(
            readFile("\(copy)/.git/HEAD").map { $0.starts(with: "ref: refs/heads/".utf8) } == true
                || readFile("\(copy)/.git/HEAD")?.count == 41)
        // The configuration is what it should be: no name ends a line or a section of it.
        let keys = try Git.run(["config", "--local", "--list", "--name-only"], in: copy).out
        for key in keys.split(separator: "\n") {
            #expect(
                ["core.", "remote.origin.", "branch."].contains { key.hasPrefix($0) }, "\(key)")
        }
    }

    /// Refs that differ in case alone are all there, though none has a file of its own.
    @Test func keepsRefsThatDifferInCase() throws {
        let scratch = try TemporaryDirectory()
        try clone("case", scratch).result.required()
        let refs = try Git.run(
            ["for-each-ref", "--format=%(refname)", "refs/remotes"], in: scratch("copy"))
        let names = ["A", "HEAD", "MAIN", "a", "main"].map { "refs/remotes/origin/\($0)\n" }
        #expect(refs.out == names.joined())
        #expect(
            try TreeListing(of: scratch("copy/.git/refs/remotes/origin")).entries.keys.sorted()
                == ["HEAD"])
    }

    /// Twenty thousand refs to nine hundred tags one on the other take no longer than the tags do.
    @Test func tagsOnTagsTakeLinearTime() throws {
        let scratch = try TemporaryDirectory()
        let (result, _) = try clone("tags-on-tags", scratch)
        try result.required()
        #expect(
            try Git.line(["rev-parse", "refs/tags/00000^{}"], in: scratch("copy"))
                == Git.line(["rev-parse", "HEAD"], in: scratch("copy")))
    }

    private func expectRefused(
        _ attack: String, _ word: String, _ options: [String] = [], directory: String = "copy",
        location: SourceLocation = #_sourceLocation
    ) throws {
        let scratch = try TemporaryDirectory()
        let (result, memory) = try clone(attack, scratch, options, directory)
        expectFailure(result, location: location)
        #expect(result.err.contains(word), "\(result.err)", sourceLocation: location)
        #expect(memory < Self.mostMemory, sourceLocation: location)
        #expect(try TreeListing(of: scratch.path).entries.isEmpty, sourceLocation: location)
    }

    /// Clones, and says how many KiB it took at most.
    private func clone(
        _ attack: String, _ scratch: TemporaryDirectory, _ options: [String] = [],
        _ directory: String = "copy"
    ) throws -> (result: RunResult, memory: Int) {
        let url = try HostileServer.shared().url(attack)
        let figures = try TemporaryDirectory()
        let result = try run(
            "python3",
            [
                "\(TestEnvironment.packageRoot)/Scripts/measure.py", figures("of"), Apus.path,
            ] + options + ["clone", url, directory], directory: scratch.path,
            timeout: Self.mostTime)
        let words = String(decoding: readFile(figures("of")) ?? [], as: UTF8.self)
        let memory = words.split(separator: " ").last.flatMap { Int($0.dropLast()) }
        return (result, try #require(memory, "\(words)"))
    }
}
