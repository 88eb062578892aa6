import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `apus cache --config`: what the file says, what SIGHUP changes, and where a name may lead.
@Suite(.timeLimit(.minutes(10))) struct CacheSettingsTests {
    private let scratch: TemporaryDirectory
    private var config: String { scratch("settings") }
    private let forge: String

    init() throws {
        scratch = try TemporaryDirectory()
        forge = try GitHTTPServer.shared().http
    }

    private func write(_ text: String) throws { try scratch.write("settings", text.utf8) }

    private func start(_ options: [String] = []) throws -> ApusServer {
        try ApusServer(cacheIn: scratch("store"), of: [], ["--config", config] + options)
    }

    /// Sends SIGHUP, and waits for what is said of it.
    private func reload(_ cache: ApusServer) throws -> String {
        let before = try cache.errorsSoFar().utf8.count
        kill(cache.id, SIGHUP)
        for _ in 0 ..< 2_000 {
            let said = String(
                decoding: try cache.errorsSoFar().utf8.dropFirst(before), as: UTF8.self)
            if said.contains("settings read again") || said.contains("settings are as they were") {
                return said
            }
            usleep(5_000)
        }
        throw TestFailure("nothing was said of the settings")
    }

    private func list(_ cache: ApusServer, _ path: String) throws -> RawClient.Answer {
        try RawClient(url: "\(cache.http)/\(path)").advertisement("upload-pack")
    }

    @Test func hostsComeAndGoWhileAConnectionStays() throws {
        let upstream = try Upstream()
        try write("[upstream \"a\"]\n url = \(forge)/git/\n")
        let cache = try start()
        let client = try KeptConnection(port: cache.port)
        let (first, second) = ("a/\(upstream.name).git", "b/\(upstream.name).git")
        #expect(try client.status(of: "/\(first)/info/refs?service=git-upload-pack") == 200)
        #expect(try client.status(of: "/\(second)/info/refs?service=git-upload-pack") == 404)

        try write("[upstream \"b\"]\n url = \(forge)/git/\n")
        #expect(try reload(cache) == "settings read again: caching b\n")
        #expect(try client.status(of: "/\(first)/info/refs?service=git-upload-pack") == 404)
        #expect(try client.status(of: "/\(second)/info/refs?service=git-upload-pack") == 200)
        #expect(try list(cache, first).text.contains("No such upstream"))
    }

    /// A clone that is under way gets to its end.
    @Test func whatRunsGoesOn() throws {
        let upstream = try Upstream()
        // Three seconds of a slow server.
        let noise = (0 ..< 200_000).map { _ in UInt8.random(in: 0 ... 255) }
        try scratch.write("noise", noise)
        try run("/bin/cp", [scratch("noise"), upstream.upstream]).required()
        try Git.run(["add", "noise"], in: upstream.upstream)
        try upstream.commit(1)
        try write("[upstream \"a\"]\n url = \(forge)/slow/\n[upstream \"b\"]\n")
        let cache = try start()
        let clone = try ChildProcess(
            "git", ["clone", "-q", "\(cache.http)/a/\(upstream.name).git", scratch("copy")])
        try waitForPack(in: scratch("copy"))
        try write("[upstream \"b\"]\n")
        _ = try reload(cache)
        #expect(try list(cache, "a/\(upstream.name).git").status == 404)
        try clone.wait(timeout: .seconds(30)).required()
        #expect(try Git.attempt(["fsck", "--strict"], in: scratch("copy")).succeeded)
        #expect(readFile(scratch("copy/noise")) == noise)
    }

    private func waitForPack(in folder: String) throws {
        for _ in 0 ..< 1_000 {
            let found = try run(
                "/bin/sh", ["-c", "ls \"$0\"/.git/objects/pack | grep -q ^tmp_pack", folder])
            if found.succeeded { return }
            usleep(10_000)
        }
        throw TestFailure("no pack has begun to arrive")
    }

    /// What one host showed is no right to what is at another by the same name.
    @Test func aHostThatIsMovedIsAskedAnew() throws {
        let upstream = try Upstream()
        let tip = try Git.line(["rev-parse", "main"], in: upstream.upstream)
        try write(
            "[upstream \"a\"]\n url = \(forge)/git/\n[upstream \"b\"]\n url = \(forge)/git/\n")
        let cache = try start()
        func fetch(_ host: String) throws -> RawClient.Answer {
            try RawClient(url: "\(cache.http)/\(host)/\(upstream.name).git").post(
                "upload-pack", RawClient.v2("fetch", ["want \(tip)", "done"]))
        }
        for host in ["a", "b"] {
            #expect(try list(cache, "\(host)/\(upstream.name).git").status == 200)
        }
        #expect(try fetch("a").status == 200 && fetch("b").status == 200)
        let asked = try cache.requests().count

        try write(
            "[upstream \"a\"]\n url = \(forge)/git/nowhere/\n[upstream \"b\"]\n url = \(forge)/git/\n"
        )
        _ = try reload(cache)
        #expect(try fetch("a").status == 404)
        #expect(try fetch("b").status == 200)
        #expect(asked > 0)
    }

    @Test func whatCannotChangeIsSaidAndLeft() throws {
        let host = "[upstream \"a\"]\n"
        let (store, other) = (scratch("store"), scratch("other"))
        try write("[cache]\n store = \(store)\n listen = 127.0.0.1:0\n" + host)
        let cache = try ChildProcess(Apus.path, ["cache", "--config", config])
        defer { cache.send(SIGKILL) }
        try waitUntil(cache, says: "caching a in '\(store)' at http://127.0.0.1:")
        try write(
            """
            [cache]
                store = \(other)
                listen = :1
                maxConnectionsPerAddress = 5
                log = no
                grace = 1
            \(host)
            """)
        cache.send(SIGHUP)
        let reason = "is as it was: it cannot change while the cache runs"
        try waitUntil(
            cache,
            says: """
                /
                warning: cache.store \(reason)
                warning: cache.listen \(reason)
                warning: cache.maxConnectionsPerAddress \(reason)
                warning: cache.log \(reason)
                settings read again: caching a

                """)
        #expect(!exists(other))
        cache.send(SIGTERM)
        #expect(try cache.wait(timeout: .seconds(20)).exit == .code(0))
    }

    private func waitUntil(_ process: ChildProcess, says text: String) throws {
        for _ in 0 ..< 2_000 {
            if try process.errorsSoFar().contains(text) { return }
            usleep(5_000)
        }
        throw TestFailure("it did not say \(text), but \(try process.errorsSoFar())")
    }

    /// Of those behind the limit none is heard, until another one goes. In the file it is the same.
    @Test(arguments: [true, false]) func anAddressHasSoManyConnections(isOption: Bool) throws {
        let host = "[upstream \"a\"]\n"
        try write(isOption ? host : "[cache]\nmaxConnectionsPerAddress = 3\n" + host)
        let cache = try start(isOption ? ["--max-connections-per-address", "3"] : [])
        var clients: [KeptConnection] = []
        for _ in 0 ..< 3 {
            clients.append(try KeptConnection(port: cache.port))
            #expect(try clients.last?.status(of: "/-/healthy") == 200)
        }
        #expect(throws: (any Error).self) {
            try KeptConnection(port: cache.port).status(of: "/-/healthy")
        }
        for client in clients { #expect(try client.status(of: "/-/healthy") == 200) }
        clients.removeLast()
        #expect(
            eventually {
                (try? KeptConnection(port: cache.port).status(of: "/-/healthy")) == 200
            })
    }

    @Test(arguments: ["0", "-1", "1000001", "x"]) func badLimits(value: String) throws {
        for command in ["cache", "serve"] {
            let result = try Apus.run([command, "--max-connections-per-address", value])
            #expect(result.exit == .code(129), "\(result)")
        }
    }

    /// What the command line says, the file does not change.
    @Test func optionsStayWhatTheyAre() throws {
        let upstream = try Upstream()
        let host = "[upstream \"a\"]\n url = \(forge)/git/\n"
        try write(host)
        let cache = try start()
        try write("[cache]\n store = \(scratch("other"))\n listen = :1\n" + host)
        #expect(try reload(cache) == "settings read again: caching a\n")
        #expect(try list(cache, "a/\(upstream.name).git").status == 200)
    }

    @Test func aBadFileLeavesAllAsItWas() throws {
        let upstream = try Upstream()
        let good = "[upstream \"a\"]\n url = \(forge)/git/\n"
        try write(good)
        let cache = try start()
        for bad in ["[cache]\n answers = lots\n[upstream \"b\"]\n", "[upstream", "[cache]\n"] {
            try write(bad)
            let said = try reload(cache)
            #expect(said.hasPrefix("error: the settings are as they were: "), "\(said)")
            #expect(said.contains(config))
            #expect(try list(cache, "a/\(upstream.name).git").status == 200)
        }
        try run("/bin/rm", [config]).required()
        #expect(try reload(cache).contains("there is no config file"))
        try write(good)
        #expect(try reload(cache) == "settings read again: caching a\n")
    }

    /// One of the command line stands in place of the file's for the same host.
    @Test func optionsComeBeforeTheFile() throws {
        let upstream = try Upstream()
        try write(
            "[cache]\n answers = 1m\n[upstream \"A\"]\n url = http://127.0.0.1:1/\n[upstream \"b\"]\n"
        )
        let cache = try ApusServer(
            cacheIn: scratch("store"), of: ["a=\(forge)/git/"], ["--config", config])
        #expect(try cache.errorsSoFar().contains("caching b, a in "))
        #expect(try list(cache, "a/\(upstream.name).git").status == 200)
    }

    @Test(arguments: [
        (
            ["--config", "/no/such/file"], Int32(128),
            "fatal: there is no config file '/no/such/file'"
        ),
        (["--upstream", "a"], 129, "error: --store is needed."),
        (
            ["--store", "x", "--upstream", "a=ftp://a/"], 128,
            "fatal: the upstream 'a' cannot be used"
        ),
    ])
    func whatIsMissingIsSaid(arguments: [String], status: Int32, said: String) throws {
        let result = try run(Apus.path, ["cache"] + arguments, directory: scratch.path)
        #expect(result.exit == .code(status))
        #expect(result.err.hasPrefix(said), "\(result.err)")
        #expect(!exists(scratch("x")))
    }

    @Test func nothingIsStartedByABadFile() throws {
        try write("[cache]\n store = \(scratch("store"))\n\n log = maybe\n[upstream \"a\"]\n")
        let result = try run(Apus.path, ["cache", "--config", config])
        #expect(result.exit == .code(128))
        #expect(
            result.err == "fatal: bad config line 4 in file '\(config)': cache.log:"
                + " 'maybe' is not true or false\n")
        #expect(!exists(scratch("store")))
    }

    // MARK: Addresses

    /// A number is a name that needs no name server to lead to 127.0.0.1.
    @Test func aNameMayNotLeadIntoTheOwnNetwork() throws {
        let upstream = try Upstream()
        let named = forge.replacing("127.0.0.1", with: "2130706433")
        let cache = try ApusServer(
            cacheIn: scratch("store"), of: ["a=\(named)/git/", "b=\(forge)/git/"])
        let answer = try list(cache, "a/\(upstream.name).git")
        #expect(answer.status == 502)
        #expect(answer.text.contains("leads where it must not"))
        #expect(!(answer.head + answer.text).contains("127.0.0.1"))
        #expect(try list(cache, "b/\(upstream.name).git").status == 200)
        // A connection to the same place is open now, and is not used.
        #expect(try list(cache, "a/\(upstream.name).git").status == 502)
        #expect(try cache.requests().contains { $0.contains("leads into the own network") })
    }

    @Test func unlessItIsAllowed() throws {
        let upstream = try Upstream()
        let named = forge.replacing("127.0.0.1", with: "2130706433")
        let section = "[upstream \"a\"]\n url = \(named)/git/\n"
        try write(section + "allowPrivate = true\n")
        let cache = try start()
        #expect(try list(cache, "a/\(upstream.name).git").status == 200)
        try write(section)
        _ = try reload(cache)
        #expect(try list(cache, "a/\(upstream.name).git").status == 502)

        let free = try ApusServer(
            cacheIn: scratch("free"), of: ["a=\(named)/git/"], ["--allow-private"])
        #expect(try list(free, "a/\(upstream.name).git").status == 200)
    }
}

/// A connection that is kept open between requests.
private final class KeptConnection {
    private let connection: Descriptor
    private var descriptor: Int32 { connection.number }

    init(port: UInt16) throws {
        connection = try TestSupport.connection(to: port)
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
            socklen_t(MemoryLayout<timeval>.size))
    }

    /// Asks, reads the answer to its end, and gives its status.
    func status(of target: String) throws -> Int {
        let request = Array(
            "GET \(target) HTTP/1.1\r\nHost: a\r\nGit-Protocol: version=2\r\n\r\n".utf8)
        guard write(descriptor, request, request.count) == request.count else {
            throw TestFailure("the connection is gone")
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while !Self.isWhole(answer) {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { throw TestFailure("the connection is gone") }
            answer += chunk[..<count]
        }
        return Int(String(decoding: answer.prefix(12).suffix(3), as: UTF8.self)) ?? 0
    }

    private static func isWhole(_ answer: [UInt8]) -> Bool {
        guard let end = answer.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else {
            return false
        }
        let head = String(decoding: answer[..<end], as: UTF8.self).lowercased()
        if let length = head.firstMatch(of: /content-length: ([0-9]+)/) {
            return answer.count - end >= Int(length.1) ?? 0
        }
        return answer.suffix(5).elementsEqual("0\r\n\r\n".utf8)
    }
}
