import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `apus cache purge`: nothing of the old objects is given to anybody any more.
@Suite(.timeLimit(.minutes(10))) struct CachePurgeTests {
    @Test func whatWasErasedUpstreamIsGone() throws {
        let store = try CacheStore()
        let upstream = try Upstream()
        let cache = try store.start()
        let path = "git/git/\(upstream.name)"
        let url = "\(cache.http)/\(path).git"
        let client = RawClient(url: url)
        let erased = try upstream.git("rev-parse", "main")
        #expect(try client.advertisement("upload-pack").status == 200)
        #expect(try client.post("upload-pack", RawClient.v2("ls-refs", [])).text.contains(erased))
        try store.clone(url, "before")
        try erase(upstream)
        // What the client was shown lately it may have.
        #expect(try client.post("upload-pack", .fetch(erased)).parts.pack != [])

        let said = try store.run("purge", [path]).required().out
        // An answer may still be on its way to be kept.
        #expect(said.hasPrefix("purged \(path): its mirror, "), "\(said)")
        #expect(try store.kept() == ([], []))
        #expect(try client.post("upload-pack", .fetch(erased)).parts.pack == [])
        try store.clone(url, "after")
        let log = try Git.attempt(["cat-file", "-e", erased], in: store.folder("after"))
        #expect(!log.succeeded)
        try expectGone(erased, store)
    }

    /// However it is named, with and without a cache that runs.
    @Test(
        arguments: [
            (true, "NAME.git/"), (true, "CACHE/NAME.git"), (true, "UPSTREAM"), (false, "UPPER"),
            (false, "UPSTREAM"),
        ])
    func theRepositoryIsNamed(isRunning: Bool, form: String) throws {
        let store = try CacheStore()
        let (upstream, other) = (try Upstream(commits: 1), try Upstream(commits: 1))
        let cache = try store.start()
        for one in [upstream, other] {
            try store.clone("\(cache.http)/git/git/\(one.name).git", one.name)
        }
        if !isRunning { try cache.end(by: SIGTERM) }
        let name = "git/git/\(upstream.name)"
        let words: [String: String] = [
            "NAME.git/": name + ".git/",
            "CACHE/NAME.git": "\(cache.http)/\(name).git",
            "UPSTREAM": "\(upstream.server.http)/git/\(upstream.name).git",
            "UPPER": name.uppercased(),
        ]
        let word = try #require(words[form])
        if form == "UPSTREAM", !isRunning {
            // Where upstreams are only a cache that runs knows.
            return try store.fail("purge", [word], saying: "nothing is kept of")
        }
        let said = try store.run("purge", [word]).required().out
        #expect(said == "purged \(name): its mirror, 1 answers\n", "\(said)")
        let kept = try store.kept()
        #expect(kept.answers.count == 1 && kept.packs.count == 1)
        try store.fail("purge", [word], saying: "nothing is kept of")
        if isRunning {
            try store.clone("\(cache.http)/\(name).git", "after")
            #expect(try store.kept().packs.count == 2)
        }
    }

    @Test(arguments: [
        "git/nobody", "nobody", "https://nobody.test/x.git", "ssh://x/y", "", "a\nb/c",
    ])
    func whatIsUnknownIsAnError(name: String) throws {
        let store = try CacheStore()
        let cache = try store.start()
        let online = try store.run("purge", [name])
        try cache.end(by: SIGTERM)
        let offline = try store.run("purge", [name])
        for result in [online, offline] {
            #expect(result.exit == .code(1) && result.out == "", "\(result)")
            #expect(result.err.hasPrefix("error: ") && result.errorLines.count == 1, "\(result)")
        }
    }

    /// Its clients are broken off, upstream hears that nobody wants the rest, and nothing comes back of what was
    /// erased there.
    @Test func aFetchThatRunsEnds() throws {
        let store = try CacheStore()
        let size = 4_000_000
        let upstream = try SlowUpstream(size: size)
        let cache = try store.start()
        let path = "git/slow/\(upstream.name)"
        let clone = try ChildProcess(
            "git", ["clone", "-q", "\(cache.http)/\(path).git", store.folder("copy")])
        try SlowUpstream.waitForPack(in: store.path)
        let erased = try upstream.git("rev-parse", "main")
        try upstream.git("reset", "-q", "--hard", "HEAD~1")
        try upstream.commit(1)
        try prune(upstream)
        let said = try store.run("purge", [path]).required().out
        #expect(said == "purged \(path): its mirror, 0 answers\n", "\(said)")
        #expect(try clone.wait().exit == .code(128))
        // The file that nobody finds any more goes with who writes it.
        try store.waitUntil { try $0.kept() == ([], []) }
        // All of it would take a minute.
        try store.waitUntil { _ in upstream.sizes.contains { (1_000 ..< size).contains($0) } }

        try store.clone("\(cache.http)/\(path).git", "after")
        let now = try upstream.git("rev-parse", "main")
        #expect(try Git.line(["rev-parse", "main"], in: store.folder("after")) == now)
        try expectGone(erased, store)
        let kept = try store.kept()
        #expect(kept.answers.count == 1 && kept.packs.count == 1, "\(kept)")
        #expect(try store.find("-path", "*/mirrors/*", "-maxdepth", "2", "-type", "d").count == 1)
        #expect(try cache.requests().allSatisfy { !$0.contains("\"event\"") })
    }

    /// Many clients come and go while a repository is purged again and again: what it had before is seen by nobody
    /// who comes after the purge.
    @Test func purgesAmongClients() throws {
        let store = try CacheStore()
        let upstream = try Upstream(commits: 3)
        let cache = try store.start()
        let path = "git/git/\(upstream.name)"
        let url = "\(cache.http)/\(path).git"
        for round in 0 ..< 4 {
            try store.clone(url, "before-\(round)")
            let clients = try (0 ..< 8).map { number in
                try ChildProcess(
                    "git",
                    ["clone", "-q", "--bare", "--depth", "\(number % 4 + 1)", url]
                        + [store.folder("\(round)-\(number)")])
            }
            let erased = try upstream.git("rev-parse", "main")
            try upstream.git("reset", "-q", "--hard", "HEAD~1")
            try upstream.commit(1)
            try prune(upstream)
            try store.run("purge", [path]).required()
            try store.clone(url, "after-\(round)")
            let now = try upstream.git("rev-parse", "main")
            #expect(try Git.line(["rev-parse", "main"], in: store.folder("after-\(round)")) == now)
            for client in clients { _ = try client.wait() }
            try expectGone(erased, store)
        }
    }

    /// No pack that is kept has it.
    private func expectGone(
        _ oid: String, _ store: CacheStore, location: SourceLocation = #_sourceLocation
    ) throws {
        let found = try store.find("-name", "*.idx").map { index in
            try run("git", ["show-index"], input: try #require(readFile(index))).out
        }
        #expect(
            !found.isEmpty && found.allSatisfy { !$0.contains(oid) }, sourceLocation: location)
    }

    /// A client that has read half of an answer kept gets no more.
    @Test func anAnswerOnItsWayIsBrokenOff() throws {
        let store = try CacheStore()
        let upstream = try Upstream(commits: 1)
        try run(
            "sh", ["-c", "head -c 40000000 /dev/urandom > noise"], directory: upstream.upstream
        )
        .required()
        try upstream.git("add", "noise")
        try upstream.git("commit", "-q", "-m", "Noise")
        let cache = try store.start()
        let path = "git/git/\(upstream.name)"
        let url = "\(cache.http)/\(path).git"
        let head = try upstream.git("rev-parse", "main")
        try Git.run(["clone", "-q", "--bare", url, store.folder("copy")])
        let body = RawClient.v2("fetch", ["no-progress", "ofs-delta", "want \(head)", "done"])
        try store.folder.write("body", body)
        let slow = try ChildProcess(
            "curl",
            [
                "-sS", "--limit-rate", "4M", "-o", "/dev/null", "-w", "%{size_download}",
                "-H", "Content-Type: application/x-git-upload-pack-request",
                "-H", "Git-Protocol: version=2", "--data-binary", "@\(store.folder("body"))",
                "\(url)/git-upload-pack",
            ])
        usleep(500_000)
        try store.run("purge", [path]).required()
        let result = try slow.wait()
        #expect(result.exit == .code(18) || result.exit == .code(56), "\(result)")
        #expect((Int(result.out) ?? 0) < 30_000_000, "\(result.out)")
    }

    private func erase(_ upstream: Upstream) throws {
        try upstream.git("reset", "-q", "--hard", "HEAD~2")
        try prune(upstream)
    }

    private func prune(_ upstream: Upstream) throws {
        try upstream.git("reflog", "expire", "--expire=all", "--all")
        try upstream.git("gc", "-q", "--prune=now")
    }
}
