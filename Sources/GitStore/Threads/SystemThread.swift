#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A thread outside Swift's cooperative pool, for what computes long or blocks: the pool's threads are
/// few. To be joined or detached, once.
///
/// Signals do not interrupt it: those are for the program's own threads, and the SIGPIPE of a
/// connection or pipe that the other side closed is for nobody.
package struct SystemThread {
    private let handle: pthread_t

    /// Its stack, in bytes. Nothing here recurses by its input.
    private static let stackSize = 1 << 20

    /// Starts a thread that runs `body`.
    ///
    /// - Throws: ``StoreError/Code/system`` where the system has no room for one.
    package init(_ body: @escaping @Sendable () -> Void) throws(StoreError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, Self.stackSize)
        let context = Unmanaged.passRetained(ThreadBody(body))
        #if canImport(Darwin)
            var started: pthread_t?
            let result = pthread_create(
                &started, &attributes, { threadMain($0) }, context.toOpaque())
        #else
            var thread = pthread_t()
            let result = pthread_create(
                &thread, &attributes, { threadMain($0) }, context.toOpaque())
            let started: pthread_t? = thread
        #endif
        guard result == 0, let started else {
            context.release()
            throw StoreError(
                .system, "could not start a thread: \(String(cString: strerror(result)))",
                systemError: result)
        }
        handle = started
    }

    /// Has the thread that calls this, and those that it starts from now on, give way to others. There is no way
    /// back.
    package static func giveWay() {
        #if canImport(Darwin)
            pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0)
        #else
            // On Linux this is of the thread, and not of the process. Where all processors are busy, it gets half
            // of what another one gets.
            #if canImport(Glibc)
                _ = setpriority(.init(PRIO_PROCESS.rawValue), 0, 3)
            #else
                _ = setpriority(PRIO_PROCESS, 0, 3)
            #endif
        #endif
    }

    /// Waits until it has returned.
    package func join() { pthread_join(handle, nil) }

    /// Lets it go on by itself.
    package func detach() { pthread_detach(handle) }
}

/// What a thread is to run, handed over through C's pointer.
private final class ThreadBody {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func threadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, nil)
    // SAFETY: SystemThread's init passed the body, retained.
    Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
