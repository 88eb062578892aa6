import GitCore
import GitStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A program that is asked something: a credential helper, or one that asks the person.
///
/// Nothing secret is in its arguments or environment: it gets that on its standard input. Its
/// standard error is the caller's.
struct HelperProgram {
    /// The program, looked up in `PATH`, and its arguments.
    let arguments: [ByteString]

    /// A command line for the shell, as Git's settings hold it.
    init(shell command: ByteString) { arguments = ["sh", "-c", command] }

    init(_ arguments: [ByteString]) { self.arguments = arguments }

    struct Answer: Sendable {
        let output: [UInt8]
        /// It exited with 0, and wrote no more than allowed.
        let isSuccess: Bool
    }

    /// Runs it to its end. Cancelling the task ends the program and throws.
    ///
    /// `input` and the output are at most ``CredentialMessage/maximumSize`` and some, less than a
    /// pipe holds, so neither side waits for the other. Without `wantsOutput` it has none.
    func run(input: [UInt8], wantsOutput: Bool = true) async throws(ClientError) -> Answer {
        let child = Child()
        let arguments = arguments
        let answer = try await DetachedThread.run {
            child.run(arguments, input: input, wantsOutput: wantsOutput)
        } onCancel: {
            child.cancel()
        }
        if Task.isCancelled { throw .cancelled }
        return answer
    }
}

/// The running program.
private final class Child: Sendable {
    private struct State {
        var pid: pid_t?
        var isCancelled = false
    }

    private let state = Mutex(State())

    func cancel() {
        state.withLock { state in
            state.isCancelled = true
            // Not yet waited for, so the number is still its own.
            if let pid = state.pid { kill(pid, SIGTERM) }
        }
    }

    private var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func run(_ arguments: [ByteString], input: [UInt8], wantsOutput: Bool) -> HelperProgram.Answer {
        let failed = HelperProgram.Answer(output: [], isSuccess: false)
        guard let toChild = Pipe(), let fromChild = Pipe() else { return failed }
        let started = state.withLock { state in
            guard !state.isCancelled else { return false }
            state.pid = spawn(
                arguments, input: toChild.reading.descriptor,
                output: wantsOutput ? fromChild.writing.descriptor : nil)
            return state.pid != nil
        }
        guard started else { return failed }
        return converse(toChild, fromChild, input)
    }

    private func converse(
        _ toChild: consuming Pipe, _ fromChild: consuming Pipe, _ input: [UInt8]
    ) -> HelperProgram.Answer {
        let reading = fromChild.closeWriting()
        // A helper that does not read its input is none of our concern.
        do throws(StoreError) { try toChild.closeReading().write(input) } catch {}
        let output = read(reading)
        return HelperProgram.Answer(output: output ?? [], isSuccess: wait() && output != nil)
    }

    /// What the program writes; nil where that is too much, or the caller does not wait. The pipe is
    /// closed then: a program that goes on writing ends.
    private func read(_ pipe: consuming File) -> [UInt8]? {
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            var poll = pollfd(fd: pipe.descriptor, events: Int16(POLLIN), revents: 0)
            let ready = systemPoll(&poll, 1, 100)
            if isCancelled { return nil }
            if ready <= 0 { continue }
            let descriptor = pipe.descriptor
            let count = chunk.withUnsafeMutableBytes { buffer in
                retrying { systemRead(descriptor, buffer.baseAddress, buffer.count) }
            }
            guard count >= 0 else { return nil }
            if count == 0 { return output }
            output += chunk[..<count]
            if output.count > CredentialMessage.maximumSize { return nil }
        }
    }

    /// Waits for its end; whether it exited with 0.
    private func wait() -> Bool {
        guard let pid = state.withLock({ $0.pid }) else { return false }
        var info = siginfo_t()
        let identifier = id_t(truncatingIfNeeded: pid)
        _ = retrying { waitid(P_PID, identifier, &info, WEXITED | WNOWAIT) }
        return state.withLock { state in
            var status: Int32 = -1
            let waited = retrying { waitpid(pid, &status, 0) }
            state.pid = nil
            return waited == pid && status == 0
        }
    }
}

private let startingPrograms = Mutex(())

/// The two ends of a pipe.
private struct Pipe: ~Copyable {
    let reading: File
    let writing: File

    init?() {
        var ends: [Int32] = [-1, -1]
        // A program started in between would inherit the ends and hold them open.
        let isMade = startingPrograms.withLock { _ in
            pipe(&ends) == 0 && ends.allSatisfy { fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }
        }
        guard isMade else { return nil }
        reading = File(adopting: ends[0], path: "a pipe")
        writing = File(adopting: ends[1], path: "a pipe")
    }

    consuming func closeWriting() -> File { reading }
    consuming func closeReading() -> File { writing }
}

/// Starts a program with `input` and `output` as its standard input and output; no output is
/// `/dev/null`. Signals are as a program expects them.
private func spawn(_ arguments: [ByteString], input: Int32, output: Int32?) -> pid_t? {
    #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
    #else
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
    #endif
    guard posix_spawn_file_actions_init(&actions) == 0 else { return nil }
    defer { posix_spawn_file_actions_destroy(&actions) }
    guard posix_spawnattr_init(&attributes) == 0 else { return nil }
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    if let output {
        posix_spawn_file_actions_adddup2(&actions, output, 1)
    } else {
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var defaults = sigset_t()
    sigemptyset(&defaults)
    sigaddset(&defaults, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var texts: [UnsafeMutablePointer<CChar>?] = arguments.map { text in
        text.withCString { strdup($0) }
    }
    defer { for text in texts { free(text) } }
    guard let program = texts.first ?? nil, !texts.contains(nil) else { return nil }
    texts.append(nil)
    var pid = pid_t()
    let code = startingPrograms.withLock { _ in
        posix_spawnp(&pid, program, &actions, &attributes, texts, environ)
    }
    return code == 0 ? pid : nil
}

// The types have methods of these names.
private func systemPoll(_ states: UnsafeMutablePointer<pollfd>, _ count: nfds_t, _ wait: Int32)
    -> Int32
{
    poll(states, count, wait)
}

private func systemRead(_ descriptor: Int32, _ base: UnsafeMutableRawPointer?, _ count: Int) -> Int
{
    read(descriptor, base, count)
}
