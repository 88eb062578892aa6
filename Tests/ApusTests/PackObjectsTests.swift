import TestSupport
import Testing

/// `pack-objects --revs --stdout` beside git's: the same objects, in a pack that git takes.
@Suite(.timeLimit(.minutes(10))) struct PackObjectsTests {
    static let fixtures = [
        "history", "many-packs", "nested-tags", "octopus", "sha256", "alternates", "submodule",
        "odd-names", "deep-deltas", "modes", "tiny", "many-refs", "detached",
    ]

    /// Lines for standard input; `%0`, `%1` … stand for commits of the fixture, newest first.
    static let revisions = [
        ["%0"], ["%0", "^%1"], ["%1", "^%0"], ["%0", "%3", "^%5", "^%9"], ["%0", "--not", "%7"],
        ["--not", "%2", "--not", "%0"], ["^%0", "%0"], ["%0", "^%0^{tree}"], ["%0^{tree}"],
        ["%0^{tree}", "^%4"], ["--shallow %0", "%0"], ["--shallow %1", "%0", "^%3"], [],
        ["--shallow %2", "--shallow %5", "%0"], ["%0", "", "garbage"],
    ]

    @Test(arguments: ServePair.sample(fixtures)) func sendsTheObjectsThatGitSends(fixture: String)
        throws
    {
        let repository = try PackRepository(fixture)
        for (number, lines) in Self.revisions.enumerated() {
            // Of tags of what may be a base of a thin pack, git sends some that lead to nothing in it.
            try repository.compare([number % 3 == 1 ? "--include-tag" : "--thin"], lines)
        }
        try repository.compare(["--delta-base-offset"], ["%0", "^%3"])
        try repository.compare(["--include-tag"], ["%2", "^%9"])
        try repository.compare(["--all", "--delta-base-offset"], [])
        try repository.compare(["--all", "--window=0"], ["^%5"])
    }

    static let filters = [
        "blob:none", "blob:limit=0", "blob:limit=40", "blob:limit=1k", "tree:0", "tree:1", "tree:2",
        "tree:3", "tree:1k", "object:type=commit", "object:type=tree", "object:type=blob",
        "object:type=tag", "combine:tree:2+blob:none", "combine:tree%3A3+blob:limit=60",
        "combine:combine:tree:2", "combine:object:type=blob+tree:2",
    ]

    // Not in nested-tags: an object that is asked for by its id is always sent here; by git not if a
    // commit leads to it, too.
    @Test(arguments: ServePair.sample(["history", "odd-names", "many-packs", "sha256"]))
    func filtersAsGitDoes(fixture: String) throws {
        let repository = try PackRepository(fixture)
        let some = [["%0", "^%3"], ["%0^{tree}"], ["%1", "--not", "%4"]]
        for (number, filter) in Self.filters.enumerated() {
            try repository.compare(["--all", "--filter=\(filter)"], [])
            for lines in ServePair.sample(some, turn: number) {
                try repository.compare(["--filter=\(filter)", "--thin"], lines)
            }
        }
        try repository.compare(["--all", "--filter=tree:2", "--filter=blob:none"], [])
        try repository.compare(["--all", "--filter=tree:2", "--no-filter"], [])
    }

    @Test func refusesFiltersAsGitDoes() throws {
        let repository = try PackRepository("tiny")
        for filter in [
            "tree:x", "tree:", "tree:-1", "tree:99999999999999999999", "blob:limit=",
            "blob:limit=x",
            "blob:limit=1kb", "object:type=foo", "combine:", "combine:a b", "combine:tree:1+",
            "combine:tree%3", "combine:combine:tree:1+x~", "foo", "sparse:path=x", "",
        ] {
            try repository.compareFailure(["--filter=\(filter)", "--all"], [])
        }
    }

    /// Sparse patterns, and a history in which the same blobs and trees are at many paths.
    ///
    /// Not here: `a**/b`, which git took for `a` and `**/b` up to 2.39.
    private static let sparse = [
        "", "*\n", "/*\n", "/\n", "!*\n", "/*\n!/*/\n", "/*\n!/*/\n/src/\n", "src/\n", "/src",
        "src/**",
        "**/one.c", "src/**/one.c", "*.c\n!one.c\n", "/copy/**\n", "\\#x\n", "#x\n", "\\!y", "!y",
        "*\n!y", "z \n", "z\\ \n", "k\\*k", "d[1]", "d\\[1]", "[a-d]*/", "src/*.c", "/cop?/",
        "copy/",
        "*\n!/copy/\n", "*\n!src/\n", "src\r\n", "\u{feff}src", "/sr/",
        "src/lib/\n!src/lib/one.c\n",
        "*/lib", "//\n", "[\n", "src\\", "   \n", "copy\0x\n", "src/*\n!src/lib/\n",
        "*.c\n!src/\nsrc/one.c",
    ]
    private static let sparseScript = """
        set -e
        git init -q .
        add() {
            mkdir -p src/lib/deep other
            for name in one.c two.c '#x' '!y' 'z ' 'k*k' 'd[1]' README; do
                echo "$1 $name" >"$name"
                echo "$1 $name below" >"src/$name"
                echo "$1 $name" >"src/lib/$name"
                echo "$1 $name deep" >"src/lib/deep/$name"
            done
            rm -rf copy
            cp -R src copy
            echo "$1 one.c below" >other/renamed
            git add -A
            git commit -qm "$1"
        }
        add first
        add second
        git mv copy moved
        git commit -qm third
        git tag -a -m tag tagged
        """

    @Test func filtersBySparsePatternsAsGitDoes() throws {
        let scratch = try TemporaryDirectory()
        try run("/bin/bash", ["-c", Self.sparseScript], directory: scratch.path).required()
        let repository = try PackRepository(path: scratch.path)
        for (number, patterns) in ServePair.sample(Array(Self.sparse.enumerated())) {
            let oid = try Git.attempt(
                ["hash-object", "-w", "--stdin"], in: scratch.path, input: Array(patterns.utf8)
            ).required().out.prefix { $0 != "\n" }
            let filter = "--filter=sparse:oid=\(oid)"
            try repository.compare(["--all", filter], [])
            guard number % 5 == 2 else { continue }
            try repository.compare([filter, "--thin"], ["%0", "^%2"])
            try repository.compare([filter], ["%0^{tree}"])
            for other in ["blob:none", "tree:2", "object:type=blob"] {
                try repository.compare(
                    ["--filter=combine:sparse:oid=\(oid)+\(other)"], ["%0", "^%1"])
            }
        }
    }

    @Test func takesSparsePatternsFromBlobsAlone() throws {
        let scratch = try TemporaryDirectory()
        try run("/bin/bash", ["-c", Self.sparseScript], directory: scratch.path).required()
        let repository = try PackRepository(path: scratch.path)
        for name in ["nothing", "HEAD:nothing", "", String(repeating: "1", count: 40)] {
            let result = try Apus.run(
                ["pack-objects", "--all", "--stdout", "-q", "--filter=sparse:oid=\(name)"],
                in: scratch.path)
            #expect(result.exit == .code(128), "\(name)")
            #expect(
                result.err == "fatal: unable to access sparse blob in '\(name)'\n", "\(name)")
        }
        try repository.compare(["--all", "--filter=sparse:oid=HEAD:src/one.c"], [])
        for (name, words) in [
            ("HEAD:src", "which is a tree"), ("HEAD:large", "more than 1048576 bytes"),
            ("HEAD:many", "more than 16384"), ("HEAD:long", "longer than 4096 bytes"),
        ] {
            if name == "HEAD:large" {
                _ = try scratch.write("large", [UInt8](repeating: 0x0a, count: 1 << 20 + 1))
                _ = try scratch.write("many", (0 ... 1 << 14).flatMap { _ in [0x61, 0x0a] })
                _ = try scratch.write("long", [UInt8](repeating: 0x61, count: 4_097))
                try run(
                    "/bin/sh", ["-c", "git add -A && git commit -qm large"],
                    directory: scratch.path
                ).required()
            }
            let result = try Apus.run(
                ["pack-objects", "--all", "--stdout", "-q", "--filter=sparse:oid=\(name)"],
                in: scratch.path)
            #expect(result.exit == .code(128), "\(name)")
            #expect(result.errorLines.count == 1 && result.err.contains(words), "\(result.err)")
        }
    }

    @Test func refusesRevisionsAsGitDoes() throws {
        let repository = try PackRepository("tiny")
        for line in [
            "deadbeef", "nothing", "^nothing", "--all", "--shallow x", "-", "--no-such-option",
            String(repeating: "1", count: 40), "^" + String(repeating: "1", count: 40),
        ] {
            try repository.compareFailure([], [line])
        }
    }

    @Test(arguments: ["", "--revs", "--stdout --no-such-option"])
    func refusesOptionsWithTheUsage(text: String) throws {
        let result = try Apus.run(
            ["pack-objects"] + text.split(separator: " ").map(String.init),
            in: try Fixture.named("tiny").path)
        #expect(result.exit == .code(129))
        #expect(result.err.contains("usage: "))
    }

    /// With a commit-graph, in one file or in layers, it is all the same.
    @Test(arguments: [["--reachable"], ["--reachable", "--split=no-merge"]])
    func readsCommitGraphs(options: [String]) throws {
        for fixture in ["history", "octopus", "sha256"] {
            let repository = try PackRepository(fixture, copied: true)
            try Git.run(
                ["commit-graph", "write"] + options, in: repository.path, environment: [:])
            for lines in Self.revisions.prefix(6) { try repository.compare(["--thin"], lines) }
            try repository.compare(["--all"], [])
        }
    }

    @Test(arguments: ["history", "many-packs"])
    func readsMultiPackIndexes(fixture: String) throws {
        let repository = try PackRepository(fixture, copied: true)
        try Git.run(["multi-pack-index", "write"], in: repository.path)
        for lines in Self.revisions.prefix(6) { try repository.compare(["--thin"], lines) }
        try repository.compare(["--all"], [])
    }

    /// What is known by bitmaps of a pack, or of many, and what came since; all is as without them.
    @Test(
        arguments: ServePair.sample(["history", "sha256", "octopus", "nested-tags", "many-refs"]),
        [false, true])
    func readsBitmaps(fixture: String, ofMany: Bool) throws {
        let repository = try PackRepository(fixture, copied: true)
        let script =
            ofMany
            ? "git rev-list --all | tail -n 5 | git pack-objects -q --revs objects/pack/pack; git repack -dq; git multi-pack-index write --bitmap"
            : "git repack -adbq"
        try run("/bin/sh", ["-c", script], directory: repository.path).required()
        for round in 0 ..< 2 {
            for (number, lines) in Self.revisions.enumerated()
            where fixture == "history" || number < 6 {
                try repository.compare(
                    number % 2 == round ? [] : ["--include-tag", "--delta-base-offset"], lines)
            }
            try repository.compare(["--all"], [])
            try repository.compare(["--all", "--delta-base-offset"], ["^%3"])
            let hasFilters = fixture == "history" && round == 1
            for filter in ServePair.sample(Self.filters, turn: ofMany ? 1 : 0) where hasFilters {
                try repository.compare(["--all", "--filter=\(filter)"], [])
                try repository.compare(
                    ["--filter=\(filter)", "--delta-base-offset"], ["%0", "^%9"])
            }
            if hasFilters {
                let made = try run(
                    "/bin/sh", ["-c", "printf '[a-m]*\n' | git hash-object -w --stdin"],
                    directory: repository.path
                ).required()
                let oid = made.out.split(separator: "\n").first ?? ""
                try repository.compare(["--all", "--filter=sparse:oid=\(oid)"], [])
            }
            guard round == 0 else { break }
            try run(
                "/bin/sh",
                [
                    "-c",
                    "c=$(git commit-tree -p HEAD -m x HEAD^{tree}) && b=$(echo new | git hash-object -w --stdin) && t=$( (git ls-tree HEAD; printf '100644 blob %s\\tnew\\n' $b) | git mktree) && d=$(git commit-tree -p $c -m y $t) && git update-ref refs/heads/newer $d && git tag -a -m z znew $d",
                ], directory: repository.path
            ).required()
        }
    }

    /// What is loose and in packs with no deltas becomes deltas, about as small as git's.
    @Test(arguments: ["history", "many-packs", "deep-deltas"])
    func makesDeltasAsSmallAsGitDoes(fixture: String) throws {
        let repository = try PackRepository(fixture, copied: true)
        try run(
            "/bin/sh",
            [
                "-c",
                "mkdir x && mv objects/pack/*.pack x && cat x/*.pack >/dev/null && rm -f objects/pack/* && for p in x/*.pack; do git unpack-objects -q <$p; done",
            ],
            directory: repository.path
        ).required()
        let (apus, git) = try repository.compare(["--all", "--delta-base-offset"], [])
        #expect(Double(apus) <= Double(git) * 1.03, "\(apus) bytes, git \(git)")
    }

    @Test func saysWhichObjectIsMissing() throws {
        let repository = try PackRepository("tiny", copied: true)
        let tree = try Git.line(["rev-parse", "HEAD^{tree}"], in: repository.path)
        try run(
            "/bin/sh",
            [
                "-c",
                "mv objects/pack/*.pack x; rm -f objects/pack/*; git unpack-objects -q <x; rm -f objects/\(tree.prefix(2))/\(tree.dropFirst(2))",
            ], directory: repository.path
        ).required()
        let result = try Apus.run(
            ["pack-objects", "--revs", "--all", "--stdout"], in: repository.path)
        #expect(result.exit == .code(128))
        #expect(result.err.contains(tree), "\(result.err)")
        #expect(result.stdout.isEmpty)
    }

    /// An entry whose bytes changed on disk is taken from another copy.
    @Test func takesAnotherCopyOfADamagedEntry() throws {
        let repository = try PackRepository("history", copied: true)
        try run(
            "/bin/sh",
            [
                "-c",
                "cat objects/pack/*.pack >x; git unpack-objects -q <x; ls objects/pack; mv objects/pack y; mkdir objects/pack; git unpack-objects -q <x; rmdir objects/pack; mv y objects/pack; chmod u+w objects/pack/*.pack",
            ], directory: repository.path
        ).required()
        let pack = try run("/bin/sh", ["-c", "ls objects/pack/*.pack"], directory: repository.path)
            .required().out.split(separator: "\n").map(String.init)[0]
        var bytes = try #require(readFile("\(repository.path)/\(pack)"))
        // The last bytes of an entry are its stream's checksum.
        let lines = try Git.run(["verify-pack", "-v", pack], in: repository.path).out
        var ends: [Int] = []
        for line in lines.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count >= 5, let size = Int(fields[3]), let offset = Int(fields[4])
            else { continue }
            ends.append(offset + size - 2)
        }
        #expect(ends.count > 100)
        for (number, end) in ends.enumerated() where number % 3 == 0 && end < bytes.count - 20 {
            bytes[end] ^= 0x20
        }
        let damaged = try TemporaryDirectory()
        try damaged.write("p", bytes)
        try run("/bin/cp", [damaged("p"), "\(repository.path)/\(pack)"]).required()
        let whole = try Fixture.named("history").path
        let result = try Apus.run(
            ["pack-objects", "--revs", "--all", "--stdout", "-q"], in: repository.path)
        let git = try Git.run(["pack-objects", "--revs", "--all", "--stdout", "-q"], in: whole)
        #expect(result.succeeded, "\(result.err)")
        #expect(
            try repository.objects(of: result.stdout, isThin: false)
                == repository.objects(of: git.stdout, isThin: false))
    }

    @Test func showsProgressAsGitDoes() throws {
        let path = try Fixture.named("history").path
        func titles(_ result: RunResult) -> [String] {
            var titles: [String] = []
            for line in result.errorLines {
                let title = String(line.prefix { $0 != ":" && !$0.isNumber })
                if titles.last != title { titles.append(title) }
            }
            return titles
        }
        let arguments = ["pack-objects", "--revs", "--all", "--stdout", "--delta-base-offset"]
        let apus = try Apus.run(arguments + ["--all-progress"], in: path)
        #expect(apus.succeeded)
        #expect(titles(apus).first == "Enumerating objects")
        #expect(titles(apus).contains("Writing objects"))
        #expect(titles(apus).last == "Total ")
        let quiet = try Apus.run(arguments + ["-q", "--all-progress"], in: path)
        #expect(quiet.stderr.isEmpty)
        let unseen = try Apus.run(arguments, in: path)
        #expect(unseen.stderr.isEmpty)
    }
}
