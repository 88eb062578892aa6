import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What commands take from where they stand, from standard input and from the environment, beside git's.
@Suite(.timeLimit(.minutes(10))) struct CommandPlumbingTests {
    /// Two repositories made alike, with folders, names that need quotes, tags and a remote's refs.
    private func pair() throws -> CommandPair {
        let pair = try CommandPair()
        let script = """
            set -e
            git init -q -b main . && mkdir -p folder/deep && echo 1 >folder/one && echo 2 >folder/deep/two
            printf 'quoted\\r\\n' >"$(printf 'na\\tme')" && echo é >é && ln -s one folder/link
            git add . && git commit -q -m One && git tag light && git tag -a -m Tag v1
            echo 3 >three && git add three && git commit -q -m Two && git branch topic/x HEAD~1
            git update-ref refs/remotes/origin/main HEAD~1
            git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main
            git branch v1 && mkdir elsewhere
            """
        try pair.setUp { folder in
            try run(
                "/bin/sh", ["-c", script], environment: Self.dates, directory: folder.path
            ).required()
        }
        return pair
    }

    private static let dates = [
        "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000",
    ]

    @Test(
        arguments: [
            ["HEAD"], ["-r", "HEAD"], ["HEAD", "one"], ["HEAD", "../three"], ["HEAD", "."],
            ["HEAD", "deep/"], ["-r", "HEAD", "../"], ["--full-name", "HEAD"],
            ["--full-tree", "HEAD"], ["--full-tree", "-r", "HEAD", "folder/deep"],
            ["-r", "-t", "HEAD", "deep/two"], ["--name-status", "HEAD"], ["--object-only", "HEAD"],
            ["--abbrev", "HEAD"], ["--abbrev=12", "HEAD"], ["-l", "--name-only", "HEAD"],
            ["HEAD", "../../x"], ["-d", "-r", "HEAD"],
        ])
    func listsATreeFromAFolderOfIt(arguments: [String]) throws {
        try pair().compare(["-C", "folder", "ls-tree"] + arguments)
    }

    @Test func namesAreQuotedAsTheConfigurationSays() throws {
        let pair = try pair()
        for setting in ["core.quotePath=true", "core.quotePath=false"] {
            for options in [["-r"], ["-z"], ["--name-only"]] {
                try pair.compare(["-c", setting, "ls-tree"] + options + ["HEAD"])
            }
            try pair.compare(["-c", setting, "cat-file", "-p", "HEAD^{tree}"])
        }
    }

    @Test(
        arguments: [
            ["--git-dir"], ["--show-toplevel"], ["--show-prefix"], ["--is-bare-repository"],
            ["--is-inside-work-tree", "--is-inside-git-dir"], ["--absolute-git-dir"],
            ["--show-object-format"], ["--short", "HEAD"], ["--short=12", "HEAD"],
            ["HEAD", "light"],
            ["--abbrev-ref", "HEAD"], ["--abbrev-ref", "refs/remotes/origin/main"],
            ["--abbrev-ref", "origin"], ["--symbolic-full-name", "HEAD", "light", "origin"],
            ["--symbolic-full-name", "HEAD~1"], ["^HEAD", "light"], ["light..HEAD"], ["light.."],
            ["--verify", "HEAD", "light"], ["--verify"], ["--verify", "-q", "none"], ["none"],
            ["--abbrev-ref", "refs/heads/v1"], ["--abbrev-ref", "refs/tags/v1"], [],
        ])
    func tellsOfNamesAndPlaces(arguments: [String]) throws {
        let pair = try pair()
        for place in [".", "folder/deep", ".git", ".git/refs"] {
            try pair.compare(["-C", place, "rev-parse"] + arguments)
        }
    }

    @Test(
        arguments: [
            "%(refname)", "%(refname:short)", "%(objectname:short) %(objecttype)%00%%%09|",
            "%(objectname:short=9)", "%(symref)|%(HEAD)", "%(*objectname) %(*objecttype)",
            "%(objectsize)", "%(none)", "%(refname", "",
        ])
    func formatsRefs(format: String) throws {
        let pair = try pair()
        try pair.compare(["for-each-ref", "--format=\(format)"])
        try pair.compare(["for-each-ref", "--format=\(format)", "--count=2", "--sort=-refname"])
    }

    @Test(
        arguments: [
            ["refs/heads/*"], ["refs/heads/**"], ["refs/*/v1"], ["refs/heads/topic"], ["heads"],
            ["refs/tags/", "refs/heads/main"], ["refs/he"], ["refs/tags/[a-l]*"], ["refs/tags/v?"],
        ])
    func selectsRefsByPattern(patterns: [String]) throws {
        try pair().compare(["for-each-ref"] + patterns)
    }

    @Test(
        arguments: [
            ["--abbrev"], ["--abbrev=5", "-d"], ["--hash=5"], ["-s", "-d"], ["v1"], ["tags/v1"],
            ["ags/v1"], ["--verify", "HEAD"], ["--verify", "-d", "refs/tags/v1"],
            ["--verify", "-q", "refs/none"], ["--verify"], ["--head", "--heads"],
            ["--heads", "--tags", "main", "light"], ["-q"], ["-q", "none"],
        ])
    func showsRefs(arguments: [String]) throws {
        try pair().compare(["show-ref"] + arguments)
    }

    @Test func takesPathsAndEntriesFromInput() throws {
        let pair = try pair()
        try pair.setUp { folder in
            try folder.write("folder/new", "new\n".utf8)
            try folder.write("folder/deep/two", "changed\n".utf8)
        }
        let blob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
        try pair.compare(["hash-object", "-w", "--stdin"])
        try pair.compare(
            ["-C", "folder", "update-index", "--add", "--stdin"],
            input: "new\n\"deep/\\164wo\"\n./../three\n")
        try pair.expectSameIndex()
        try pair.compare(
            ["-C", "folder", "update-index", "-z", "--stdin"], input: "new\0deep/two\0")
        try pair.compare(
            ["update-index", "--index-info"],
            input: "100644 \(blob)\tin/fo\n100755 blob \(blob)\t\"q\\tx\"\n0 \(blob)\tthree\n"
                + "120000 \(blob) 0\tlink\n")
        try pair.expectSameIndex()
        try pair.compare(["update-index", "--index-info"], input: "100644 nonsense\n")
        try pair.compare(["update-index", "--add", "--verbose", "folder/one", "folder/new"])
        try pair.compare(["update-index", "--force-remove", "folder/one"])
        try pair.compare(["update-index", "--no-add", "--add", "--cacheinfo", "100644,\(blob)"])
        try pair.compare(["update-index", "../outside"])
        try pair.compare(["update-index", "folder"])
        try pair.compare(["write-tree", "--prefix=folder/"])
        try pair.compare(["write-tree", "--prefix=folder/deep"])
        try pair.compare(["write-tree", "--prefix=none"])
        try pair.compare(["write-tree"])
        try pair.expectSameIndex()
    }

    @Test func optionsHoldForWhatComesAfterThem() throws {
        let pair = try pair()
        try pair.setUp { try $0.write("new", "new\n".utf8) }
        try pair.compare(["update-index", "new", "--add"])
        try pair.compare(["update-index", "--add", "new"])
        try pair.setUp { try run("/bin/rm", ["\($0.path)/new", "\($0.path)/three"]).required() }
        try pair.compare(["update-index", "three"])
        try pair.compare(["update-index", "--remove", "three", "--no-remove", "new"])
        try pair.expectSameIndex()
    }

    @Test func contentIsConvertedOnItsWayIn() throws {
        let pair = try pair()
        try pair.setUp { folder in
            try folder.write(".gitattributes", "*.txt text\n*.bin -text\n".utf8)
            for name in ["a.txt", "a.bin", "folder/b.txt"] {
                try folder.write(name, "one\r\ntwo\r\n".utf8)
            }
        }
        try pair.compare(["hash-object", "a.txt", "a.bin"])
        try pair.compare(["-C", "folder", "hash-object", "b.txt", "../a.bin"])
        try pair.compare(["hash-object", "--no-filters", "a.txt"])
        try pair.compare(["hash-object", "--path=x.txt", "a.bin"])
        try pair.compare(["hash-object", "--stdin", "--path", "y.txt"], input: "x\r\n")
        try pair.compare(["hash-object", "--stdin"], input: "x\r\n")
        try pair.compare(["hash-object", "--stdin-paths"], input: "a.txt\n\"a\\056bin\"\n")
        try pair.compare(["hash-object", "--stdin", "--stdin"])
        try pair.compare(["hash-object", "--stdin", "--stdin-paths"])
        try pair.compare(["hash-object", "--path=x", "--no-filters", "a.txt"])
        try pair.compare(["update-index", "--add", "a.txt", "a.bin"], standardErrorToo: false)
        try pair.expectSameIndex()
    }

    @Test func theRepositoryMayBeNamed() throws {
        let pair = try pair()
        let elsewhere = ["-C", "elsewhere"]
        try pair.compare(elsewhere + ["--git-dir=../.git", "rev-parse", "--git-dir", "HEAD"])
        try pair.compare(
            elsewhere + ["rev-parse", "HEAD"], environment: ["GIT_DIR": "../.git"])
        try pair.compare(elsewhere + ["--git-dir=none", "rev-parse", "HEAD"])
        try pair.compare(
            elsewhere + [
                "--git-dir=../.git", "--work-tree=..", "rev-parse", "--show-prefix",
                "--show-toplevel",
            ])
        try pair.compare(["-C", "none", "rev-parse"])
        try pair.compare(["-C", "folder", "-C", "deep", "rev-parse", "--show-prefix"])
        try pair.compare(["-c", "nonsense", "rev-parse"])
        try pair.compare(["-C", "/", "rev-parse", "HEAD"])
        try pair.compare(["write-tree"], environment: ["GIT_INDEX_FILE": "other-index"])
    }

    @Test func aFullDiskIsTold() throws {
        let pair = try pair()
        let result = try run(
            "/bin/sh", ["-c", #""$0" cat-file --batch-all-objects --batch >/dev/full"#, Apus.path],
            directory: pair.paths(".").0)
        #expect(result.exit == .code(128))
        #expect(result.err.contains("No space left on device"))
        #expect(result.errorLines.count == 1)
    }

    @Test func aReaderThatGoesAwayEndsItQuietly() throws {
        let fixture = try Fixture.named("many-refs").path
        let script = #"{ "$0" show-ref; echo $? >&2; } | head -n 1"#
        let result = try run("/bin/sh", ["-c", script, Apus.path], directory: fixture)
        // 128 and the number of SIGPIPE, or 0 where all was written before.
        #expect(result.err == "141\n" || result.err == "0\n")
        #expect(result.out.split(separator: "\n").count == 1)
    }

    @Test func namesThatAreNoUTF8ComeThrough() throws {
        let pair = try CommandPair()
        let script = #"git init -q . && printf x >"$(printf 'a\377\200')""#
        try pair.setUp { try run("/bin/sh", ["-c", script], directory: $0.path).required() }
        for program in [Apus.path, "git"] {
            let folder = program == "git" ? pair.paths(".").1 : pair.paths(".").0
            try run(
                "/bin/sh",
                [
                    "-c",
                    #""$0" update-index --add "$(printf 'a\377\200')" && "$0" hash-object a*"#,
                    program,
                ], directory: folder
            ).required()
        }
        try pair.expectSameIndex()
        try pair.compare(["write-tree"])
        try pair.compare(["ls-tree", "-z", "aa7b6f0b6f0e5b57d0d6f8c1e6d1e2a5e6a3f6c1"])
    }

    @Test(
        arguments: [
            ["index-pack", "--stdin"], ["index-pack", "--stdin", "--strict"], ["unpack-objects"],
        ],
        [SIGTERM, SIGINT])
    func aSignalLeavesNothingOfAPackThatIsComing(arguments: [String], signal: Int32) throws {
        let scratch = try TemporaryDirectory()
        try Git.run(["init", "-q"], in: scratch.path)
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { close(ends[1]) }
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        let child = try ChildProcess(
            Apus.path, arguments, inputDescriptor: ends[0], directory: scratch.path)
        close(ends[0])
        let objects = scratch(".git/objects")
        let start = ContinuousClock.now
        // Until it listens for signals, one ends it as any other program.
        while try !holdsTemporaryFile(objects) || !catches(signal, child.id) {
            try #require(ContinuousClock.now - start < .seconds(20))
            usleep(10_000)
        }
        child.send(signal)
        #expect(try child.wait().exit == .signal(signal))
        #expect(try TreeListing(of: objects).entries.keys.sorted() == ["info", "pack"])
    }

    private func holdsTemporaryFile(_ folder: String) throws -> Bool {
        try TreeListing(of: folder).entries.keys.contains { $0.contains("tmp_") }
    }

    /// Whether a process handles a signal; where the system does not tell, it has had the time to.
    private func catches(_ signal: Int32, _ process: Int32) -> Bool {
        guard let status = readFile("/proc/\(process)/status") else {
            usleep(300_000)
            return true
        }
        let lines = String(decoding: status, as: UTF8.self).split(separator: "\n")
        let mask = lines.first { $0.hasPrefix("SigCgt:") }?.split(separator: "\t").last
        return UInt64(mask ?? "", radix: 16).map { $0 >> (signal - 1) & 1 == 1 } ?? false
    }
}
