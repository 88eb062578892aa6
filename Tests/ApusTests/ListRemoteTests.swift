import TestSupport
import Testing

/// `apus ls-remote` beside `git ls-remote`: the same lines and the same exit code.
@Suite(.timeLimit(.minutes(10))) struct ListRemoteTests {
    static let options = [
        [], ["-q"], ["--heads"], ["-h"], ["--tags"], ["-t"], ["--heads", "--tags"], ["--refs"],
        ["--symref"], ["--symref", "--heads"], ["--refs", "--tags"], ["--symref", "--refs"],
        ["--exit-code"],
    ]

    static let fixtures = [
        "tiny", "history", "empty", "unborn-other", "detached", "nested-tags", "many-refs",
        "odd-names",
    ]

    /// Each option with each fixture, in one version or the other.
    @Test(arguments: Array(fixtures.enumerated()), [0, 1, 2])
    func printsWhatGitPrints(fixture: (offset: Int, element: String), version: Int) throws {
        let url = try Fixture.named(fixture.element).url()
        for options in ServePair.sample(Self.options, turn: fixture.offset + version) {
            // `git ls-remote -h` with nothing after it is help; with a URL it is --heads.
            try compare(["ls-remote"] + options + [url], protocolVersion(version))
        }
    }

    static let patterns = [
        ["main"], ["HEAD"], ["refs/heads/*"], ["v*"], ["topic/*"], ["one"], ["*/one"],
        ["refs/tags/v1.0"], ["v1.0"], ["none"], ["main", "v2.0"], ["refs/pull/*"], ["pull"],
        ["[mv]*"], ["ma?n"], ["*"], ["/main"], ["heads/main"], ["refs/heads/main"], ["ain"],
        ["commits"], ["v[1-2].0"], ["*^{}"],
    ]

    /// Each pattern alone, and with some of the options.
    @Test(arguments: Array(patterns.enumerated()), [0, 2])
    func matchesPatternsAsGitDoes(
        patterns: (offset: Int, element: [String]), version: Int
    ) throws {
        let url = try Fixture.named("history").url()
        let options = [["--heads"], ["--tags"], ["--refs"], ["--symref"], ["--exit-code"]]
        for options in [[]] + ServePair.sample(options, turn: patterns.offset + version) {
            try compare(
                ["ls-remote"] + options + [url] + patterns.element, protocolVersion(version))
        }
    }

    @Test func asksTheServerForNoMoreThanItNeeds() throws {
        let fixture = try Fixture.named("many-refs")
        let result = try Apus.run(["ls-remote", "--heads", fixture.url("git/@heads"), "branch-7"])
        #expect(try result.required().out.hasSuffix("\trefs/heads/team7/branch-7\n"))
        #expect(fixture.server.requests(with: "@heads/").count == 2)
    }

    @Test(arguments: ["gzip", "moved", "old"])
    func readsEveryKindOfServer(location: String) throws {
        try compare(["ls-remote", try Fixture.named("history").url(location)])
    }

    @Test func readsTheURLOfARemote() throws {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("tiny").url()
        try Git.run(["init", "-q"], in: scratch.path)
        try Git.run(["remote", "add", "origin", url], in: scratch.path)
        for arguments in [["ls-remote", "origin"], ["ls-remote", "-q"]] {
            let apus = try Apus.run(arguments, in: scratch.path)
            let git = try Git.attempt(arguments, in: scratch.path)
            #expect(apus.out == git.out)
            #expect(apus.exit == git.exit)
        }
    }

    @Test func sendsThePasswordOfTheURL() throws {
        let server = try Fixture.named("tiny").server
        let host = server.http.dropFirst("http://".count)
        try compare(["ls-remote", "http://ada:l0vel%40ce@\(host)/auth/tiny.git"])
        let wrong = try Apus.run(["ls-remote", "http://ada:wr0ng@\(host)/auth/tiny.git"])
        expectFailure(wrong)
        #expect(!wrong.err.contains("wr0ng"))
    }

    private func compare(_ arguments: [String], _ environment: [String: String] = [:]) throws {
        let apus = try Apus.run(arguments, environment: environment)
        let git = try Git.attempt(arguments, environment: environment)
        #expect(printable(apus.stdout) == printable(git.stdout), "\(arguments)")
        #expect(apus.exit == git.exit, "\(arguments): \(apus.err)")
    }
}
