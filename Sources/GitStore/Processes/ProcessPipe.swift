internal import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The two ends of a pipe, neither of which a program that is started inherits.
struct ProcessPipe: ~Copyable {
    let reading: File
    let writing: File

    init() throws(StoreError) {
        var ends: [Int32] = [-1, -1]
        // A program started in between would inherit the ends and hold them open.
        let result: Int32 = ChildProcess.starting.withLock { _ in
            pipe(&ends) == 0 && ends.allSatisfy { fcntl($0, F_SETFD, FD_CLOEXEC) == 0 } ? 0 : -1
        }
        guard result == 0 else { throw .system("make", "a pipe") }
        reading = File(adopting: ends[0], path: "a pipe")
        writing = File(adopting: ends[1], path: "a pipe")
    }

    consuming func closeWriting() -> File { reading }
    consuming func closeReading() -> File { writing }
}

extension File {
    /// Makes reads and writes return at once where they would wait.
    func setNonBlocking() throws(StoreError) {
        guard fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0 else {
            throw .system("set up", path)
        }
    }
}

/// Runs `body` so that writing to a pipe which nobody reads any more fails, and ends nothing.
func withoutPipeSignal<Result>(_ body: () -> Result) -> Result {
    var pipe = sigset_t()
    sigemptyset(&pipe)
    sigaddset(&pipe, SIGPIPE)
    var pending = sigset_t()
    sigpending(&pending)
    let wasPending = sigismember(&pending, SIGPIPE) == 1
    var old = sigset_t()
    pthread_sigmask(SIG_BLOCK, &pipe, &old)
    let result = body()
    let number = errno
    if !wasPending {
        sigpending(&pending)
        if sigismember(&pending, SIGPIPE) == 1 {
            var taken: Int32 = 0
            sigwait(&pipe, &taken)
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, nil)
    errno = number
    return result
}
