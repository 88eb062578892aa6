import TestSupport
import Testing

/// The commands that read a repository, beside git's: the same bytes on standard output and the same
/// exit code. Where git fails, what apus says is its own, but it says something.
@Suite(.timeLimit(.minutes(10))) struct ReadingCommandTests {
    static let repositories = [
        "tiny", "history", "nested-tags", "octopus", "modes", "odd-names", "submodule",
        "alternates",
        "many-packs", "deep-deltas", "sha256",
    ]

    @Test(arguments: repositories)
    func listsEveryObject(fixture: String) throws {
        let path = try Fixture.named(fixture).path
        for format in [
            "", "=%(objectname)", "=%(objecttype) %(objectsize)",
            "=%(objectsize:disk) %(deltabase)",
            "=%%x %(objectname)%(objecttype)",
        ] {
            // Which copy of an object that several packs hold is looked at, Git leaves open.
            if fixture == "many-packs", format.contains(":disk") { continue }
            try compare(["cat-file", "--batch-all-objects", "--batch-check\(format)"], path)
        }
        guard fixture != "deep-deltas" else { return }  // 200 MB of text
        try compare(["cat-file", "--batch-all-objects", "--batch"], path)
    }

    @Test(arguments: repositories)
    func showsObjects(fixture: String) throws {
        let path = try Fixture.named(fixture).path
        let list = try Git.run(
            ["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"],
            in: path)
        let lines = list.out.split(separator: "\n")
        let some = stride(from: 0, to: lines.count, by: lines.count / 8 + 1).map { lines[$0] }
        for (number, line) in some.enumerated() {
            let parts = line.split(separator: " ").map(String.init)
            let options = ["-p", "-t", "-s", "-e", parts[1]]
            for option in ServePair.sample(options, turn: number) {
                try compare(["cat-file", option, parts[0]], path)
            }
        }
    }

    @Test func answersABatchOfNames() throws {
        let path = try Fixture.named("history").path
        let names = """
            HEAD
            main rest of the line
            v1.0 \t two  words
            v1.0^{commit}
            main:folder1
            no-such-name
            0000000000000000000000000000000000000000

            refs/heads/maint
            main~3^{tree}
            """ + "\n"
        for option in [
            "--batch-check", "--batch", "--batch-check=%(objectname) %(rest)",
            "--batch-check=%(rest)|%(objectsize)", "--batch=%(objectname) <%(rest)>",
        ] {
            try compare(["cat-file", option], path, input: names)
        }
    }

    @Test(
        arguments: [
            ["-t", "no-such"], ["-p", "no-such"], ["-e", "no-such"],
            ["-e", "1234567890123456789012345678901234567890"], ["blob", "HEAD"], ["-t"], [],
            ["tree", "HEAD"], ["commit", "v1.0"], ["-p", "v1.0"], ["-p", "HEAD:folder1"],
            ["-p", "HEAD:folder1/file1.txt"], ["-s", "HEAD:none"], ["-x", "HEAD"],
        ])
    func fails(arguments: [String]) throws {
        try compare(["cat-file"] + arguments, try Fixture.named("history").path)
    }

    static let treeOptions = [
        "", "-r", "-t", "-d", "-r -t", "-r -d", "-l", "-r -l", "-z", "-r -z --name-only",
        "--name-only", "-r -t -l -z", "--name-only -d",
    ]

    @Test(arguments: Array(repositories.enumerated()))
    func listsTrees(fixture: (offset: Int, element: String)) throws {
        let path = try Fixture.named(fixture.element).path
        for options in ServePair.sample(Self.treeOptions, turn: fixture.offset) {
            let options = options.split(separator: " ").map(String.init)
            try compare(["ls-tree"] + options + ["HEAD"], path)
        }
    }

    @Test(
        arguments: [
            ["HEAD", "folder1"], ["HEAD", "folder1/"], ["-r", "HEAD", "folder1", "folder2/"],
            ["HEAD", "folder1/file1.txt"], ["-t", "HEAD", "folder1/file1.txt"], ["HEAD", "none"],
            ["HEAD:folder1"], ["HEAD^{tree}"], ["v1.0"], ["-d", "HEAD", "folder1/"], ["none"], [],
            ["HEAD:folder1/file1.txt"],
        ])
    func listsPartsOfATree(arguments: [String]) throws {
        try compare(["ls-tree"] + arguments, try Fixture.named("history").path)
    }

    static let refArguments = [
        ["show-ref"], ["show-ref", "--head"], ["show-ref", "-d"], ["show-ref", "--heads"],
        ["show-ref", "--tags", "-d"], ["show-ref", "-s"], ["show-ref", "main"],
        ["show-ref", "--verify", "refs/heads/main"], ["show-ref", "--verify", "main"],
        ["show-ref", "-q", "none"], ["show-ref", "none"], ["for-each-ref"],
        ["for-each-ref", "refs/tags"], ["for-each-ref", "refs/heads/*"],
        ["for-each-ref", "refs/heads/main"], ["for-each-ref", "refs/none"],
    ]

    @Test(
        arguments: Array(
            (repositories + ["many-refs", "empty", "detached", "unborn-other"]).enumerated()))
    func listsRefs(fixture: (offset: Int, element: String)) throws {
        let path = try Fixture.named(fixture.element).path
        for arguments in ServePair.sample(Self.refArguments, turn: fixture.offset) {
            try compare(arguments, path)
        }
    }

    @Test(
        arguments: [
            "HEAD", "@", "main", "heads/main", "refs/heads/main", "maint", "topic/one", "v1.0",
            "tags/v1.0", "light", "v1.0^{}", "v1.0^{commit}", "v1.0^{tree}", "v1.0^0", "main^",
            "main~7", "main^1~2", "main^{tree}", "main:folder1", "main:folder1/file1.txt",
            "main^{/none}", "none", "main~9999", "main^9", "main^{blob}", "refs/notes/commits",
            "1234567890123456789012345678901234567890", "12345", "main:none", "",
        ])
    func resolvesNames(name: String) throws {
        let path = try Fixture.named("history").path
        try compare(["rev-parse", "--verify", "-q", name], path)
        try compare(["rev-parse", "--verify", name], path)
    }

    @Test func resolvesShortenedIDs() throws {
        let path = try Fixture.named("history").path
        for name in ["main", "v1.0", "main~10", "main:folder3", "light"] {
            let oid = try Git.line(["rev-parse", name], in: path)
            for length in [4, 6, 7, 12, 39, 40] {
                try compare(["rev-parse", "--verify", String(oid.prefix(length))], path)
            }
            try compare(["rev-parse", oid.uppercased()], path)
        }
        try compare(["rev-parse", "HEAD", "main", "maint"], path)
    }

    @Test(arguments: repositories)
    func verifiesPacks(fixture: String) throws {
        let path = try Fixture.named(fixture).path
        for name in try TreeListing(of: "\(path)/objects/pack").entries.keys.sorted()
        where name.hasSuffix(".idx") {
            let index = "objects/pack/\(name)"
            try compare(["verify-pack", index], path)
            try compare(["verify-pack", "-v", index], path)
        }
    }

    private func compare(_ arguments: [String], _ directory: String, input: String = "") throws {
        let apus = try Apus.run(arguments, in: directory, input: Array(input.utf8))
        let git = try Git.attempt(arguments, in: directory, input: Array(input.utf8))
        #expect(apus.exit == git.exit, "\(arguments): \(apus.err)")
        #expect(apus.stdout == git.stdout, "\(arguments): \(firstDifference(apus, git))")
        if git.stderr.isEmpty != apus.stderr.isEmpty {
            #expect(apus.err == git.err, "\(arguments)")
        }
    }

    private func firstDifference(_ apus: RunResult, _ git: RunResult) -> String {
        let same = zip(apus.stdout, git.stdout).prefix { $0 == $1 }.count
        let start = max(same - 40, 0)
        return "'\(printable(apus.stdout.dropFirst(start).prefix(120)))', not "
            + "'\(printable(git.stdout.dropFirst(start).prefix(120)))'"
    }
}
