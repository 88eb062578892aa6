import TestSupport
import Testing

/// `apus fetch` beside `git fetch`, each in a clone of its own of one upstream: the table, FETCH_HEAD, refs,
/// reflogs and objects are equal.
@Suite(.timeLimit(.minutes(10))) struct FetchCommandTests {
    /// Two clones of an upstream.
    private final class Pair {
        let upstream: Upstream
        let apus: TemporaryDirectory
        let git: TemporaryDirectory

        init(_ upstream: Upstream, _ options: String...) throws {
            self.upstream = upstream
            apus = try TemporaryDirectory()
            git = try TemporaryDirectory()
            for folder in [apus, git] {
                try Git.run(["clone", "-q"] + options + [upstream.url, folder("copy")])
                try Git.run(["config", "gc.auto", "0"], in: folder("copy"))
            }
        }

        func both(_ body: (String) throws -> Void) throws {
            try body(apus("copy"))
            try body(git("copy"))
        }

        func inBoth(_ arguments: String...) throws {
            try both { try Git.run(arguments, in: $0) }
        }

        /// Fetches with both, and expects all to be equal.
        @discardableResult
        func fetch(
            _ arguments: String..., exit: Int32 = 0, standardErrorToo: Bool = true,
            location: SourceLocation = #_sourceLocation
        ) throws -> RunResult {
            let mine = try Apus.run(["fetch"] + arguments, in: apus("copy"))
            let other = try Git.attempt(["fetch"] + arguments, in: git("copy"))
            #expect(other.exit == .code(exit), "\(other.err)", sourceLocation: location)
            #expect(mine.exit == other.exit, "\(mine.err)", sourceLocation: location)
            #expect(mine.out == other.out, sourceLocation: location)
            if standardErrorToo {
                #expect(plain(mine.err, apus) == plain(other.err, git), sourceLocation: location)
            }
            let differences = try RepositorySnapshot(of: apus("copy")).differences(
                from: RepositorySnapshot(of: git("copy")))
            #expect(differences == [], sourceLocation: location)
            let heads = [apus, git].map { readFile($0("copy/.git/FETCH_HEAD")) }
            #expect(heads[0] == heads[1], sourceLocation: location)
            return mine
        }

        private func plain(_ text: String, _ folder: TemporaryDirectory) -> String {
            text.split(separator: "\n").filter { !$0.hasPrefix("POST ") }.joined(separator: "\n")
                .replacing(folder.path, with: "FOLDER")
        }
    }

    @Test(arguments: ["0", "2"]) func bringsNewCommitsAndBranches(version: String) throws {
        let pair = try Pair(try Upstream())
        try pair.inBoth("config", "protocol.version", version)
        try pair.upstream.commit(2)
        try pair.upstream.git("branch", "topic/one", "HEAD~1")
        try pair.upstream.git("branch", "a-branch-with-a-longer-name", "HEAD~3")
        try pair.upstream.git("update-ref", "refs/other/x", "HEAD")
        try pair.fetch()
        try pair.fetch()
        try pair.fetch("-v")
        try pair.upstream.commit(1)
        try pair.fetch("-q")
    }

    @Test func worksInSHA256() throws {
        let pair = try Pair(try Upstream(sha256: true))
        try pair.upstream.commit(2)
        try pair.upstream.git("tag", "-a", "-m", "One", "v1")
        try pair.fetch()
    }

    @Test func followsTagsOfWhatIsFetched() throws {
        let pair = try Pair(try Upstream())
        try pair.upstream.git("tag", "light", "HEAD~2")
        try pair.upstream.commit(2)
        try pair.upstream.git("tag", "-a", "-m", "One", "v1", "HEAD~1")
        try pair.upstream.git("tag", "tip")
        try pair.upstream.git("checkout", "-q", "--orphan", "elsewhere")
        try pair.upstream.commit(1)
        try pair.upstream.git("tag", "far")
        try pair.upstream.git("checkout", "-q", "main")
        try pair.upstream.git("branch", "-D", "elsewhere")
        try pair.fetch()
        try pair.fetch("--no-tags")
        try pair.fetch("-n")
        try pair.upstream.git("tag", "-f", "light", "HEAD")
        try pair.fetch("--tags", exit: 1)
        try pair.fetch("-t", "-f")
    }

    @Test func obeysTagOpt() throws {
        let pair = try Pair(try Upstream())
        try pair.upstream.git("tag", "one")
        try pair.inBoth("config", "remote.origin.tagOpt", "--no-tags")
        try pair.fetch()
        try pair.inBoth("config", "remote.origin.tagOpt", "--tags")
        try pair.fetch()
    }

    @Test func noticesRewrittenHistory() throws {
        let pair = try Pair(try Upstream())
        try pair.upstream.git("reset", "-q", "--hard", "HEAD~2")
        try pair.upstream.commit(1)
        try pair.fetch("origin", "refs/heads/main:refs/heads/mine")
        try pair.upstream.git("reset", "-q", "--hard", "HEAD~2")
        try pair.upstream.commit(1)
        try pair.fetch("origin", "refs/heads/main:refs/heads/mine", exit: 1)
        try pair.fetch("origin", "+main:mine")
        try pair.upstream.git("reset", "-q", "--hard", "HEAD~1")
        try pair.fetch("--force", "origin", "main:mine")
    }

    @Test func prunes() throws {
        let upstream = try Upstream()
        try upstream.git("branch", "gone/deep")
        try upstream.git("branch", "stays")
        try upstream.git("tag", "one")
        let pair = try Pair(upstream)
        try upstream.git("branch", "-D", "gone/deep")
        try upstream.git("branch", "gone")
        try upstream.git("tag", "-d", "one")
        try pair.fetch("--dry-run", "-p", standardErrorToo: false)
        try pair.fetch("--prune")
        try upstream.git("branch", "-D", "stays")
        try pair.fetch()
        try pair.inBoth("config", "fetch.prune", "true")
        try pair.fetch()
    }

    @Test func takesRefspecsOfTheCommandLine() throws {
        let pair = try Pair(try Upstream())
        try pair.upstream.commit(2)
        try pair.upstream.git("branch", "topic")
        try pair.upstream.git("tag", "-a", "-m", "One", "v1")
        try pair.upstream.git("update-ref", "refs/other/x", "HEAD~1")
        try pair.fetch("origin", "main")
        try pair.fetch("origin", "topic", "refs/other/x")
        try pair.fetch("origin", "tag", "v1")
        try pair.fetch("origin", "HEAD")
        try pair.fetch("origin", "refs/other/*:refs/kept/*")
        let oid = try pair.upstream.git("rev-parse", "HEAD~1")
        try pair.fetch("origin", oid)
        try pair.fetch(pair.upstream.url)
        try pair.fetch(pair.upstream.url, "topic:other")
        try pair.fetch("--append", "origin", "topic")
        try pair.fetch("origin", "nowhere", exit: 128)
    }

    @Test func obeysConfiguredRefspecs() throws {
        let upstream = try Upstream()
        let pair = try Pair(upstream)
        try pair.inBoth("config", "--add", "remote.origin.fetch", "^refs/heads/private/*")
        try pair.inBoth("config", "--add", "remote.origin.fetch", "refs/notes/*:refs/notes/*")
        try upstream.commit(1)
        try upstream.git("branch", "private/x")
        try upstream.git("update-ref", "refs/notes/commits", "HEAD~1")
        try pair.fetch()
    }

    @Test func putsOneURLInPlaceOfAnother() throws {
        let upstream = try Upstream()
        let pair = try Pair(upstream)
        let base = upstream.url.dropLast(upstream.name.count + 4)
        try pair.inBoth("config", "url.\(base).insteadOf", "short:")
        // Once, not again and again.
        try pair.inBoth("config", "url.http://nowhere.invalid/.insteadOf", String(base))
        try pair.inBoth("config", "remote.origin.url", "short:\(upstream.name).git")
        try upstream.commit(1)
        try pair.fetch()
    }

    @Test func marksWhatIsToBeMerged() throws {
        let upstream = try Upstream()
        try upstream.git("branch", "topic")
        let pair = try Pair(upstream)
        try pair.inBoth("checkout", "-q", "topic")
        try upstream.commit(1)
        try pair.fetch()
        try pair.inBoth("config", "branch.topic.merge", "refs/other/x")
        try upstream.git("update-ref", "refs/other/x", "HEAD")
        try pair.fetch()
        try pair.inBoth("checkout", "-q", "--detach")
        try pair.fetch()
    }

    @Test func keepsOffTheCheckedOutBranch() throws {
        let pair = try Pair(try Upstream())
        try pair.upstream.commit(1)
        try pair.fetch("origin", "main:main", exit: 128)
        try pair.inBoth("worktree", "add", "-q", "../tree", "-b", "aside")
        try pair.fetch("origin", "main:aside", exit: 128)
        try pair.fetch("-u", "origin", "main:aside")
    }

    @Test func writesAllOrNone() throws {
        let pair = try Pair(try Upstream())
        try pair.upstream.git("branch", "topic")
        try pair.fetch("origin", "main:one", "topic:two")
        try pair.upstream.commit(1)
        try pair.upstream.git("checkout", "-q", "topic")
        try pair.upstream.git("reset", "-q", "--hard", "HEAD~2")
        let before = try Git.line(["for-each-ref"], in: pair.apus("copy"))
        let mine = try Apus.run(
            ["fetch", "--atomic", "origin", "main:one", "topic:two"], in: pair.apus("copy"))
        #expect(mine.exit == .code(1))
        #expect(try Git.line(["for-each-ref"], in: pair.apus("copy")) == before)
        try pair.fetch("origin", "main:one", "topic:two", exit: 1)
    }

    @Test func writesWhatItCanWhereOneRefIsInTheWay() throws {
        let upstream = try Upstream()
        try upstream.git("branch", "dir/leaf")
        let pair = try Pair(upstream)
        try upstream.git("branch", "-D", "dir/leaf")
        try upstream.git("branch", "dir")
        try upstream.git("branch", "other")
        let mine = try pair.fetch(exit: 1, standardErrorToo: false)
        #expect(
            mine.err.contains(
                "! [new branch]      dir        -> origin/dir  (unable to update local ref)"))
    }

    @Test func fetchesFromAllRemotes() throws {
        let upstream = try Upstream()
        let other = try Upstream(commits: 2)
        let pair = try Pair(upstream)
        // git's own speak of the commands that it starts.
        try pair.inBoth("config", "core.logAllRefUpdates", "false")
        try pair.both { try run("rm", ["-r", "\($0)/.git/logs"]).required() }
        try pair.inBoth("remote", "add", "second", other.url)
        try pair.inBoth("remote", "add", "third", other.url)
        try pair.inBoth("config", "remote.third.skipFetchAll", "true")
        try upstream.commit(1)
        try pair.fetch("--all")
    }

    @Test func changesNothingInADryRun() throws {
        let pair = try Pair(try Upstream())
        try pair.fetch()
        try pair.upstream.commit(1)
        try pair.fetch("--dry-run")
    }

    @Test func fetchesIntoABareMirror() throws {
        let upstream = try Upstream()
        try upstream.git("tag", "one")
        let folders = [try TemporaryDirectory(), try TemporaryDirectory()]
        for folder in folders {
            try Git.run(["clone", "-q", "--mirror", upstream.url, folder("copy")])
        }
        try upstream.git("reset", "-q", "--hard", "HEAD~2")
        try upstream.commit(3)
        try upstream.git("tag", "-d", "one")
        try upstream.git("update-ref", "refs/pull/1", "HEAD")
        let mine = try Apus.run(["fetch", "-p"], in: folders[0]("copy"))
        let other = try Git.attempt(["fetch", "-p"], in: folders[1]("copy"))
        #expect(mine.exit == other.exit)
        #expect(mine.err == other.err)
        let snapshots = try folders.map { try RepositorySnapshot(of: $0("copy")) }
        #expect(snapshots[0].differences(from: snapshots[1]) == [])
    }

    @Test(arguments: [
        ["fetch", "nowhere"], ["fetch", "origin", "main:a:b"], ["fetch", "--depth=1"],
        ["fetch", "--all", "origin"],
    ])
    func refusesWhatItCannotDo(arguments: [String]) throws {
        let pair = try Pair(try Upstream(commits: 1))
        let before = try RepositorySnapshot(of: pair.apus("copy"))
        let mine = try Apus.run(arguments, in: pair.apus("copy"))
        #expect(mine.exit == .code(128) || mine.exit == .code(129))
        #expect(!mine.err.isEmpty)
        #expect(try RepositorySnapshot(of: pair.apus("copy")).differences(from: before) == [])
    }
}
