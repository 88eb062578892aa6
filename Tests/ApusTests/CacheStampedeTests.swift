import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// However many ask `apus cache` for the same at once, upstream is asked for it once.
@Suite(.timeLimit(.minutes(10))) struct CacheStampedeTests {
    private static let crowd = 16

    /// Fetches of a pack that upstream has answered. In version 0 that is every POST.
    private func packs(of upstream: Upstream) -> Int {
        upstream.server.requests(with: upstream.name).filter { $0.hasPrefix("POST ") }.count
    }

    /// How often answers were made, and how often somebody had one that was made for another.
    private func counts(_ cache: ApusServer, _ upstream: Upstream) throws -> (made: Int, other: Int)
    {
        let lines = try cache.requests().filter { $0.contains(upstream.name) }
        func count(_ word: String) -> Int {
            lines.filter { $0.contains("\"cache\":\"\(word)\"") }.count
        }
        return (count("made"), count("hit") + count("shared"))
    }

    private func url(_ cache: ApusServer, _ location: String, _ upstream: Upstream) -> String {
        "\(cache.http)/git/\(location)/\(upstream.name).git"
    }

    @Test func oneFetchForAllClonesOfAColdRepository() throws {
        let store = try TemporaryDirectory()
        let cache = try ApusServer(cacheIn: store("store"), of: CachePair.upstreams())
        let upstream = try Upstream(commits: 3)
        let url = url(cache, "old", upstream)
        let clones = try (0 ..< Self.crowd).map { number in
            try ChildProcess("git", ["clone", "-q", "--bare", url, store("\(number)")])
        }
        for clone in clones { try clone.wait().required() }
        for number in 0 ..< Self.crowd {
            try Git.run(["fsck", "--strict"], in: store("\(number)"))
            let head = try Git.line(["rev-parse", "HEAD"], in: store("\(number)"))
            #expect(try head == upstream.git("rev-parse", "HEAD"))
        }
        try cache.end(by: SIGTERM)
        #expect(packs(of: upstream) == 1)
        let counts = try counts(cache, upstream)
        #expect(counts.made == 1)
        #expect(counts.other == Self.crowd - 1)
    }

    @Test func oneAnswerForAllIncrementalFetches() throws {
        let store = try TemporaryDirectory()
        let cache = try ApusServer(cacheIn: store("store"), of: CachePair.upstreams())
        let upstream = try Upstream(commits: 3)
        try Git.run(["clone", "-q", "--bare", url(cache, "old", upstream), store("0")])
        for number in 1 ..< Self.crowd {
            try run("/bin/cp", ["-R", store("0"), store("\(number)")]).required()
        }
        try upstream.commit(2)
        let fetches = try (0 ..< Self.crowd).map { number in
            try ChildProcess(
                "git", ["fetch", "-q", "origin", "main:main"], directory: store("\(number)"))
        }
        for fetch in fetches { try fetch.wait().required() }
        for number in 0 ..< Self.crowd {
            try Git.run(["fsck", "--strict"], in: store("\(number)"))
            let main = try Git.line(["rev-parse", "main"], in: store("\(number)"))
            #expect(try main == upstream.git("rev-parse", "main"))
        }
        try cache.end(by: SIGTERM)
        // One for the clone, one for what is new.
        #expect(packs(of: upstream) == 2)
        #expect(try counts(cache, upstream).made == 2)
        #expect(try counts(cache, upstream).other == Self.crowd - 1)
    }

    /// Nobody asks upstream as somebody else: each client is let in for itself.
    @Test func eachLoginIsAskedForAtUpstream() throws {
        let store = try TemporaryDirectory()
        let cache = try ApusServer(cacheIn: store("store"), of: CachePair.upstreams())
        let upstream = try Upstream(commits: 2)
        let path = "\(url(cache, "only/both", upstream))"
        for user in [CacheUser.ada, .grace] {
            let answer = try RawClient(url: path, headers: [user.header])
                .advertisement("upload-pack")
            #expect(answer.status == 200)
        }
        let asked = upstream.server.requests(with: upstream.name)
        #expect(asked.contains { $0.contains("user=\"ada\"") })
        #expect(asked.contains { $0.contains("user=\"grace\"") })
    }

    /// The client for whom upstream is asked hangs up while the others wait for the same.
    @Test func theFirstClientHangsUp() throws {
        let store = try TemporaryDirectory()
        let cache = try ApusServer(cacheIn: store("store"), of: CachePair.upstreams())
        let upstream = try SlowUpstream()
        let url = url(cache, "slow", upstream)
        let first = try ChildProcess("git", ["clone", "-q", "--bare", url, store("first")])
        try SlowUpstream.waitForPack(in: store("store"))
        let others = try (0 ..< 3).map { number in
            try ChildProcess("git", ["clone", "-q", "--bare", url, store("\(number)")])
        }
        first.send(SIGKILL, group: true)
        _ = try first.wait()
        for other in others { try other.wait().required() }
        for number in 0 ..< 3 { try Git.run(["fsck", "--strict"], in: store("\(number)")) }
        #expect(upstream.packRequests == 1)
    }
}

/// A repository whose pack takes seconds to come from `/slow/`.
final class SlowUpstream: Upstream {
    /// - Parameter size: of the pack, in bytes; of 65,536 one takes a second.
    init(size: Int = 250_000) throws {
        try super.init(commits: 1)
        try TestSupport.run(
            "sh", ["-c", "head -c \(size) /dev/urandom > noise"], directory: upstream
        ).required()
        try git("add", "noise")
        try git("commit", "-q", "-m", "Noise")
    }

    /// The answers of upstream that had the pack.
    var packRequests: Int {
        sizes.filter { $0 > 200_000 }.count
    }

    /// Bytes of its answers that are over.
    var sizes: [Int] {
        server.requests(with: name).map { line in
            line.split(separator: "bytes=").last.flatMap { Int($0) } ?? 0
        }
    }

    /// Until a cache has begun to write what comes from upstream.
    static func waitForPack(in store: String) throws {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(30) {
            let found = try TestSupport.run(
                "find", ["\(store)/mirrors", "-path", "*objects*", "-type", "f", "-size", "+0"])
            if !found.stdout.isEmpty { return }
            usleep(10_000)
        }
        throw TestFailure("nothing came from upstream")
    }
}
