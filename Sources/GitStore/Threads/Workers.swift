#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Threads of this module's own: work on packs takes seconds of pure computation and must not occupy
/// Swift's cooperative pool.
package struct Workers: ~Copyable {
    private var threads: [pthread_t] = []

    /// Starts `count` threads that run `body` with their number; where the system refuses a thread,
    /// those that could be started do the work.
    ///
    /// - Throws: ``StoreError/Code/system`` where not one could be started.
    package init(
        _ count: Int, _ body: @escaping @Sendable (Int) -> Void
    ) throws(StoreError) {
        for index in 0 ..< max(1, count) {
            do throws(StoreError) {
                threads.append(try startThread { body(index) })
            } catch {
                if threads.isEmpty { throw error }
                break
            }
        }
    }

    /// Waits until all have returned.
    package consuming func join() {
        for thread in threads { pthread_join(thread, nil) }
    }

    /// Runs `body` on `count` threads, this one included, and waits for all. Where the system refuses
    /// threads there are fewer, but always `body(0)`.
    package static func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        guard count > 1, let others = try? Workers(count - 1, { body($0 + 1) }) else {
            return body(0)
        }
        body(0)
        others.join()
    }

    /// The processors that this process may use.
    package static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}

/// What a thread is to run, handed over through C's pointer.
private final class ThreadBody {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Stack of a worker, in bytes. Nothing in this module recurses by its input.
private let workerStackSize = 1 << 20

private func startThread(_ run: @escaping @Sendable () -> Void) throws(StoreError) -> pthread_t {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, workerStackSize)
    let body = Unmanaged.passRetained(ThreadBody(run))
    #if canImport(Darwin)
        var thread: pthread_t?
        let result = pthread_create(&thread, &attributes, { runThread($0) }, body.toOpaque())
    #else
        var thread = pthread_t()
        let result = pthread_create(&thread, &attributes, { runThread($0) }, body.toOpaque())
    #endif
    guard result == 0 else {
        body.release()
        throw StoreError(
            .system, "could not start a thread: \(String(cString: strerror(result)))",
            systemError: result)
    }
    return thread
}

private func runThread(_ body: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let body { Unmanaged<ThreadBody>.fromOpaque(body).takeRetainedValue().run() }
    return nil
}
