#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Several threads that do one work.
package struct Workers: ~Copyable {
    private var threads: [SystemThread] = []

    /// Starts `count` threads that run `body` with their number; where the system refuses a thread,
    /// those that could be started do the work.
    ///
    /// - Throws: ``StoreError/Code/system`` where not one could be started.
    package init(
        _ count: Int, _ body: @escaping @Sendable (Int) -> Void
    ) throws(StoreError) {
        for index in 0 ..< max(1, count) {
            do throws(StoreError) {
                threads.append(try SystemThread { body(index) })
            } catch {
                if threads.isEmpty { throw error }
                break
            }
        }
    }

    /// Waits until all have returned.
    package consuming func join() {
        for thread in threads { thread.join() }
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
