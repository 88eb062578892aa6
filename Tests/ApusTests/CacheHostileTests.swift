import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What clients and upstreams do to `apus cache` that no git does.
@Suite(.timeLimit(.minutes(10))) struct CacheHostileTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func line(_ text: String) -> String {
        let size = String(text.utf8.count + 4, radix: 16)
        return String(repeating: "0", count: 4 - size.count) + size + text
    }

    /// A request for a pack of version 2.
    private func fetch(_ path: String, _ want: String, _ arguments: [String]) -> [UInt8] {
        let body =
            line("command=fetch") + line("object-format=sha1") + "0001"
            + (["want \(want)", "ofs-delta", "no-progress"] + arguments + ["done"]).map(line)
            .joined() + "0000"
        let head = [
            "POST /git/git/\(path)/git-upload-pack HTTP/1.1", "Host: cache", "Connection: close",
            "Git-Protocol: version=2", "Content-Type: application/x-git-upload-pack-request",
            "Content-Length: \(body.utf8.count)", "", "",
        ]
        return Array((head.joined(separator: "\r\n") + body).utf8)
    }

    /// What is said of a login is no reason to say nothing at all.
    @Test func aChallengeIsPassedOnAsFarAsItGoes() throws {
        let pair = try CachedUpstream {
            $0.answer(
                401,
                [
                    "WWW-Authenticate: Basic realm=\"a\tb\"", "WWW-Authenticate:  ",
                    "WWW-Authenticate: Bearer",
                ])
        }
        let answer = try pair.ask("GET /up/x.git/info/refs?service=git-upload-pack")
        #expect(answer.hasPrefix("HTTP/1.1 401 "))
        #expect(answer.header("www-authenticate") == "Basic realm=\"a b\"")
        #expect(answer.lowercased().components("www-authenticate:").count == 3)
    }

    /// An answer that is still being sent takes room on the disk: it is not removed to make room for others,
    /// which would take what is not there.
    @Test func anAnswerOnItsWayIsNotEvicted() throws {
        let upstream = try Upstream(commits: 1)
        try run(
            "sh", ["-c", #"head -c 12000000 /dev/urandom >"$0""#, "\(upstream.upstream)/noise"]
        )
        .required()
        try upstream.commit(1)
        let want = try upstream.git("rev-parse", "HEAD")
        let cache = try ApusServer(
            cacheIn: folder("store"), of: CachePair.upstreams(), ["--answers", "30"])
        func ask(_ number: Int) throws -> Int {
            let filter = ["filter blob:limit=\(20 + number)m"]
            return try exchange(
                port: cache.port, sending: fetch("\(upstream.name).git", want, filter)
            ).count
        }
        #expect(try ask(0) > 12_000_000)
        // Who asks and does not read.
        let slow = try Connection(port: cache.port)
        try slow.send(fetch("\(upstream.name).git", want, ["filter blob:limit=20m"]))
        #expect(try slow.waitForSomething())
        #expect(try ask(1) > 12_000_000)
        #expect(try ask(2) > 12_000_000)
        let open = try run(
            "sh", ["-c", #"ls -l "/proc/$0/fd" | grep 'answers/.*deleted' || true"#, "\(cache.id)"])
        #expect(open.out == "")
        let kept = try run("ls", [folder("store/answers")]).out.split(separator: "\n")
        #expect(kept.count == 2)
        withExtendedLifetime(slow) {}
    }

    /// The blob of a filter is found by a ref, which moves.
    @Test func aFilterByARefIsWhatTheRefIsNow() throws {
        let upstream = try Upstream(commits: 1)
        let (other, main) = ("refs/heads/other", "refs/heads/main")
        for name in ["one", "two"] {
            try run("sh", ["-c", #"echo "$1" >"$0""#, "\(upstream.upstream)/\(name)", name])
                .required()
        }
        try upstream.commit(1)
        try upstream.git("update-ref", other, main)
        let cache = try ApusServer(cacheIn: folder("store"), of: CachePair.upstreams())
        let url = "\(cache.http)/git/git/\(upstream.name).git"
        for name in ["one", "two"] {
            try run("sh", ["-c", #"echo "/$1" >"$0""#, "\(upstream.upstream)/patterns", name])
                .required()
            try upstream.commit(1)
            try Git.run(["clone", "-q", "--bare", url, folder("all-\(name)")])
            try Git.run([
                "clone", "-q", "--bare", "--filter=sparse:oid=main:patterns", "--single-branch",
                "--branch", "other", url, folder(name),
            ])
            let blobs = try Git.line(
                ["rev-list", "--objects", "--missing=print", "--no-object-names", "other"],
                in: folder(name))
            for other in ["one", "two"] {
                let blob = try Git.line(
                    ["rev-parse", "other:\(other)"], in: folder("all-\(name)"))
                #expect(
                    blobs.split(separator: "\n").contains { $0 == blob } == (other == name))
            }
        }
    }
}

/// A connection that sends, and reads nothing.
private final class Connection {
    private let connection: Descriptor
    private var descriptor: Int32 { connection.number }

    init(port: UInt16) throws {
        connection = try TestSupport.connection(to: port, receiveBuffer: 4_096)
    }

    func send(_ bytes: [UInt8]) throws {
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        try #require(count == bytes.count)
    }

    func waitForSomething() throws -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 60_000) == 1
    }
}
