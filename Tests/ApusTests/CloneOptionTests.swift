import TestSupport
import Testing

/// Every option of `apus clone`, beside `git clone` with the same.
@Suite(.timeLimit(.minutes(10))) struct CloneOptionTests {
    @Test(
        arguments: [
            "-q", "--quiet", "-v", "--verbose", "-n", "--no-checkout", "--bare", "--mirror",
            "--no-tags", "--single-branch", "--no-single-branch", "--no-progress", "-o upstream",
            "--origin=upstream", "-b maint", "--branch topic/one", "-b v2.0", "-b light",
            "--single-branch -b maint", "--single-branch -b v1.0", "--single-branch --no-tags",
            "--bare --single-branch", "--bare -b maint", "--mirror --no-tags", "--bare --no-tags",
            "-j 4", "--jobs=2", "-c core.eol=crlf", "-c user.name=Someone",
            "--config core.ignorecase=true", "-c one.two.three=x=y -c one.two.three=z",
            "-c remote.origin.fetch=+refs/notes/*:refs/notes/*", "-c core.autocrlf=true",
            "-c core.symlinks=false", "-c core.fileMode=false", "-c core.logAllRefUpdates=false",
            "-c clone.defaultRemoteName=elsewhere", "-n --bare", "-q -n -o up -b topic/two",
        ])
    func leavesWhatGitLeaves(options: String) throws {
        let pair = try ClonePair(
            options.split(separator: " ").map(String.init) + [try Fixture.named("history").url()])
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(pair.git.succeeded, "\(pair.git.err)")
        #expect(try pair.differences() == [])
    }

    /// Options where the fixture is what matters.
    @Test(
        arguments: [
            ("--bare", "empty"), ("--mirror", "empty"), ("--bare", "detached"),
            ("--mirror", "detached"), ("--mirror", "many-refs"), ("--mirror", "nested-tags"),
            ("--bare", "unborn-other"), ("--no-tags", "nested-tags"),
            ("-b annotated", "nested-tags"),
            ("-b thrice", "nested-tags"), ("-b release/2.0", "nested-tags"),
            ("--single-branch", "detached"), ("--single-branch", "unborn-other"),
            ("--single-branch", "empty"), ("--single-branch", "nested-tags"),
            ("--single-branch", "many-refs"),
            ("--single-branch -b elsewhere", "unborn-other"), ("-b arm2", "octopus"),
            ("-c core.autocrlf=true", "line-ends"), ("-c core.autocrlf=input", "line-ends"),
            ("-c core.eol=crlf", "line-ends"), ("-c core.autocrlf=true", "modes"),
            ("-c core.symlinks=false", "modes"), ("-c core.fileMode=false", "modes"),
            ("-n", "submodule"), ("-o a/b", "tiny"),
        ])
    func leavesWhatGitLeaves(options: String, of fixture: String) throws {
        let pair = try ClonePair(
            options.split(separator: " ").map(String.init) + [try Fixture.named(fixture).url()])
        #expect(pair.apus.exit == pair.git.exit, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    @Test(arguments: ["-b nowhere", "--branch=v9", "-b refs/heads/main", "--single-branch -b none"])
    func refusesABranchThatIsNotThere(options: String) throws {
        let pair = try ClonePair(
            options.split(separator: " ").map(String.init) + [try Fixture.named("history").url()])
        expectFailure(pair.apus)
        #expect(pair.apus.exit == pair.git.exit)
        #expect(pair.apus.err.contains("upstream origin"))
        #expect(try pair.leftByApus() == [])
    }

    @Test(
        arguments: [
            ("/tiny.git", "tiny"), ("/tiny.git/", "tiny"), ("/tiny", "tiny"),
            ("/tiny.git///", "tiny"), ("/@a.b/tiny.git", "tiny"),
        ])
    func namesTheDirectoryAfterTheURL(suffix: String, expected: String) throws {
        let url = try Fixture.named("tiny").server.http + "/git" + suffix
        // Without .git in the URL the backend finds nothing: what is compared is what is said.
        let pair = try ClonePair([url], directory: nil, expecting: expected)
        #expect(pair.apus.exit == pair.git.exit, "\(pair.apus.err)")
        #expect(pair.apus.errorLines.first == "Cloning into '\(expected)'...")
        if pair.git.succeeded { #expect(try pair.differences() == []) }
    }

    @Test func namesABareCloneWithDotGit() throws {
        let url = try Fixture.named("tiny").url()
        let pair = try ClonePair(["--bare", url], directory: nil, expecting: "tiny.git")
        #expect(pair.apus.errorLines == ["Cloning into bare repository 'tiny.git'..."])
        #expect(try pair.differences() == [])
    }

    @Test func makesTheFoldersAboveTheDirectory() throws {
        let url = try Fixture.named("tiny").url()
        let pair = try ClonePair(
            [url], directory: "some/where/below", expecting: "some/where/below")
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    @Test func takesAnAbsoluteDirectory() throws {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("tiny").url()
        try Apus.run(["clone", "-q", url, scratch("copy")], in: "/").required()
        #expect(exists(scratch("copy/greeting")))
    }

    @Test func fillsAnEmptyDirectory() throws {
        let pair = try ClonePair([try Fixture.named("tiny").url()]) {
            try run("/bin/mkdir", ["copy"], directory: $0.path).required()
        }
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    @Test(arguments: [["--"], []])
    func refusesADirectoryThatIsNotEmpty(extra: [String]) throws {
        let pair = try ClonePair(extra + [try Fixture.named("tiny").url()]) {
            try $0.write("copy/mine", "Mine\n".utf8)
        }
        #expect(pair.apus.exit == .code(128))
        #expect(pair.apus.err == pair.git.err)
        #expect(try pair.leftByApus() == ["copy", "copy/mine"])
    }

    @Test func refusesAFileInTheDirectorysPlace() throws {
        let pair = try ClonePair([try Fixture.named("tiny").url()]) {
            try $0.write("copy", "Mine\n".utf8)
        }
        #expect(pair.apus.exit == .code(128))
        #expect(try pair.leftByApus() == ["copy"])
        #expect(readFile(pair.byApus("copy")) == Array("Mine\n".utf8))
    }

    @Test func takesWhatFollowsTwoDashesAsItStands() throws {
        let pair = try ClonePair(
            ["--", try Fixture.named("tiny").url()], directory: "-copy", expecting: "-copy")
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(try pair.differences() == [])
    }

    @Test(arguments: [[], ["--no-such-option", "x"], ["a", "b", "c"]])
    func exitsAsGitDoesWhenItIsMisused(arguments: [String]) throws {
        let scratch = try TemporaryDirectory()
        let apus = try Apus.run(["clone"] + arguments, in: scratch.path)
        let git = try Git.attempt(["clone"] + arguments, in: scratch.path)
        #expect(apus.exit == git.exit)
        #expect(!apus.err.isEmpty)
        #expect(try TreeListing(of: scratch.path).entries.isEmpty)
    }

    @Test func neverStoresThePasswordOfAURL() throws {
        let server = try Fixture.named("tiny").server
        let host = server.http.dropFirst("http://".count)
        let url = "http://ada:l0vel%40ce@\(host)/auth/tiny.git"
        let pair = try ClonePair([url])
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        for (name, entry) in try TreeListing(of: pair.byApus("copy"), ignoring: []).entries {
            guard case .file(_, let content) = entry, !Apus.isGit else { continue }
            let text = String(decoding: content, as: UTF8.self)
            #expect(!text.contains("l0vel"), "\(name)")
        }
        #expect(!pair.apus.err.contains("l0vel"))
    }
}
