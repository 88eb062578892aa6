import TestSupport
import Testing

/// `commit-graph` and `multi-pack-index` beside git's: the same files, to the byte.
@Suite(.timeLimit(.minutes(10))) struct IndexCommandTests {
    private func pair(_ fixture: String, _ script: String = ":") throws -> CommandPair {
        let pair = try CommandPair()
        let source = try Fixture.named(fixture).path
        try pair.setUp { folder in
            try run("/bin/cp", ["-Rp", source, folder("r.git")]).required()
            try run(
                "/bin/sh", ["-c", script],
                environment: [
                    "GIT_COMMITTER_DATE": "1700000000 +0000",
                    "GIT_AUTHOR_DATE": "1700000000 +0000",
                ], directory: folder("r.git")
            ).required()
        }
        return pair
    }

    private static let graph = "objects/info/commit-graph"

    @Test(arguments: [
        "history", "octopus", "nested-tags", "many-refs", "sha256", "many-packs", "alternates",
        "tiny", "detached", "odd-names",
    ])
    func writesTheCommitGraphThatGitWrites(fixture: String) throws {
        let pair = try pair(fixture)
        let write = ["-C", "r.git", "commit-graph", "write"]
        try pair.compare(write + ["--reachable"])
        try pair.expectSameFile("r.git/\(Self.graph)")
        try pair.compare(["-C", "r.git", "commit-graph", "verify"])
        let path = pair.paths("r.git").0
        let verdict = try Git.attempt(["commit-graph", "verify", "--no-progress"], in: path)
        #expect(verdict.exit == .code(0) && verdict.err.isEmpty)
        let tip = try Git.line(["rev-parse", "HEAD^{commit}"], in: path)
        try pair.compare(write + ["--stdin-commits"], input: "\(tip)\n")
        try pair.expectSameFile("r.git/\(Self.graph)")
        try pair.compare(write)
        try pair.expectSameFile("r.git/\(Self.graph)")
    }

    /// Clocks that were wrong: times in the far future and at the beginning.
    @Test func writesCorrectedTimesAsGitDoes() throws {
        let pair = try pair(
            "tiny",
            """
            p=$(git rev-parse HEAD)
            for t in 9000000000 100 1700000000 6000000000 0 5 2000000000; do
                p=$(GIT_COMMITTER_DATE="@$t +0000" git commit-tree -p $p -m $t HEAD^{tree})
            done
            r=$(GIT_COMMITTER_DATE="@0 +0000" git commit-tree -m root HEAD^{tree})
            git update-ref refs/heads/odd $p; git update-ref refs/heads/root $r
            """)
        try pair.compare(["-C", "r.git", "commit-graph", "write", "--reachable"])
        try pair.expectSameFile("r.git/\(Self.graph)")
        try pair.compare(["-C", "r.git", "commit-graph", "verify"])
    }

    @Test func replacesLayers() throws {
        let pair = try pair(
            "history",
            """
            git rev-parse HEAD~9 | git commit-graph write --stdin-commits --split=no-merge
            git commit-graph write --reachable --split=no-merge
            """)
        try pair.compare(["-C", "r.git", "commit-graph", "verify"])
        try pair.compare(["-C", "r.git", "commit-graph", "write", "--reachable"])
        try pair.expectSameFile("r.git/\(Self.graph)")
        let chain = "r.git/objects/info/commit-graphs/commit-graph-chain"
        #expect(!exists(pair.paths(chain).0) && !exists(pair.paths(chain).1))
    }

    @Test func doesNotWriteGraphsOfShallowHistories() throws {
        let pair = try pair("history", "git rev-parse HEAD~3 >shallow")
        try pair.compare(["-C", "r.git", "commit-graph", "write", "--reachable"])
        #expect(!exists(pair.paths("r.git/\(Self.graph)").0))
        try pair.compare(["-C", "r.git", "commit-graph", "verify"])
    }

    @Test func findsEveryByteWrongInACommitGraph() throws {
        let folder = try TemporaryDirectory()
        try run("/bin/cp", ["-R", try Fixture.named("octopus").path, folder("r.git")]).required()
        try Git.run(["commit-graph", "write", "--reachable"], in: folder("r.git"))
        let path = folder("r.git/\(Self.graph)")
        let whole = try #require(readFile(path))
        try run("/bin/rm", ["-f", path]).required()
        for position in stride(from: 0, to: whole.count, by: whole.count / 40) {
            var damaged = whole
            damaged[position] ^= 0x11
            try folder.write("r.git/\(Self.graph)", damaged)
            let result = try Apus.run(["-C", folder("r.git"), "commit-graph", "verify"])
            #expect(result.exit == .code(1) && !result.err.isEmpty, "byte \(position)")
        }
    }

    // MARK: Many packs

    private static let index = "objects/pack/multi-pack-index"

    /// Packs with copies of the same objects, each a second older than the next.
    private static let packs = """
        git repack -q -d; n=1; for c in $(git rev-list --all | tail -n 4); do
            p=$(echo $c | git pack-objects -q --revs objects/pack/pack)
            touch -d @170000000$n objects/pack/pack-$p.pack; n=$((n + 1))
        done
        """

    @Test(arguments: ["history", "sha256", "many-packs", "octopus"], [false, true])
    func writesTheIndexThatGitWrites(fixture: String, bitmap: Bool) throws {
        let pair = try pair(fixture, Self.packs)
        let write = ["-C", "r.git", "multi-pack-index", "write"] + (bitmap ? ["--bitmap"] : [])
        try pair.compare(write)
        try pair.expectSameFile("r.git/\(Self.index)")
        try pair.compare(["-C", "r.git", "multi-pack-index", "verify"])
        try pair.compare(write)
        try pair.expectSameFile("r.git/\(Self.index)")
        let (path, _) = pair.paths("r.git")
        try Git.run(["multi-pack-index", "verify", "--no-progress"], in: path)
        try Git.run(["fsck", "--no-progress"], in: path)
        if bitmap { try Git.run(["rev-list", "--test-bitmap", "HEAD"], in: path) }
        // One more pack, added to what is there.
        try pair.setUp { folder in
            try run(
                "/bin/sh",
                [
                    "-c",
                    "p=$(git rev-parse HEAD~1 | git pack-objects -q --revs objects/pack/pack); touch -d @1700000009 objects/pack/pack-$p.pack",
                ],
                directory: folder("r.git")
            ).required()
        }
        try pair.compare(write)
        try pair.expectSameFile("r.git/\(Self.index)")
        if bitmap { try Git.run(["rev-list", "--test-bitmap", "HEAD"], in: path) }
    }

    @Test func prefersThePackThatItIsTold() throws {
        let pair = try pair("history", Self.packs)
        let names = try run(
            "/bin/sh", ["-c", "ls objects/pack/*.idx"], directory: pair.paths("r.git").0
        ).out.split(separator: "\n").map { String($0.dropFirst("objects/pack/".count)) }
        for name in names.prefix(3) {
            for option in [[], ["--bitmap"]] {
                try pair.compare(
                    ["-C", "r.git", "multi-pack-index", "write", "--preferred-pack=\(name)"]
                        + option)
                try pair.expectSameFile("r.git/\(Self.index)")
            }
        }
    }

    @Test func refusesBitmapsForWhatIsNotAllInPacks() throws {
        let pair = try pair(
            "history",
            Self.packs
                + "\nb=$(echo new | git hash-object -w --stdin); t=$(printf '100644 blob %s\\tf\\n' $b | git mktree); git update-ref refs/heads/n $(GIT_COMMITTER_DATE='1800000000 +0000' git commit-tree -p HEAD -m n $t); git rev-list -1 n | git pack-objects -q objects/pack/pack; git prune-packed -q"
        )
        let result = try pair.compare(["-C", "r.git", "multi-pack-index", "write", "--bitmap"])
        #expect(result.exit == .code(1))
        #expect(!exists(pair.paths("r.git/\(Self.index)").0))
    }

    @Test func refusesWhereThereAreNoPacks() throws {
        let pair = try CommandPair()
        try pair.setUp { try Git.run(["init", "-q", "--bare", "r.git"], in: $0.path) }
        try pair.compare(["-C", "r.git", "multi-pack-index", "write"])
        try pair.compare(["-C", "r.git", "multi-pack-index", "verify"])
        #expect(try Apus.run(["multi-pack-index", "expire"]).exit == .code(129))
        #expect(try Apus.run(["commit-graph", "x"]).exit == .code(129))
    }

    @Test func findsEveryByteWrongInAnIndex() throws {
        let pair = try pair("octopus", Self.packs)
        let path = pair.paths("r.git").0
        try Git.run(["multi-pack-index", "write", "--bitmap"], in: path)
        let whole = try #require(readFile("\(path)/\(Self.index)"))
        let all = try Apus.run(["-C", path, "pack-objects", "--all", "--revs", "--stdout", "-q"])
        var found = 0
        for position in stride(from: 0, to: whole.count, by: whole.count / 40) {
            var damaged = whole
            damaged[position] ^= 0x11
            try run("/bin/rm", ["-f", "\(path)/\(Self.index)"]).required()
            let folder = try TemporaryDirectory()
            try folder.write("x", damaged)
            try run("/bin/cp", [folder("x"), "\(path)/\(Self.index)"]).required()
            let result = try Apus.run(["-C", path, "multi-pack-index", "verify"])
            #expect(result.exit == .code(1) && !result.err.isEmpty, "byte \(position)")
            let pack = try Apus.run([
                "-C", path, "pack-objects", "--all", "--revs", "--stdout", "-q",
            ])
            // What is found is right, or it is an error.
            #expect(pack.succeeded || pack.exit == .code(128), "byte \(position): \(pack.err)")
            if pack.succeeded {
                found += 1
                #expect(pack.stdout.prefix(12) == all.stdout.prefix(12), "byte \(position)")
            }
        }
        #expect(found > 20)
    }
}
