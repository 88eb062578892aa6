import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Standard output, buffered.
///
/// A write that fails is kept and thrown by ``flush()``, which every command ends with; a reader that
/// went away ends the process at once, as SIGPIPE would.
final class Output {
    private var buffer: [UInt8] = []
    private var failure: Failure?
    /// Whether all that is written from now on is lost; ``flush()`` says why.
    var hasFailed: Bool { failure != nil }
    private static let limit = 1 << 16

    init() { buffer.reserveCapacity(Self.limit) }

    func write(_ bytes: [UInt8]) {
        if buffer.count + bytes.count > Self.limit { drain() }
        if bytes.count >= Self.limit {
            bytes.withUnsafeBytes { send($0) }
        } else {
            buffer += bytes
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        if buffer.count + bytes.count > Self.limit { drain() }
        if bytes.count >= Self.limit { send(bytes) } else { buffer.append(contentsOf: bytes) }
    }

    func write(_ text: ByteString) { write(text.bytes) }

    func write(_ text: String) { write(Array(text.utf8)) }

    func line(_ text: String) { write(text + "\n") }

    /// Writes what is buffered.
    ///
    /// Throws what went wrong since the beginning.
    func flush() throws {
        drain()
        if let failure { throw failure }
    }

    private func drain() {
        buffer.withUnsafeBytes { send($0) }
        buffer.removeAll(keepingCapacity: true)
    }

    private func send(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while failure == nil, !rest.isEmpty,
            let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress
        {
            let count = retrying { posixWrite(STDOUT_FILENO, base, rest.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EPIPE {
                dieBySignal(SIGPIPE)
            } else {
                let reason = String(cString: strerror(errno))
                failure = Failure("write failure on standard output: \(reason)")
            }
        }
    }
}

private func posixWrite(_ descriptor: Int32, _ base: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, base, count)
}

/// Writes `text` on standard error, whole; what cannot be written is lost, as there is nobody to tell.
func writeError(_ text: String) { write(text, to: STDERR_FILENO) }

/// Writes to standard output at once: for a command that goes on for long.
func writeOutput(_ text: String) { write(text, to: STDOUT_FILENO) }

private func write(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { bytes in
            retrying { write(descriptor, bytes.baseAddress, bytes.count) }
        }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
    }
}

/// Ends the process as if nobody had handled the signal, so that whoever started it sees why.
func dieBySignal(_ number: Int32) -> Never {
    signal(number, SIG_DFL)
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, number)
    sigprocmask(SIG_UNBLOCK, &set, nil)
    raise(number)
    exit(128 + number)
}
