import GitStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// What the handler may touch: a plain number, set before the handler is.
nonisolated(unsafe) private var handlerPipe: Int32 = -1

/// Catches the signals that ask a process to end, so that it can clean up first. For the whole process,
/// once.
final class SignalWatch: Sendable {
    private let first = Atomic<Int32>(0)

    /// The first signal that came; nil if none has.
    var caught: Int32? {
        let number = first.load(ordering: .acquiring)
        return number == 0 ? nil : number
    }

    /// - Parameter onSignal: called with the signal's number on a thread of its own, once a signal.
    init(_ onSignal: @escaping @Sendable (Int32) -> Void) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        handlerPipe = ends[1]
        let reader = ends[0]
        let thread = try? SystemThread { [self] in
            var number: UInt8 = 0
            while retrying({ read(reader, &number, 1) }) == 1 {
                _ = first.compareExchange(
                    expected: 0, desired: Int32(number), ordering: .acquiringAndReleasing)
                onSignal(Int32(number))
            }
        }
        // Where nobody would hear of them, signals end the process as ever.
        guard let thread else { return }
        thread.detach()
        for number in [SIGINT, SIGTERM, SIGHUP] { Self.catchSignal(number) }
    }

    /// A signal that whoever started the process wants ignored (nohup) stays ignored.
    private static func catchSignal(_ number: Int32) {
        let old = signal(number) { number in
            // write(2) may be called from a handler; errno is put back.
            let saved = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = write(handlerPipe, &byte, 1)
            errno = saved
        }
        if unsafeBitCast(old, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
            signal(number, SIG_IGN)
        }
    }
}

/// Told once, on any thread.
final class Ended: Sendable {
    private let isTold = Monitor(false)

    /// Says whether it was the first time.
    @discardableResult
    func tell() -> Bool {
        isTold.change { isTold in
            defer { isTold = true }
            return !isTold
        }
    }

    func wait() { isTold.wait { $0 ? () : nil } }
}
