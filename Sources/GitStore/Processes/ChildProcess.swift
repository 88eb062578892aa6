internal import CSpawn
package import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// How a program is run: by its arguments, never by a line for a shell.
package struct ProgramCall: Sendable {
    /// The program's path, with a slash in it, and its arguments.
    package var arguments: [ByteString]
    /// The whole environment, `NAME=value` each.
    package var environment: [ByteString]
    package var directory: ByteString
    /// What it is given on its standard input; nil for `/dev/null`.
    package var input: [UInt8]?
    /// How long it may run.
    package var timeout: Duration

    package init(
        _ arguments: [ByteString], environment: [ByteString], directory: ByteString,
        input: [UInt8]? = nil, timeout: Duration
    ) {
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.input = input
        self.timeout = timeout
    }
}

/// How a program ended.
package enum ProgramEnd: Hashable, Sendable {
    case exited(Int32)
    case signalled(Int32)
    /// It ran too long, and was ended.
    case timedOut
}

/// A program that runs, in a process group of its own.
struct ChildProcess: ~Copyable {
    /// Held while a program is started where descriptors cannot be made so that it does not inherit them.
    static let starting = Mutex(())

    let identifier: pid_t
    private var isReaped = false

    /// Starts a program. Its output and errors go to `output`; signals are as a program expects them.
    ///
    /// - Parameter input: its standard input; nil for `/dev/null`.
    init(_ call: ProgramCall, input: Int32?, output: Int32) throws(StoreError) {
        var (pid, code) = try Self.spawn(call.arguments, call, input, output)
        // A script that was written just now may be open for writing still, in a program that another
        // thread was about to start meanwhile.
        for _ in 0 ..< Self.mostAttempts where code == ETXTBSY {
            usleep(10_000)
            (pid, code) = try Self.spawn(call.arguments, call, input, output)
        }
        if code == ENOEXEC {
            // A script that does not say what runs it, which execvp(3) gives to the shell.
            (pid, code) = try Self.spawn(["/bin/sh"] + call.arguments, call, input, output)
        }
        guard code == 0 else {
            throw StoreError(
                .system,
                "cannot run \(call.arguments.first ?? ""): \(String(cString: strerror(code)))",
                systemError: code)
        }
        identifier = pid
    }

    private static let mostAttempts = 100

    private static func spawn(
        _ arguments: [ByteString], _ call: ProgramCall, _ input: Int32?, _ output: Int32
    ) throws(StoreError) -> (pid_t, Int32) {
        guard
            !(arguments + call.environment + [call.directory]).contains(where: {
                $0.bytes.contains(0)
            })
        else { throw StoreError(.invalid, "an argument of a program contains a NUL byte") }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        // Others of this process may have descriptors that they did not mark.
        _ = apus_spawn_add_close(&actions, 3)
        _ = call.directory.withCString { apus_spawn_add_directory(&actions, $0) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD] {
            sigaddset(&signals, signal)
        }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var pid = pid_t()
        let code = withCStrings(arguments) { arguments in
            withCStrings(call.environment) { environment in
                starting.withLock { _ in
                    // SAFETY: there is at least the program's name, and a nil after all.
                    posix_spawn(
                        &pid, arguments[0].unsafelyUnwrapped, &actions, &attributes, arguments,
                        environment)
                }
            }
        }
        return (pid, code)
    }

    /// The texts as an array of C strings that a null pointer ends.
    private static func withCStrings(
        _ texts: [ByteString], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        guard let first = texts.first, !first.isEmpty else { return EINVAL }
        var copies: [UnsafeMutablePointer<CChar>?] = texts.map { $0.withCString { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        if copies.contains(nil) { return ENOMEM }
        copies.append(nil)
        // SAFETY: the array is not empty, so it has a base address.
        return copies.withUnsafeBufferPointer { body($0.baseAddress.unsafelyUnwrapped) }
    }

    /// Sends a signal to the program and to those that it started.
    func signal(_ number: Int32) {
        // Not yet waited for, so the number is still its own.
        if !isReaped { kill(-identifier, number) }
    }

    /// Its status if it has ended; nil while it runs.
    mutating func reap() -> ProgramEnd? {
        var status: Int32 = 0
        guard retrying({ waitpid(identifier, &status, WNOHANG) }) != 0 else { return nil }
        isReaped = true
        return Self.end(status)
    }

    /// The layout of wait(2)'s status, which C tells by macros.
    private static func end(_ status: Int32) -> ProgramEnd {
        let signal = status & 0x7f
        return signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
    }

    deinit {
        guard !isReaped else { return }
        kill(-identifier, SIGKILL)
        var status: Int32 = 0
        _ = retrying { waitpid(identifier, &status, 0) }
    }
}
