#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `apus serve` on loopback, where everything under a folder may be fetched by everybody, and pushed to;
/// or `apus cache`. It ends when the last reference goes, or with this process however that ends: a shell around it waits
/// on a pipe that only this process holds open.
public final class ApusServer: Sendable {
    /// `http://127.0.0.1:PORT`.
    public let http: String
    /// The process that serves, to be looked at or killed.
    public let id: Int32
    private let process: ChildProcess
    private let lifeline: Descriptor
    private let log: Descriptor

    /// One that serves the fixtures, as ``GitHTTPServer/shared()`` does.
    public static func shared() throws -> ApusServer { try sharedResult.get() }
    private static let sharedResult = Result { try ApusServer(root: GitHTTPServer.shared().root) }

    /// What the shell does: tell the number of the server's process, and end it when nobody is there.
    private static let keeper = #"""
        "$@" & server=$!
        echo "process=$server" >&2
        trap 'kill -9 $server 2>/dev/null' TERM
        cat >/dev/null
        kill -9 $server 2>/dev/null
        wait $server
        """#

    public convenience init(
        root: String, _ options: [String] = [], environment: [String: String] = [:]
    ) throws {
        try self.init(
            ["serve", "--root", root, "--export-all", "--enable-push"] + options, environment)
    }

    /// A cache that keeps what it has in `store`, in front of upstreams (`NAME=URL`).
    public convenience init(
        cacheIn store: String, of upstreams: [String], _ options: [String] = [],
        environment: [String: String] = [:]
    ) throws {
        try self.init(
            ["cache", "--store", store] + upstreams.flatMap { ["--upstream", $0] } + options,
            environment)
    }

    private init(_ arguments: [String], _ environment: [String: String]) throws {
        let (stdin, keep) = try GitHTTPServer.pipe()
        lifeline = keep
        log = try Descriptor.unnamedFile()
        // What is set for the clients of tests is not to reach the server's hooks.
        var own = environment
        for name in [
            "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE", "GIT_COMMITTER_NAME",
            "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE", "GIT_TERMINAL_PROMPT",
        ] { own[name] = "" }
        process = try ChildProcess(
            "/bin/sh",
            [
                "-c", Self.keeper, "sh", Apus.path,
            ] + arguments + ["--listen", "127.0.0.1:0"],
            environment: own, inputDescriptor: stdin.number, outputDescriptor: log.number)
        let said = try Self.wait(for: process)
        guard let id = said.firstMatch(of: /process=([0-9]+)/).flatMap({ Int32($0.1) }),
            let http = said.firstMatch(of: /at (http:\/\/127\.0\.0\.1:[0-9]+)\//)?.1
        else { throw TestFailure("apus \(arguments[0]) did not start: \(said)") }
        self.id = id
        self.http = String(http)
    }

    deinit {
        // The shell hears of it once nothing of its own is left.
        process.send(SIGTERM, group: true)
        kill(id, SIGKILL)
        _ = try? process.wait(timeout: .seconds(10))
    }

    /// Has it end before its time, and waits until it has. The shell around it does not ask how, so that
    /// its number is not another's before this is gone.
    public func end(by signal: Int32 = 9) throws {
        kill(id, signal)
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(30) {
            let status = String(decoding: readFile("/proc/\(id)/stat") ?? [], as: UTF8.self)
            let fields = status.drop { $0 != ")" }.dropFirst(2)
            if fields.isEmpty || fields.first == "Z" { return }
            usleep(1_000)
        }
        throw TestFailure("apus did not end: \(try errorsSoFar())")
    }

    /// Up to the line that says where it listens.
    private static func wait(for process: ChildProcess) throws -> String {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(30) {
            let said = try process.errorsSoFar()
            if said.contains("serving '") || said.contains("caching "), said.hasSuffix("/\n") {
                return said
            }
            if said.contains("fatal:") { return said }
            usleep(5_000)
        }
        return try process.errorsSoFar()
    }

    /// Where it listens.
    public var port: UInt16 { http.split(separator: ":").last.flatMap { UInt16($0) } ?? 0 }

    public func url(_ repository: String) -> String { "\(http)/\(repository).git" }

    /// What it has written to its standard output: a line a request.
    public func requests() throws -> [String] {
        String(decoding: try log.rewound(), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// What it has written to its standard error.
    public func errorsSoFar() throws -> String { try process.errorsSoFar() }

    /// Kilobytes that it holds in memory, as `VmRSS` or `VmHWM` of /proc has it.
    public func memory(_ key: String = "VmRSS") -> Int? {
        let status = String(decoding: readFile("/proc/\(id)/status") ?? [], as: UTF8.self)
        let line = status.split(separator: "\n").first { $0.hasPrefix("\(key):") }
        return line.flatMap { $0.firstMatch(of: /[0-9]+/) }.flatMap { Int($0.0) }
    }

    /// Ticks of the processor that it has used so far, of which there are a hundred a second.
    public func ticks() -> Int? {
        let stat = String(decoding: readFile("/proc/\(id)/stat") ?? [], as: UTF8.self)
        let fields = stat.drop { $0 != ")" }.split(separator: " ")
        guard fields.count > 13, let user = Int(fields[12]), let system = Int(fields[13]) else {
            return nil
        }
        return user + system
    }
}
