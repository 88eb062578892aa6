#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Tests/Fixtures/hostile-server.py, whose every answer is an attack. It ends with the last reference,
/// or with this process.
public final class HostileServer: Sendable {
    private let http: String
    private let process: ChildProcess
    private let lifeline: Descriptor

    /// The one of a test run.
    public static func shared() throws -> HostileServer { try sharedResult.get() }
    private static let sharedResult = Result { try HostileServer() }

    public init() throws {
        let (stdin, keep) = try GitHTTPServer.pipe()
        let (said, stdout) = try GitHTTPServer.pipe()
        lifeline = keep
        process = try ChildProcess(
            "\(TestEnvironment.packageRoot)/Tests/Fixtures/hostile-server.py", [],
            inputDescriptor: stdin.number, outputDescriptor: stdout.number)
        let facts = try GitHTTPServer.facts(from: said, process)
        guard let http = facts["http"] else { throw TestFailure("the server told no URL") }
        self.http = http
    }

    deinit {
        process.send(SIGTERM)
        _ = try? process.wait(timeout: .seconds(10))
    }

    /// The URL of the repository that attacks in this way.
    public func url(_ attack: String) -> String { "\(http)/\(attack)/copy.git" }
}
