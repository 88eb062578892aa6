import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A store of a test's own, and the commands for who runs the cache on it.
struct CacheStore {
    let folder: TemporaryDirectory
    let path: String

    init(_ name: String = "store") throws {
        folder = try TemporaryDirectory()
        path = folder(name)
    }

    func start(_ options: [String] = [], upstreams: [String]? = nil) throws -> ApusServer {
        try ApusServer(
            cacheIn: path, of: try upstreams ?? CachePair.upstreams(), options)
    }

    func run(_ command: String, _ arguments: [String] = []) throws -> RunResult {
        try Apus.run(["cache", command, "--store", path] + arguments)
    }

    /// Runs a command that says what went wrong in one line and with status 1.
    func fail(
        _ command: String, _ arguments: [String] = [], saying text: String,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let result = try run(command, arguments)
        #expect(result.exit == .code(1), "\(result)", sourceLocation: location)
        #expect(result.errorLines.count == 1, "\(result)", sourceLocation: location)
        #expect(
            result.err.hasPrefix("error: ") && result.err.contains(text), "\(result)",
            sourceLocation: location)
    }

    /// The paths below it that match.
    func find(_ arguments: String...) throws -> [String] {
        try TestSupport.run("find", [path] + arguments).required().out
            .split(separator: "\n").map(String.init)
    }

    /// Clones through a cache that runs here, and waits until what came by that is kept: that is later than the
    /// client has it.
    func clone(_ url: String, _ name: String) throws {
        try Git.run(["clone", "-q", url, folder(name)])
        try Git.run(["fsck", "--strict"], in: folder(name))
        try waitUntil { store in
            try store.find("-name", "*.new", "-o", "-name", "tmp_objdir*").isEmpty
                && !store.run("status").required().out.contains("being fetched")
        }
    }

    /// Waits, for half a minute, until it holds.
    func waitUntil(
        location: SourceLocation = #_sourceLocation, _ holds: (CacheStore) throws -> Bool
    ) throws {
        let start = ContinuousClock.now
        while try !holds(self), ContinuousClock.now - start < .seconds(30) { usleep(50_000) }
        #expect(try holds(self), sourceLocation: location)
    }

    /// Answers, and packs of mirrors.
    func kept() throws -> (answers: [String], packs: [String]) {
        (try find("-path", "*/answers/*", "-type", "f"), try find("-name", "*.pack"))
    }

    /// The directory of the mirror of that name.
    func mirror(of name: String) throws -> String? {
        try find("-name", "description").first { path in
            String(decoding: readFile(path) ?? [], as: UTF8.self) == name + "\n"
        }.map { String($0.dropLast("/description".count)) }
    }

    /// Changes a byte in the middle.
    func damage(_ file: String) throws {
        var bytes = try #require(readFile(file))
        bytes[bytes.count / 2] ^= 1
        try TestSupport.run("chmod", ["u+w", file]).required()
        try TestSupport.run("sh", ["-c", #"cat > "$0""#, file], input: bytes).required()
    }
}

/// `apus cache status`, and the socket that it goes by.
@Suite(.timeLimit(.minutes(10))) struct CacheControlTests {
    @Test func aRunningCacheTellsWhatItHasAndDoes() throws {
        let store = try CacheStore()
        let upstream = try Upstream()
        let cache = try store.start()
        let url = "\(cache.http)/git/git/\(upstream.name).git"
        for name in ["one", "two"] { try store.clone(url, name) }

        let text = try store.run("status").required().out
        #expect(text.hasPrefix("running for "), "\(text)")
        #expect(text.contains("upstream git at http://127.0.0.1:"), "\(text)")
        #expect(text.contains("answers: 1 sent again, 0 shared, 1 made;"), "\(text)")
        #expect(text.contains("kept: 1 answers,"), "\(text)")
        #expect(text.contains("1 mirrors,"), "\(text)")
        #expect(text.contains("mirror git/git/\(upstream.name): 20 objects in 1 packs"), "\(text)")

        let facts = try facts(store)
        #expect(facts["running"] == "True")
        #expect(facts["requests"] == "{'hit': 1, 'shared': 0, 'made': 1}")
        #expect(facts["answers"] == "1")
        #expect(facts["answer_budget_bytes"] == "\(10 << 30)")
        #expect(facts["mirror_budget_bytes"] == "\(100 << 30)")
        let answer = try #require(try store.kept().answers.first.flatMap(readFile)).count
        #expect(facts["answer_bytes"] == "\(answer)")
        #expect(Int(facts["sent_bytes"] ?? "") ?? 0 >= 2 * answer)
        #expect(facts["mirrors"]?.contains("'objects': 20, 'packs': 1,") == true)
        #expect(facts["mirrors"]?.contains("'fetching': False") == true)
    }

    @Test func whereNoneRunsTheDiskTells() throws {
        let store = try CacheStore()
        let upstream = try Upstream()
        let cache = try store.start()
        try store.clone("\(cache.http)/git/git/\(upstream.name).git", "copy")
        // Whatever is left of the socket is nobody's.
        try cache.end(by: SIGKILL)
        let text = try store.run("status").required().out
        #expect(text.hasPrefix("no cache runs on this store: from the disk\n"), "\(text)")
        #expect(text.contains("kept: 1 answers,"), "\(text)")
        #expect(text.contains("mirror git/git/\(upstream.name): 20 objects in 1 packs"), "\(text)")
        let facts = try facts(store)
        #expect(facts["running"] == "False" && facts["answers"] == "1")

        let again = try store.start()
        #expect(try store.run("status").required().out.hasPrefix("running for "))
        try again.end(by: SIGTERM)
        #expect(try store.find("-name", "control") == [])
    }

    @Test func aFetchThatRunsIsTold() throws {
        let store = try CacheStore()
        let upstream = try SlowUpstream()
        let cache = try store.start()
        let url = "\(cache.http)/git/slow/\(upstream.name).git"
        let clone = try ChildProcess("git", ["clone", "-q", url, store.folder("copy")])
        try SlowUpstream.waitForPack(in: store.path)
        #expect(try store.run("status").required().out.contains(", being fetched\n"))
        #expect(try clone.wait().succeeded)
        try store.waitUntil { try !$0.run("status").required().out.contains("being fetched") }
    }

    @Test func theSocketIsForTheUserAlone() throws {
        let store = try CacheStore()
        let cache = try store.start()
        let mode = try run("stat", ["-c", "%a %F", "\(store.path)/control"]).out
        #expect(mode == "600 socket\n")
        _ = cache.port
    }

    /// A socket's address has room for some 100 bytes.
    @Test func thePathOfTheStoreIsLong() throws {
        let store = try CacheStore(String(repeating: "long", count: 40))
        let cache = try store.start()
        #expect(try store.run("status").required().out.hasPrefix("running for "))
        _ = cache.port
    }

    @Test(arguments: ["status", "verify", "purge"])
    func thereIsNoStore(command: String) throws {
        let store = try CacheStore()
        let operands = command == "purge" ? ["git/x"] : []
        try store.fail(command, operands, saying: "there is no store")
        #expect(!exists(store.path))
    }

    @Test(arguments: ["status", "verify", "purge"])
    func withoutAStoreTheUsageIsShown(command: String) throws {
        let result = try Apus.run(["cache", command])
        #expect(result.exit == .code(129), "\(result)")
        #expect(result.err.contains("usage: apus cache \(command)"))
    }

    /// What is no request is told so, and does no harm.
    @Test func whatIsNoRequestIsRefused() throws {
        let store = try CacheStore()
        let cache = try store.start()
        let long = [UInt8](repeating: 0x78, count: 100_000)
        for (sent, said) in [
            (Array("nonsense\n".utf8), "is no request"), (Array("purge\n".utf8), "is no request"),
            (Array("status\u{1b}[2J\n".utf8), "no text"), ([0, 0xff, 0x0a], "no text"),
            (long + [0x0a], "too long"), (long, "too long"), (Array("stat".utf8), ""), ([], ""),
        ] {
            let answer = try talk(store, sent)
            #expect(said.isEmpty ? answer.isEmpty : answer.contains(said), "\(answer)")
            #expect(!answer.unicodeScalars.contains("\u{1b}"))
        }
        #expect(try store.run("status").required().out.hasPrefix("running for "))
        _ = cache.port
    }

    /// Those who say nothing keep others out for some seconds, and not for ever.
    @Test func soManyAreHeardAtOnce() throws {
        let store = try CacheStore()
        let cache = try store.start()
        let program = """
            import socket, sys
            def connect():
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(20)
                s.connect(sys.argv[1])
                return s
            silent = [connect() for _ in range(8)]
            one = connect()
            print(one.recv(4096).decode(), end='')
            print(all(s.recv(1) == b'' for s in silent))
            """
        let said = try run("python3", ["-c", program, "\(store.path)/control"]).required().out
        #expect(said == "error the cache is busy with other commands\nTrue\n")
        #expect(try store.run("status").required().out.hasPrefix("running for "))
        _ = cache.port
    }

    /// Sends bytes to the socket, then their end, and gives what comes back.
    private func talk(_ store: CacheStore, _ bytes: [UInt8]) throws -> String {
        let program = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(20)
            s.connect(sys.argv[1])
            try:
                s.sendall(sys.stdin.buffer.read())
                s.shutdown(socket.SHUT_WR)
            except OSError: pass
            said = b''
            try:
                while True:
                    piece = s.recv(4096)
                    if not piece: break
                    said += piece
            except ConnectionResetError: pass
            sys.stdout.buffer.write(said)
            """
        return try run("python3", ["-c", program, "\(store.path)/control"], input: bytes)
            .required().out
    }

    /// The members of the document, as Python writes them.
    private func facts(_ store: CacheStore) throws -> [String: String] {
        let json = try store.run("status", ["--json"]).required().stdout
        let program = """
            import json, sys
            for key, value in json.load(sys.stdin).items(): print(key, value, sep='=')
            """
        let lines = try run("python3", ["-c", program], input: json).required().out
        return Dictionary(
            lines.split(separator: "\n").map { line in
                let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
                return (parts[0], parts.count > 1 ? parts[1] : "")
            }
        ) { $1 }
    }
}
