import TestSupport
import Testing

/// The commands that write a repository, each run by apus and by git in a folder of its own: they
/// print the same and leave the same.
@Suite(.timeLimit(.minutes(10))) struct WritingCommandTests {
    @Test(
        arguments: [
            [], ["-q"], ["--bare"], ["-b", "trunk"], ["--initial-branch=a/b"], ["--bare", "-q"],
            ["sub"], ["--bare", "sub.git"], ["deep/er/sub"], ["-b", "bad..name"], ["--none"],
            ["-b", "trunk", "--bare", "sub"],
        ])
    func startsARepository(arguments: [String]) throws {
        let pair = try CommandPair()
        let apus = try pair.compare(["init"] + arguments)
        // Git leaves half a repository where it refuses a name for the branch.
        if apus.succeeded { try pair.expectSameFiles() }
    }

    @Test func startsARepositoryAgain() throws {
        let pair = try CommandPair()
        try pair.compare(["init", "-b", "trunk"])
        try pair.compare(["init"])
        try pair.compare(["init", "-b", "other"], standardErrorToo: false)
        try pair.expectSameFiles()
    }

    @Test func takesTheFirstBranchFromTheConfiguration() throws {
        let pair = try CommandPair()
        try pair.compare(
            ["init", "-q"], environment: configuration([("init.defaultBranch", "elsewhere")]))
        try pair.expectSameFiles()
    }

    @Test func hashesObjects() throws {
        let pair = try CommandPair()
        try pair.setUp { folder in
            try Git.run(["init", "-q"], in: folder.path)
            try folder.write("a", "Hello\n".utf8)
            try folder.write("b c", Array(repeating: 0xff, count: 100_000))
            try folder.write("empty", [])
        }
        for arguments in [
            ["a"], ["a", "b c", "empty"], ["-w", "a", "empty"], ["-w", "b c"], ["-t", "blob", "a"],
            ["--", "a"], ["none"], ["-t", "nonsense", "a"], ["-t", "tree", "a"],
            ["-t", "commit", "a"], ["-w", "none"],
        ] {
            try pair.compare(["hash-object"] + arguments)
        }
        for input in ["", "Hello\n", String(repeating: "0123456789", count: 50_000)] {
            try pair.compare(["hash-object", "--stdin"], input: input)
            try pair.compare(["hash-object", "-w", "--stdin"], input: input)
        }
        try pair.compare(["hash-object", "--stdin", "a"], input: "x")
        try pair.compare(["hash-object", "--stdin-paths"], input: "a\nb c\nempty\n")
        try pair.compare(["hash-object", "-w", "--stdin-paths"], input: "empty\na\n")
        try pair.compare(["hash-object", "--stdin-paths"], input: "a\nnone\n")
        try pair.expectSameObjects()
    }

    @Test func buildsATreeAndACommit() throws {
        let pair = try CommandPair()
        try pair.setUp { folder in
            try Git.run(["init", "-q"], in: folder.path)
            try folder.write("z", "Z\n".utf8)
            try folder.write("sub/y", "Y\n".utf8)
            try folder.write("sub.c", "C\n".utf8)
            try folder.write("run", "#!/bin/sh\n".utf8)
            try run("/bin/sh", ["-c", "chmod +x run && ln -s z link"], directory: folder.path)
                .required()
        }
        let blob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
        try pair.compare(["update-index", "none"])
        try pair.compare(["update-index", "z"])
        try pair.compare(["update-index", "--add", "z", "sub/y", "sub.c", "run", "link"])
        try pair.expectSameIndex()
        try pair.compare(["hash-object", "-w", "--stdin"])
        try pair.compare(["update-index", "--add", "--cacheinfo", "100644,\(blob),in/a/folder"])
        try pair.compare(["update-index", "--add", "--cacheinfo", "100755", blob, "other"])
        try pair.compare(["update-index", "--add", "--cacheinfo", "160000,\(blob),module"])
        for bad in [
            "100644,\(blob),.git/x", "100644,\(blob),../x", "100600,\(blob),x", "100644,z,x",
        ] {
            try pair.compare(["update-index", "--add", "--cacheinfo", bad])
        }
        try pair.expectSameIndex()
        try pair.compare(["write-tree"])
        // A name that was a file becomes a folder.
        try pair.compare(["update-index", "--add", "--cacheinfo", "100644,\(blob),z/below"])
        try pair.compare(["update-index", "--remove", "in/a/folder", "other"])
        try pair.expectSameIndex()
        try pair.compare(["write-tree"])

        let tree = try pair.compare(["write-tree"]).out.dropLast()
        let first = try pair.compare(["commit-tree", "\(tree)", "-m", "One"]).out.dropLast()
        try pair.compare(["commit-tree", "\(tree)", "-p", "\(first)", "-m", "Two", "-m", "More"])
        try pair.compare(["commit-tree", "-p", "\(first)", "\(tree)"], input: "From input\n\n\nx")
        try pair.compare(["commit-tree", "\(tree)", "-p", "\(first)", "-p", "\(tree)", "-m", "x"])
        try pair.compare(["commit-tree", "\(first)", "-m", "Not a tree"])
        try pair.compare(["commit-tree", "none", "-m", "x"])
        try pair.expectSameObjects()
    }

    @Test(
        arguments: [
            ["GIT_AUTHOR_NAME": "  Ada <of> Lovelace.\n", "GIT_AUTHOR_EMAIL": "<ada@x>"],
            ["GIT_AUTHOR_DATE": "1234567890 -0530"], ["GIT_AUTHOR_DATE": "@0 +0000"],
            ["GIT_AUTHOR_NAME": "\u{e9}", "GIT_COMMITTER_NAME": "J. R."],
            [
                "GIT_COMMITTER_NAME": "", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name",
                "GIT_CONFIG_VALUE_0": "From Config",
            ],
        ])
    func signsACommitAsGitDoes(environment: [String: String]) throws {
        let pair = try CommandPair()
        try pair.setUp { try Git.run(["init", "-q"], in: $0.path) }
        try pair.compare(["hash-object", "-w", "-t", "tree", "--stdin"])
        try pair.compare(
            ["commit-tree", "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "-m", "x"],
            environment: environment)
        try pair.expectSameObjects()
    }

    @Test func refusesATreeWithMissingObjects() throws {
        let pair = try CommandPair()
        try pair.setUp { try Git.run(["init", "-q"], in: $0.path) }
        let missing = "1234567890123456789012345678901234567890"
        try pair.compare(["update-index", "--add", "--cacheinfo", "100644,\(missing),x"])
        try pair.compare(["write-tree"])
    }

    @Test(arguments: [["--nonsense"], ["clone", "-h"], ["no-such-command"], []])
    func exitsAsGitDoesWhenItIsMisused(arguments: [String]) throws {
        let apus = try Apus.run(arguments)
        #expect(apus.exit == (try Git.attempt(arguments).exit))
        #expect(!apus.stdout.isEmpty || !apus.stderr.isEmpty)
    }

    @Test(
        arguments: [
            "clone", "ls-remote", "init", "hash-object", "cat-file", "ls-tree", "update-index",
            "write-tree", "commit-tree", "index-pack", "unpack-objects", "verify-pack", "show-ref",
            "for-each-ref", "rev-parse", "fsck",
        ])
    func explainsItself(command: String) throws {
        guard !Apus.isGit else { return }
        let help = try Apus.run([command, "-h"])
        #expect(help.exit == .code(129))
        #expect(help.out.contains("apus \(command)"))
        #expect(try Apus.run(["help"]).required().out.contains(command))
        #expect(try Apus.run(["help", command]).required().out == help.out)
    }

    @Test func tellsItsVersion() throws {
        let version = try Apus.run(["version"]).required().out
        #expect(version.wholeMatch(of: /(apus|git) version \d+\.\d+\S*\n/) != nil)
        #expect(try Apus.run(["--version"]).required().out == version)
    }
}
