import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `apus cache warm`: the clones that follow find their answer.
@Suite(.timeLimit(.minutes(10))) struct CacheWarmTests {
    @Test(arguments: [false, true])
    func theCloneAfterItFindsItsAnswer(withProgress: Bool) throws {
        let store = try CacheStore()
        let upstream = try Upstream()
        try upstream.git("tag", "-m", "One", "v1", "main~1")
        try upstream.git("branch", "topic", "main~2")
        let cache = try store.start()
        let url = "\(cache.http)/git/git/\(upstream.name).git"
        let warm = try Apus.run(["cache", "warm"] + (withProgress ? ["--progress"] : []) + [url])
            .required()
        let line = try #require(warm.out.firstMatch(of: /(.*): 4 refs, ([0-9]+) bytes\n/))
        #expect(line.1 == url)
        #expect(Int(line.2) ?? 0 > 1_000)
        try Git.run(["clone", withProgress ? "--progress" : "-q", url, store.folder("copy")])
        try cache.end(by: SIGTERM)
        let said = try cache.requests().compactMap { line in
            line.firstMatch(of: /"cache":"([a-z]+)"/).map { String($0.1) }
        }
        #expect(said == ["made", "hit"])
    }

    /// As whoever runs it is let in anywhere.
    @Test func itLogsInAsGitDoes() throws {
        let store = try CacheStore()
        let upstream = try Upstream(commits: 1)
        let cache = try store.start()
        let path = "/git/only/ada/\(upstream.name).git"
        let refused = try Apus.run(["cache", "warm", cache.http + path])
        #expect(refused.exit == .code(1) && refused.out == "", "\(refused)")
        let login = cache.http.replacing("://", with: "://ada:l0vel%40ce@")
        let warm = try Apus.run(["cache", "warm", login + path]).required()
        #expect(warm.out.hasPrefix("\(cache.http)\(path): 2 refs, "), "\(warm.out)")
    }

    @Test func oneThatFailsDoesNotStopTheOthers() throws {
        let cache = try CachePair.sharedCache()
        let upstream = try Upstream(commits: 1)
        let empty = try Upstream(commits: 0)
        let base = "\(cache.http)/git/git"
        let warm = try Apus.run(
            [
                "cache", "warm", "\(base)/nobody.git", "\(base)/\(empty.name).git",
                "\(base)/\(upstream.name).git",
            ])
        #expect(warm.exit == .code(1))
        let errors = warm.errorLines.filter { $0.hasPrefix("error: ") }
        #expect(errors.count == 1 && errors[0].contains("nobody.git"), "\(warm)")
        #expect(warm.out.split(separator: "\n").count == 2, "\(warm.out)")
        #expect(warm.out.contains("\(empty.name).git: 0 refs, 0 bytes\n"), "\(warm.out)")
    }
}

/// `--mirrors`.
@Suite(.timeLimit(.minutes(10))) struct CacheMirrorBudgetTests {
    @Test func mirrorsBeyondTheBudgetLeave() throws {
        let store = try CacheStore()
        let upstream = try Upstream(commits: 1)
        try run("sh", ["-c", "head -c 2000000 /dev/urandom > noise"], directory: upstream.upstream)
            .required()
        try upstream.git("add", "noise")
        try upstream.git("commit", "-q", "-m", "Noise")
        let small = try Upstream(commits: 1)
        let cache = try store.start(["--mirrors", "1"])
        let base = "\(cache.http)/git/git"
        try store.clone("\(base)/\(upstream.name).git", "one")
        try store.clone("\(base)/\(small.name).git", "small")
        try store.waitUntil { try $0.kept().packs.count == 1 }
        let status = try store.run("status").required().out
        #expect(status.contains("mirror git/git/\(small.name): "), "\(status)")
        #expect(!status.contains("mirror git/git/\(upstream.name): "), "\(status)")
        // Its answer is kept, and a new mirror is made where that is not enough.
        try store.clone("\(base)/\(upstream.name).git", "two")
        try upstream.commit(1)
        try Git.run(["pull", "-q"], in: store.folder("two"))
        #expect(
            try Git.line(["rev-parse", "HEAD"], in: store.folder("two"))
                == upstream.git("rev-parse", "HEAD"))
    }
}
