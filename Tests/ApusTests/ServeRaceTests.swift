import TestSupport
import Testing

/// Several at once.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ServeRaceTests {
    private static let rounds = ServePair.isThorough ? 20 : 6

    /// A served repository, and clones of it that can push.
    private final class Scene {
        let scratch: TemporaryDirectory
        let repository: String
        private let server: ApusServer

        init(clients: Int) throws {
            let fixture = try Fixture.named("history")
            scratch = try TemporaryDirectory()
            try run("/bin/mkdir", [scratch("root")]).required()
            repository = scratch("root/served.git")
            try run("/bin/cp", ["-R", fixture.path, repository]).required()
            server = try ApusServer(root: scratch("root"))
            for number in 0 ..< clients {
                try Git.run(["clone", "-q", "-n", repository, client(number)])
                try Git.run(["remote", "set-url", "origin", url], in: client(number))
            }
        }

        var url: String { server.url("served") }

        func client(_ number: Int) -> String { scratch("client\(number)") }

        /// Makes a commit on top of the server's branch and starts a push of it.
        func startPush(_ number: Int, _ message: String, to ref: String = "main") throws
            -> ChildProcess
        {
            let client = client(number)
            let base = try Git.line(["rev-parse", "refs/heads/main"], in: repository)
            try Git.run(["fetch", "-q", repository, "main"], in: client)
            let blob = try Git.line(["hash-object", "-w", "--stdin"], in: client, input: message)
            let tree = try Git.run(
                ["mktree"], in: client, input: Array("100644 blob \(blob)\tfile\n".utf8)
            ).out.dropLast()
            let new = try Git.line(
                ["commit-tree", String(tree), "-p", base, "-m", message], in: client)
            return try ChildProcess(
                "git", ["push", "-q", "origin", "\(new):refs/heads/\(ref)"], directory: client)
        }

        func check(location: SourceLocation = #_sourceLocation) throws {
            let result = try Git.attempt(["fsck", "--strict", "--no-dangling"], in: repository)
            #expect(result.succeeded, "\(result.err)", sourceLocation: location)
            try expectNothingUnfinished(repository, location: location)
        }
    }

    @Test func oneOfTwoPushesToARefWins() throws {
        if Apus.isGit { return }
        let scene = try Scene(clients: 2)
        for round in 1 ... Self.rounds {
            let before = try Git.line(["rev-parse", "main"], in: scene.repository)
            let pushes = try (0 ..< 2).map { try scene.startPush($0, "Round \(round) of \($0)") }
            let results = try pushes.map { try $0.wait() }
            let winners = results.filter(\.succeeded).count
            #expect(winners == 1, "\(round): \(results)")
            let subject = try Git.line(["log", "-1", "--format=%s", "main"], in: scene.repository)
            let winner = results.firstIndex(where: \.succeeded).map { "Round \(round) of \($0)" }
            #expect(subject == winner)
            #expect(try Git.line(["rev-parse", "main~1"], in: scene.repository) == before)
        }
        try scene.check()
    }

    @Test func pushesToManyRefsAtOnce() throws {
        if Apus.isGit { return }
        let scene = try Scene(clients: 4)
        for round in 1 ... 4 {
            let pushes = try (0 ..< 4).map {
                try scene.startPush($0, "R\(round) \($0)", to: "r\(round)/\($0)")
            }
            for push in pushes {
                let result = try push.wait()
                #expect(result.succeeded, "\(result.err)")
            }
        }
        let refs = try Git.run(["for-each-ref", "refs/heads/r*/*"], in: scene.repository).out
        #expect(refs.split(separator: "\n").count == 16)
        try scene.check()
    }

    /// The repository is repacked, and refs are packed, while pushes land.
    @Test(arguments: ["repack -q -a -d", "gc -q", "pack-refs --all"])
    func maintenanceMeanwhile(command: String) throws {
        if Apus.isGit { return }
        let scene = try Scene(clients: 1)
        let words = command.split(separator: " ").map(String.init)
        for round in 1 ... Self.rounds / 2 {
            let maintenance = try ChildProcess("git", words, directory: scene.repository)
            let push = try scene.startPush(0, "Round \(round)")
            let (pushed, maintained) = (try push.wait(), try maintenance.wait())
            #expect(pushed.succeeded, "\(pushed.err)")
            #expect(maintained.succeeded, "\(maintained.err)")
            #expect(
                try Git.line(["log", "-1", "--format=%s", "main"], in: scene.repository)
                    == "Round \(round)")
        }
        try scene.check()
    }

    @Test func clonesMeanwhile() throws {
        if Apus.isGit { return }
        let scene = try Scene(clients: 1)
        for round in 1 ... Self.rounds {
            let push = try scene.startPush(0, "Round \(round)")
            let copy = scene.scratch("copy\(round)")
            let clone = try ChildProcess("git", ["clone", "-q", "--bare", scene.url, copy])
            let (pushed, cloned) = (try push.wait(), try clone.wait())
            #expect(pushed.succeeded, "\(pushed.err)")
            #expect(cloned.succeeded, "\(cloned.err)")
            let check = try Git.attempt(["fsck", "--strict"], in: copy)
            #expect(check.succeeded, "\(check.err)")
            let subject = try Git.line(["log", "-1", "--format=%s", "main"], in: copy)
            #expect(
                subject == "Round \(round)"
                    || subject == (round == 1 ? "Change 400" : "Round \(round - 1)"))
        }
    }

    /// More at once than are answered at once: each gets its clone, or is told to come again.
    @Test func manyClones() throws {
        if Apus.isGit { return }
        let fixture = try Fixture.named("history")
        let scratch = try TemporaryDirectory()
        let server = try ApusServer(root: fixture.server.root, ["--max-requests", "16"])
        let clones = try (0 ..< Self.rounds * 4).map { number in
            try ChildProcess(
                "git", ["clone", "-q", "--bare", server.url("history"), scratch("copy\(number)")])
        }
        var succeeded = 0
        for (number, clone) in clones.enumerated() {
            let result = try clone.wait(timeout: .seconds(120))
            if result.succeeded {
                succeeded += 1
                let tip = try Git.line(["rev-parse", "main"], in: scratch("copy\(number)"))
                #expect(tip == (try Git.line(["rev-parse", "main"], in: fixture.path)))
            } else {
                #expect(result.err.contains("503"), "\(result.err)")
            }
        }
        #expect(succeeded >= 16)
        // And afterwards it serves on.
        try Git.run(["clone", "-q", "--bare", server.url("history"), scratch("last")])
    }

    /// A client that goes away in the middle leaves no work behind.
    @Test func aClientThatGoesAway() throws {
        if Apus.isGit { return }
        let fixture = try Fixture.named("heavy")
        let scratch = try TemporaryDirectory()
        let server = try ApusServer(root: fixture.server.root)
        for _ in 1 ... 4 {
            let clone = try ChildProcess(
                "git", ["clone", "-q", "--bare", server.url("heavy"), scratch("copy")])
            let start = ContinuousClock.now
            // Once the first request is answered, the next is on its way.
            while try server.requests().isEmpty, ContinuousClock.now - start < .seconds(5) {}
            clone.send(9, group: true)
            _ = try clone.wait()
            try run("/bin/rm", ["-rf", scratch("copy")]).required()
        }
        let isIdle = try Self.becomesIdle(server, within: .seconds(5))
        #expect(isIdle)
    }

    /// Whether the processor does nothing more for it.
    private static func becomesIdle(_ server: ApusServer, within time: Duration) throws -> Bool {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < time {
            let before = server.ticks()
            _ = try run("/bin/sleep", ["0.5"])
            if server.ticks() == before { return true }
        }
        return false
    }

    /// Scripts/test-crash.sh in short.
    @Test func aServerThatIsKilled() throws {
        if Apus.isGit { return }
        let result = try run(
            "\(TestEnvironment.packageRoot)/Scripts/test-crash.sh", [],
            environment: ["APUS": Apus.path, "APUS_CRASH_ROUNDS": "10"], timeout: .seconds(120))
        #expect(result.succeeded, "\(result.err)")
        #expect(result.out.contains("10 rounds, sha1: every repository whole"))
    }
}

extension Git {
    /// What it printed, given some text.
    fileprivate static func line(
        _ arguments: [String], in directory: String, input: String
    ) throws -> String {
        String(try run(arguments, in: directory, input: Array(input.utf8)).out.dropLast())
    }
}
