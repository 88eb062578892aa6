import CSpawn

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How a process ended.
public enum Exit: Equatable, Sendable {
    case code(Int32)
    case signal(Int32)
}

/// A process of its own group with an isolated environment (`TestEnvironment`). What it writes goes
/// to files, so that it never waits for its reader.
public final class ChildProcess: Sendable {
    public let id: Int32
    private let name: String
    private let output: Descriptor
    private let errors: Descriptor

    /// Starts it. `input` is all that it reads; `inputDescriptor` is used in its place when given.
    public init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:],
        input: [UInt8] = [], inputDescriptor: Int32? = nil, outputDescriptor: Int32? = nil,
        directory: String? = nil
    ) throws {
        let given = try Descriptor.unnamedFile(input)
        output = try Descriptor.unnamedFile()
        errors = try Descriptor.unnamedFile()
        name = ([program] + arguments).joined(separator: " ")

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, inputDescriptor ?? given.number, 0)
        posix_spawn_file_actions_adddup2(&actions, outputDescriptor ?? output.number, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.number, 2)

        // Signals as a shell would hand them on, whatever the test runner does with its own.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGQUIT] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let variables = TestEnvironment.isolated(environment).map { "\($0.key)=\($0.value)" }
        var child: pid_t = 0
        let words = [program] + arguments
        if let directory { apus_spawn_add_directory(&actions, directory) }
        let failure = withCStrings(words) { argv in
            withCStrings(variables) {
                posix_spawnp(&child, words[0], &actions, &attributes, argv, $0)
            }
        }
        guard failure == 0 else { throw TestFailure("cannot start \(program): errno \(failure)") }
        id = child
    }

    /// Sends a signal to it, or with `group` to everything it started too, as a terminal does.
    public func send(_ signal: Int32, group: Bool = false) {
        _ = kill(group ? -id : id, signal)
    }

    /// Waits for the end, once. After `timeout` it is killed, and that is an error.
    public func wait(timeout: Duration = .seconds(60)) throws -> RunResult {
        let start = ContinuousClock.now
        var status: Int32 = 0
        while true {
            let waited = waitpid(id, &status, WNOHANG)
            if waited == id { break }
            guard waited == 0 || errno == EINTR else {
                throw TestFailure("cannot wait for \(name): errno \(errno)")
            }
            let passed = ContinuousClock.now - start
            guard passed < timeout else {
                send(SIGKILL, group: true)
                _ = waitpid(id, &status, 0)
                let said = String(decoding: try errors.rewound(), as: UTF8.self)
                throw TestFailure("\(name) was not done after \(timeout); it said: \(said)")
            }
            // Most programs are done within milliseconds: it is seen soon, the sooner the shorter they run.
            usleep(50 + UInt32(min(passed / .microseconds(16), 2_000)))
        }
        let signal = status & 0x7f
        return RunResult(
            exit: signal == 0 ? .code(status >> 8 & 0xff) : .signal(signal),
            stdout: try output.rewound(), stderr: try errors.rewound())
    }

    /// What it has written to its standard error so far.
    public func errorsSoFar() throws -> String {
        String(decoding: try errors.rewound(), as: UTF8.self)
    }
}

/// What a process left: how it ended and what it wrote.
public struct RunResult: Sendable, CustomStringConvertible {
    public let exit: Exit
    public let stdout: [UInt8]
    public let stderr: [UInt8]

    public var out: String { String(decoding: stdout, as: UTF8.self) }
    public var err: String { String(decoding: stderr, as: UTF8.self) }
    /// The lines of `stderr`; a carriage return ends a line too.
    public var errorLines: [String] {
        err.split(whereSeparator: { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }).map(String.init)
    }
    public var description: String { "\(exit): \(err.prefix(2000))" }
    public var succeeded: Bool { exit == .code(0) }

    /// Itself when it exited with 0; what it said is the error otherwise.
    @discardableResult
    public func required() throws -> RunResult {
        guard succeeded else { throw TestFailure("\(exit): \(err)") }
        return self
    }
}

/// Runs a program to its end. Never hangs for long: see `ChildProcess.wait`.
public func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:],
    input: [UInt8] = [], directory: String? = nil, timeout: Duration = .seconds(60)
) throws -> RunResult {
    try ChildProcess(
        program, arguments, environment: environment, input: input, directory: directory
    ).wait(timeout: timeout)
}

/// A file descriptor that is closed with its last reference, and by whatever is started.
public final class Descriptor: Sendable {
    public let number: Int32

    init(_ number: Int32) throws {
        guard number >= 0 else { throw TestFailure("no file descriptor: errno \(errno)") }
        self.number = number
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    }

    deinit { close(number) }

    /// A file with no name, holding `content`, read from its start.
    static func unnamedFile(_ content: [UInt8] = []) throws -> Descriptor {
        let parent = TestEnvironment.variable("TMPDIR") ?? "/tmp"
        var template = Array("\(parent)/apus-io.XXXXXX".utf8CString)
        let file = try Descriptor(mkstemp(&template))
        unlink(template)
        var written = 0
        while written < content.count {
            let count = content[written...].withUnsafeBytes {
                write(file.number, $0.baseAddress, $0.count)
            }
            guard count > 0 else { throw TestFailure("cannot write: errno \(errno)") }
            written += count
        }
        lseek(file.number, 0, SEEK_SET)
        return file
    }

    /// All that is in the file, from its start; who writes it goes on where it was.
    func rewound() throws -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = pread(number, &chunk, chunk.count, off_t(all.count))
            guard count >= 0 else { throw TestFailure("cannot read: errno \(errno)") }
            if count == 0 { return all }
            all.append(contentsOf: chunk[..<count])
        }
    }
}

/// Calls `body` with a null-terminated array of C strings.
private func withCStrings<R>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R
) -> R {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies + [nil])
}
