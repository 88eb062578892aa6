internal import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Slows down who guesses: the more logins from an address have failed lately, the later the next answer.
final class LoginThrottle: Sendable {
    private struct State {
        var failures: [String: (count: Int, last: ContinuousClock.Instant)] = [:]
        var waiting = 0
    }

    private let state = Mutex(State())

    private let first: Int
    private let longest: Int

    /// A failure is forgotten after this.
    private static let memory: Duration = .seconds(300)
    /// Addresses that are remembered.
    private static let capacity = 10_000
    /// Answers that are held back at once, so that they do not take the threads of all others.
    private static let maximumWaiting = 32

    /// - Parameters:
    ///   - first: milliseconds for the first failure, doubled with each.
    ///   - longest: milliseconds at the most.
    init(first: Int = 100, longest: Int = 5_000) {
        self.first = first
        self.longest = longest
    }

    /// Whether a login from there can be looked at now: not while too many are held back and this one
    /// belongs to them.
    func admits(_ peer: String) -> Bool {
        state.withLock { $0.waiting < Self.maximumWaiting || $0.failures[peer] == nil }
    }

    func succeeded(_ peer: String) { state.withLock { $0.failures[peer] = nil } }

    /// Notes a failure, and waits.
    func failed(_ peer: String) {
        let delay = state.withLock { state -> Int in
            let now = ContinuousClock.now
            if state.failures.count >= Self.capacity {
                state.failures = state.failures.filter { now - $0.value.last < Self.memory }
                if state.failures.count >= Self.capacity { state.failures = [:] }
            }
            let old = state.failures[peer].flatMap {
                now - $0.last < Self.memory ? $0.count : nil
            }
            let count = (old ?? 0) + 1
            state.failures[peer] = (count, now)
            guard state.waiting < Self.maximumWaiting else { return 0 }
            state.waiting += 1
            return min(first << min(count - 1, 16), longest)
        }
        guard delay > 0 else { return }
        usleep(UInt32(delay) * 1_000)
        state.withLock { $0.waiting -= 1 }
    }
}
