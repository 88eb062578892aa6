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

/// Asks the person at the terminal for one line.
struct TerminalPrompt: Sendable {
    /// The terminal, whatever standard input and output are.
    var device: ByteString = "/dev/tty"

    /// A line longer than this is refused.
    static let maximumLength = 4096

    /// Shows `prompt` and gives the line that was typed, without its end. Without `echo` the terminal
    /// does not show what is typed, and is as it was when this returns, also after a signal.
    ///
    /// Throws ``ClientError/Code/system`` with the system's reason alone as its message.
    func ask(_ prompt: String, echo: Bool) async throws(ClientError) -> ByteString {
        let isCancelled = CancellationFlag()
        return try await DetachedThread.run { () throws(ClientError) in
            try askBlocking(prompt, echo: echo, isCancelled)
        } onCancel: {
            isCancelled.set()
        }
    }

    private func askBlocking(
        _ prompt: String, echo: Bool, _ isCancelled: CancellationFlag
    ) throws(ClientError) -> ByteString {
        try onePromptAtATime.withLock { _ throws(ClientError) in
            let terminal = try open()
            if echo { return try readLine(after: prompt, from: terminal, isCancelled) }
            let silence = Silence(terminal.descriptor)
            defer { silence.end() }
            let line = try readLine(after: prompt, from: terminal, isCancelled)
            // The line end that was typed was not shown either.
            do throws(StoreError) { try terminal.write([UInt8(ascii: "\n")]) } catch {}
            return line
        }
    }

    private func open() throws(ClientError) -> File {
        do throws(StoreError) {
            return try File(device, O_RDWR | O_NOCTTY)
        } catch {
            throw ClientError(.system, String(cString: strerror(error.systemError)))
        }
    }

    private func readLine(
        after prompt: String, from terminal: borrowing File, _ isCancelled: CancellationFlag
    ) throws(ClientError) -> ByteString {
        do throws(StoreError) { try terminal.write(Array(prompt.utf8)) } catch {
            throw ClientError(.system, error.message, cause: error)
        }
        var line: [UInt8] = []
        while true {
            guard let byte = try readByte(from: terminal, isCancelled) else {
                throw ClientError(.system, "end of file")
            }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { return ByteString(line) }
            guard line.count < Self.maximumLength else {
                throw ClientError(.system, "the line is too long")
            }
            line.append(byte)
        }
    }

    /// Nil at the end of the input.
    private func readByte(
        from terminal: borrowing File, _ isCancelled: CancellationFlag
    ) throws(ClientError) -> UInt8? {
        let descriptor = terminal.descriptor
        while true {
            var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&ready, 1, 100)
            if isCancelled.isSet { throw .cancelled }
            if caughtSignal.load(ordering: .relaxed) != 0 { throw .cancelled }
            if count <= 0 { continue }
            var byte: UInt8 = 0
            switch retrying({ read(descriptor, &byte, 1) }) {
            case 1: return byte
            case 0: return nil
            default: throw ClientError(.system, String(cString: strerror(errno)))
            }
        }
    }
}

private let onePromptAtATime = Mutex(())

/// The signal that came while the terminal was silent; 0 for none.
private let caughtSignal = Atomic<Int32>(0)

/// The time in which a terminal does not show what is typed.
///
/// A signal that would end the program is held until the terminal is as it was.
private struct Silence {
    private let descriptor: Int32
    private var settings = termios()
    private var handlers: [(signal: Int32, action: sigaction)] = []

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        caughtSignal.store(0, ordering: .relaxed)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            var old = sigaction()
            guard sigaction(number, nil, &old) == 0 else { continue }
            handlers.append((number, old))
            signal(number) { caughtSignal.store($0, ordering: .relaxed) }
        }
        guard tcgetattr(descriptor, &settings) == 0 else { return }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(descriptor, TCSAFLUSH, &silent)
    }

    func end() {
        var settings = settings
        tcsetattr(descriptor, TCSAFLUSH, &settings)
        for handler in handlers {
            var action = handler.action
            sigaction(handler.signal, &action, nil)
        }
        let caught = caughtSignal.exchange(0, ordering: .relaxed)
        if caught != 0 { kill(getpid(), caught) }
    }
}
