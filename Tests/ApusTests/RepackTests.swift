import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `repack` beside git's: the same objects are left, in as many packs, and git finds them whole.
@Suite(.timeLimit(.minutes(10))) struct RepackTests {
    /// Packs, one of them kept, with copies of the same; loose objects; what only a reflog, the index,
    /// another work tree or nobody leads to.
    static let script = """
        set -e
        export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
        git init -q -b main "$1"; cd "$1"; git config gc.auto 0
        seq 2000 >numbers; seq 300 >other; git add .; git commit -q -m one
        git repack -q -d; p=$(ls .git/objects/pack/*.pack)
        for n in 1 2 3 4 5 6; do
            export GIT_COMMITTER_DATE="$((1700000000 + n * 60)) +0000"
            echo $n >>numbers; mkdir -p d$n; echo $n >d$n/f; git add .; git commit -q -m $n
            [ $n != 3 ] || git repack -q -d
            [ $n != 4 ] || { git repack -q -a -d; }
        done
        git rev-parse HEAD~1 | git pack-objects -q --revs .git/objects/pack/pack >/dev/null
        git tag -a -m tag v1 HEAD~2
        echo gone >gone; git add gone; git commit -q -m gone; git repack -q -d
        git reset -q --hard HEAD~1; git reflog expire --expire=now --all
        echo amended >x; git add x; git commit -q -m before; git commit -q --amend -m after
        echo index >only-index; git add only-index
        git worktree add -q --detach ../"$1"-linked HEAD >/dev/null 2>&1
        (cd ../"$1"-linked; echo l >linked; git add linked; git commit -q -m linked; echo i >li; git add li)
        echo lost | git hash-object -w --stdin >/dev/null
        """

    private func pair(kept: Bool = false) throws -> CommandPair {
        let pair = try CommandPair()
        try pair.setUp { folder in
            try run("/bin/sh", ["-c", Self.script, "sh", "w"], directory: folder.path).required()
            guard kept else { return }
            try run(
                "/bin/sh",
                ["-c", "for p in $(ls *.pack | head -n 1); do touch ${p%.pack}.keep; done"],
                directory: folder("w/.git/objects/pack")
            ).required()
        }
        return pair
    }

    static let options = [
        "", "-d", "-a", "-a -d", "-A -d", "-a -d -k", "-a -d -f", "-a -d -F", "-a -d -b",
        "-a -d -l",
        "-a -d -m", "-a -d -b -m", "-d -m", "-a -d -n", "-a -d --window=0", "-a -d --depth=1 -f",
    ]

    /// Each with a pack that is kept or without one.
    static let ways = options.enumerated().flatMap { number, options in
        (ServePair.isThorough ? [false, true] : [number % 3 == 1]).map { (options, $0) }
    }

    @Test(arguments: ways) func leavesWhatGitLeaves(options: String, kept: Bool) throws {
        let pair = try pair(kept: kept)
        let arguments =
            ["-C", "w", "repack", "-q"] + options.split(separator: " ").map(String.init)
        try pair.compare(arguments)
        try expectWhole(pair, bitmap: options.contains("-b"))
        try pair.expectSameObjects(in: "w")
        // Once more, and nothing changes; but a second pack has its objects in another order.
        if options == "-a" { return }
        try pair.compare(arguments)
        try expectWhole(pair, bitmap: options.contains("-b"))
        try pair.expectSameObjects(in: "w")
    }

    private func expectWhole(_ pair: CommandPair, bitmap: Bool) throws {
        let (path, other) = pair.paths("w")
        let check = try Git.attempt(["fsck", "--full", "--strict", "--no-progress"], in: path)
        let theirs = try Git.attempt(["fsck", "--full", "--strict", "--no-progress"], in: other)
        #expect(check.exit == .code(0) && check.out == theirs.out, "\(check.out) \(check.err)")
        let index = try Git.attempt(["multi-pack-index", "verify", "--no-progress"], in: path)
        #expect(index.exit == .code(0), "\(index.err)")
        guard bitmap else { return }
        let result = try Git.attempt(["rev-list", "--test-bitmap", "HEAD"], in: path)
        #expect(result.exit == .code(0), "\(result.err)")
        let files = try run("/bin/sh", ["-c", "ls .git/objects/pack"], directory: path).out
        #expect(files.contains(".bitmap"))
    }

    @Test func refusesWhatGitRefuses() throws {
        let pair = try pair()
        try pair.compare(["-C", "w", "repack", "-b"])
        try pair.compare(["-C", "w", "repack", "-A", "-k", "-d"])
        try pair.compare(["-C", "w", "-c", "extensions.preciousObjects=true", "repack", "-a"])
        #expect(try Apus.run(["repack", "x"]).exit == .code(129))
    }

    @Test func saysThatThereIsNothingToPack() throws {
        let pair = try CommandPair()
        try pair.setUp { try Git.run(["init", "-q", "r"], in: $0.path) }
        try pair.compare(["-C", "r", "repack", "-a", "-d"])
        try pair.compare(["-C", "r", "repack"])
    }

    @Test(arguments: ["history", "sha256", "nested-tags", "many-refs", "octopus", "odd-names"])
    func makesBareRepositoriesThatGitServes(fixture: String) throws {
        try expectSound(fixture, ["-a", "-d", "-q"])
    }

    @Test(arguments: ["history", "deep-deltas"])
    func makesDeltasAnew(fixture: String) throws {
        try expectSound(fixture, ["-a", "-d", "-q", "-f"])
    }

    private func expectSound(_ fixture: String, _ options: [String]) throws {
        let pair = try CommandPair()
        let source = try Fixture.named(fixture).path
        try pair.setUp { try run("/bin/cp", ["-R", source, $0("r.git")]).required() }
        try pair.compare(["-C", "r.git", "repack"] + options)
        try pair.expectSameObjects(in: "r.git")
        for name in ["info/refs"] { try pair.expectSameFile("r.git/\(name)") }
        let (path, other) = pair.paths("r.git")
        let bitmaps = try Git.attempt(["rev-list", "--test-bitmap", "HEAD"], in: path)
        #expect(bitmaps.exit == .code(0), "\(bitmaps.err)")
        let folder = try TemporaryDirectory()
        try Git.run(["clone", "-q", "--mirror", "file://\(path)", folder("c.git")])
        try Git.run(["fsck", "--full", "--no-progress"], in: folder("c.git"))
        let refs = ["for-each-ref"]
        #expect(try Git.run(refs, in: folder("c.git")).out == Git.run(refs, in: other).out)
        // The sizes are like git's.
        let sizes = try [path, other].map { path -> Int in
            let out = try run(
                "/bin/sh", ["-c", "cat objects/pack/*.pack | wc -c"], directory: path
            ).required().out
            return Int(out.filter(\.isNumber)) ?? 0
        }
        #expect(Double(sizes[0]) <= Double(sizes[1]) * 1.03 + 256, "\(sizes)")
    }

    @Test func leavesWhatIsBorrowedOut() throws {
        let pair = try CommandPair()
        let source = try Fixture.named("alternates").path
        try pair.setUp { folder in
            try run(
                "/bin/sh",
                [
                    "-c",
                    """
                    git clone -q --bare "$0" base.git && git clone -q --bare --shared base.git r.git
                    cd r.git; c=$(git commit-tree -p HEAD -m x HEAD^{tree}) && git update-ref HEAD $c
                    """, source,
                ],
                environment: [
                    "GIT_COMMITTER_DATE": "1700000000 +0000",
                    "GIT_AUTHOR_DATE": "1700000000 +0000",
                ], directory: folder.path
            ).required()
        }
        try pair.compare(["-C", "r.git", "repack", "-a", "-d", "-l", "-q"])
        try pair.expectSameObjects(in: "r.git")
        let path = pair.paths("r.git").0
        #expect(try Git.run(["count-objects", "-v"], in: path).out.contains("in-pack: 1\n"))
    }

    /// Killed at any time, nothing is lost.
    @Test func losesNothingWhenItIsKilled() throws {
        let folder = try TemporaryDirectory()
        try run("/bin/sh", ["-c", Self.script, "sh", "w"], directory: folder.path).required()
        let path = folder("w")
        let before = try objects(path)
        var delay: UInt32 = 1_000
        for round in 0 ..< 40 {
            let child = try ChildProcess(
                Apus.path, ["-C", path, "repack", "-q", "-b", round % 2 == 0 ? "-Ad" : "-kad"])
            usleep(delay)
            child.send(SIGKILL)
            _ = try child.wait()
            delay = delay > 400_000 ? 1_000 : delay + delay / 5 + 500
            let lost = before.subtracting(try objects(path))
            #expect(lost.isEmpty, "round \(round)")
            let check = try Git.attempt(["fsck", "--full", "--no-progress"], in: path)
            #expect(check.exit == .code(0), "\(check.err)")
        }
    }

    private func objects(_ path: String) throws -> Set<String> {
        let out = try Git.run(
            ["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"], in: path
        ).out
        return Set(out.split(separator: "\n").map(String.init))
    }

    /// With a damaged object, nothing is removed.
    @Test func removesNothingWhereItCannotReadAll() throws {
        let folder = try TemporaryDirectory()
        try run("/bin/sh", ["-c", Self.script, "sh", "w"], directory: folder.path).required()
        let path = folder("w")
        let tree = try Git.line(["rev-parse", "HEAD^{tree}"], in: path)
        try run(
            "/bin/rm", ["-f", "\(path)/.git/objects/\(tree.prefix(2))/\(tree.dropFirst(2))"]
        ).required()
        let before = try objects(path)
        let result = try Apus.run(["-C", path, "repack", "-a", "-d", "-q"])
        #expect(result.exit == .code(128))
        #expect(result.err.contains(tree))
        #expect(try objects(path) == before)
    }
}
