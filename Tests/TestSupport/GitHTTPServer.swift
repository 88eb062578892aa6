#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// nginx, fcgiwrap and `git http-backend` on loopback, by Scripts/git-http-server.sh, where the
/// locations are listed. It ends when the last reference goes, or with this process however that
/// ends: it waits on a pipe that only this process holds open.
public final class GitHTTPServer: Sendable {
    /// The folder whose repositories are served.
    public let root: String
    /// `http://127.0.0.1:PORT`.
    public let http: String
    /// `https://127.0.0.1:PORT`, with a certificate that no one trusts.
    public let https: String
    /// That certificate's file.
    public let certificate: String
    /// The folder with a file of logins for each name under `/only/`.
    public let passwords: String
    private let requestLog: String
    private let process: ChildProcess
    private let lifeline: Descriptor

    /// The one server of a test run, which serves the fixtures.
    public static func shared() throws -> GitHTTPServer { try sharedResult.get() }
    private static let sharedResult = Result { try GitHTTPServer() }

    public init() throws {
        let (stdin, keep) = try Self.pipe()
        let (said, stdout) = try Self.pipe()
        lifeline = keep
        process = try ChildProcess(
            "\(TestEnvironment.packageRoot)/Scripts/git-http-server.sh", [],
            inputDescriptor: stdin.number, outputDescriptor: stdout.number)
        let facts = try Self.facts(from: said, process)
        func fact(_ key: String) throws -> String {
            guard let value = facts[key] else { throw TestFailure("the server told no \(key)") }
            return value
        }
        root = try fact("root")
        http = try fact("http")
        https = try fact("https")
        certificate = try fact("certificate")
        passwords = try fact("passwords")
        requestLog = try fact("requests")
    }

    deinit {
        process.send(SIGTERM)
        _ = try? process.wait(timeout: .seconds(10))
    }

    /// The URL of a fixture at a location, such as `url("git", "tiny")`.
    public func url(_ location: String, _ repository: String) -> String {
        "\(http)/\(location)/\(repository).git"
    }

    /// The lines of the log for requests whose path has `text` in it; see the script for their form.
    public func requests(with text: String) -> [String] {
        let log = String(decoding: readFile(requestLog) ?? [], as: UTF8.self)
        return log.split(separator: "\n").map(String.init).filter {
            $0.split(separator: " ").dropFirst(2).first?.contains(text) ?? false
        }
    }

    /// Both ends of a pipe, reading end first.
    static func pipe() throws -> (Descriptor, Descriptor) {
        var ends: [Int32] = [-1, -1]
        #if canImport(Glibc)
            guard Glibc.pipe(&ends) == 0 else { throw TestFailure("no pipe: errno \(errno)") }
        #else
            guard Darwin.pipe(&ends) == 0 else { throw TestFailure("no pipe: errno \(errno)") }
        #endif
        return (try Descriptor(ends[0]), try Descriptor(ends[1]))
    }

    /// Reads `key=value` lines up to `ready`.
    static func facts(
        from said: Descriptor, _ process: ChildProcess
    ) throws -> [String: String] {
        var facts: [String: String] = [:]
        var line: [UInt8] = []
        while true {
            var wait = pollfd(fd: said.number, events: Int16(POLLIN), revents: 0)
            var byte: UInt8 = 0
            guard poll(&wait, 1, 30_000) == 1, read(said.number, &byte, 1) == 1 else {
                throw TestFailure("the server did not start: \(try process.errorsSoFar())")
            }
            guard byte == UInt8(ascii: "\n") else {
                line.append(byte)
                continue
            }
            let text = String(decoding: line, as: UTF8.self)
            if text == "ready" { return facts }
            let parts = text.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { facts[String(parts[0])] = String(parts[1]) }
            line = []
        }
    }
}
