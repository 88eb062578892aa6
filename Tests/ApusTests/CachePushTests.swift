import TestSupport
import Testing

/// Stock git pushes to a real server through `apus cache`.
final class CachedPush: Upstream {
    let cache: ApusServer
    private let store: TemporaryDirectory

    init() throws {
        let server = try GitHTTPServer.shared()
        let scratch = try TemporaryDirectory()
        cache = try ApusServer(cacheIn: scratch("store"), of: ["forge=\(server.http)"])
        store = scratch
        try super.init()
        try git("config", "http.receivepack", "true")
        try git("config", "receive.advertisePushOptions", "true")
        try git("config", "receive.denyCurrentBranch", "ignore")
    }

    /// Where the repository is, through the cache.
    func cached(_ location: String = "git", user: String = "") -> String {
        "\(cache.http.replacing("http://", with: "http://" + user))/forge/\(location)/\(name).git"
    }

    /// A clone with a commit that upstream has not.
    func client(_ name: String = "client") throws -> String {
        let copy = path(name)
        try Git.run(["clone", "-q", cached(), copy])
        try commit(1, in: copy, file: "new-\(name)")
        return copy
    }

    /// Commits a file that no pack makes smaller.
    func noise(_ size: Int, in copy: String) throws {
        try run("sh", ["-c", "head -c \(size) /dev/urandom >'\(copy)/noise'"]).required()
        try Git.run(["add", "-A"], in: copy)
        try Git.run(["-c", "core.compression=0", "commit", "-q", "-m", "Noise"], in: copy)
    }

    /// What a branch is upstream.
    func tip(_ name: String = "main") throws -> String {
        try git("rev-parse", "--verify", "refs/heads/\(name)")
    }
}

@Suite(.timeLimit(.minutes(10))) struct CachePushTests {
    @Test(arguments: [0, 2]) func aPushArrivesAndIsFetchedAtOnce(version: Int) throws {
        let scene = try CachedPush()
        let copy = try scene.client()
        let head = try Git.line(["rev-parse", "HEAD"], in: copy)
        let environment = protocolVersion(version)
        try Git.run(
            ["push", "-q", "origin", "main", "main:new", "main:refs/heads/deep/er"], in: copy,
            environment: environment)
        #expect(try scene.tip() == head)
        #expect(try scene.tip("deep/er") == head)
        let other = scene.path("other")
        try Git.run(["clone", "-q", "-b", "new", scene.cached(), other], environment: environment)
        #expect(try Git.line(["rev-parse", "HEAD"], in: other) == head)

        try Git.run(
            ["push", "-q", "--force", "origin", "main~2:main", ":new"], in: copy,
            environment: environment)
        let listed = try Git.run(
            ["ls-remote", "--heads", scene.cached()], environment: environment)
        #expect(try scene.tip() == Git.line(["rev-parse", "main~2"], in: copy))
        #expect(listed.out.contains(try scene.tip() + "\trefs/heads/main"))
        #expect(!listed.out.contains("refs/heads/new"))
    }

    @Test func anAtomicPushIsAllOrNothing() throws {
        let scene = try CachedPush()
        let copy = try scene.client()
        let before = try scene.tip()
        try scene.git("config", "receive.denyDeletes", "true")
        try scene.git("branch", "kept")
        let refused = try Git.attempt(
            ["push", "--atomic", "origin", "main", ":kept"], in: copy)
        #expect(!refused.succeeded)
        #expect(refused.err.contains("deletion prohibited"), "\(refused)")
        #expect(try scene.tip() == before)
        try Git.run(["push", "--atomic", "origin", "main", "main:more"], in: copy)
        #expect(try scene.tip("more") == scene.tip())
    }

    @Test func optionsArriveAndAHookIsHeard() throws {
        let scene = try CachedPush()
        let copy = try scene.client()
        let before = try scene.tip()
        let hook = """
            #!/bin/sh
            echo "the hook was told $GIT_PUSH_OPTION_0"
            sleep 0.3
            echo "and says no" >&2
            exit 1
            """
        let path = "\(scene.upstream)/.git/hooks/pre-receive"
        try run("sh", ["-c", #"cat >"$0"; chmod +x "$0""#, path], input: Array(hook.utf8))
            .required()
        let refused = try Git.attempt(["push", "-o", "tell=it", "origin", "main"], in: copy)
        #expect(!refused.succeeded)
        #expect(refused.err.contains("remote: the hook was told tell=it"), "\(refused)")
        #expect(refused.err.contains("remote: and says no"))
        #expect(refused.err.contains("pre-receive hook declined"))
        #expect(try scene.tip() == before)
    }

    @Test func aLoginIsAskedForAndThenLetsIn() throws {
        let scene = try CachedPush()
        let copy = try scene.client()
        let without = try Git.attempt(["push", scene.cached("auth"), "main"], in: copy)
        #expect(!without.succeeded)
        #expect(without.err.contains("could not read Username"), "\(without)")
        let wrong = try Git.attempt(
            ["push", scene.cached("auth", user: "ada:wrong@"), "main"], in: copy)
        #expect(wrong.err.contains("Authentication failed"), "\(wrong)")
        try Git.run(
            ["push", "-q", scene.cached("auth", user: "ada:l0vel%40ce@"), "main"], in: copy)
        #expect(try scene.tip() == Git.line(["rev-parse", "main"], in: copy))
        let log = try scene.cache.requests().joined()
        #expect(!log.contains("l0vel"))
    }

    /// With a body in chunks, and with one whose length is told.
    @Test(arguments: [1 << 20, 1 << 30])
    func aPackGoesUpInLittleMemory(postBuffer: Int) throws {
        let scene = try CachedPush()
        let copy = try scene.client()
        try scene.noise(24 << 20, in: copy)
        let before = try #require(scene.cache.memory("VmHWM"))
        try Git.run(
            ["-c", "http.postBuffer=\(postBuffer)", "push", "-q", "origin", "main"], in: copy)
        #expect(try scene.tip() == Git.line(["rev-parse", "main"], in: copy))
        let after = try #require(scene.cache.memory("VmHWM"))
        #expect(after - before < 12 << 10, "\(before) KiB before, \(after) after")
    }

    @Test(arguments: [0, 2]) func aPushReachesApusServe(version: Int) throws {
        let scratch = try TemporaryDirectory()
        try Git.run(["init", "-q", "--bare", "-b", "main", scratch("root/new.git")])
        let server = try ApusServer(root: scratch("root"))
        let cache = try ApusServer(cacheIn: scratch("store"), of: ["forge=\(server.http)"])
        let scene = try CachedPush()
        let copy = try scene.client()
        try scene.noise(3 << 20, in: copy)
        let url = "\(cache.http)/forge/new.git"
        let environment = protocolVersion(version)
        try Git.run(["push", "-q", url, "main"], in: copy, environment: environment)
        try Git.run(["clone", "-q", url, scratch("back")], environment: environment)
        let head = try Git.line(["rev-parse", "HEAD"], in: copy)
        #expect(try Git.line(["rev-parse", "HEAD"], in: scratch("back")) == head)
        try scene.commit(1, in: copy, file: "more")
        try Git.run(["push", "-q", url, "main"], in: copy, environment: environment)
        try Git.run(["pull", "-q"], in: scratch("back"), environment: environment)
        #expect(
            try Git.line(["rev-parse", "HEAD"], in: scratch("back"))
                == Git.line(["rev-parse", "HEAD"], in: copy))
    }
}
