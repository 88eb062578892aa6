import GitClient
import GitWire
import Synchronization

extension WireLimits {
    /// What upstream may say of its refs. A listing takes three times its bytes of memory, and each client may
    /// cause some: a person's own client can take more.
    static let ofListings: WireLimits = {
        var limits = WireLimits()
        limits.refs = 1 << 19
        limits.advertisementBytes = 64 << 20
        return limits
    }()
}

/// Has few large listings of upstreams be read at once; all others wait in the middle, with what has come of them
/// by then.
final class LargeListings: Sendable {
    struct Limits: Sendable {
        /// So many bytes are read without a turn.
        var smallSize = 4 << 20
        var mostAtOnce = 2
        /// For so long others wait for a turn.
        var patience: Duration = .seconds(45)
        /// For so long one may have a turn while others wait.
        var longestTurn: Duration = .seconds(60)
    }

    private struct State {
        var running = 0
        var waiting = 0
    }

    private let limits: Limits
    private let state = Mutex(State())
    private static let interval: Duration = .milliseconds(20)

    init(_ limits: Limits = Limits()) { self.limits = limits }

    /// Watches one listing for as long as it is held.
    func watch() -> UploadPack.ListingWatch {
        let turn = Turn(self)
        return { count throws(ClientError) in try await turn.read(count) }
    }

    private func enter() -> Bool {
        state.withLock { state in
            guard state.running < limits.mostAtOnce else { return false }
            state.running += 1
            return true
        }
    }

    private func leave() { state.withLock { $0.running -= 1 } }

    private func wait() async throws(ClientError) {
        let end = ContinuousClock.now + limits.patience
        state.withLock { $0.waiting += 1 }
        defer { state.withLock { $0.waiting -= 1 } }
        while !enter() {
            guard ContinuousClock.now < end else {
                throw Self.failure(
                    "others of more than \(limits.smallSize) bytes took too long")
            }
            do { try await Task.sleep(for: Self.interval) } catch {
                throw ClientError(.cancelled, "cancelled")
            }
        }
    }

    private static func failure(_ message: String) -> ClientError {
        ClientError(.limit, message, cause: WireError(.limit, message))
    }

    private final class Turn: Sendable {
        private struct State {
            var size = 0
            /// Since when it has a turn.
            var since: ContinuousClock.Instant?
        }

        private let listings: LargeListings
        private let state = Mutex(State())

        init(_ listings: LargeListings) { self.listings = listings }

        deinit { if state.withLock({ $0.since != nil }) { listings.leave() } }

        func read(_ count: Int) async throws(ClientError) {
            let limits = listings.limits
            let (size, since) = state.withLock { state in
                let (sum, overflows) = state.size.addingReportingOverflow(count)
                state.size = overflows ? .max : sum
                return (state.size, state.since)
            }
            if let since {
                let isTooLong = ContinuousClock.now - since > limits.longestTurn
                if isTooLong, listings.state.withLock({ $0.waiting > 0 }) {
                    throw LargeListings.failure(
                        "it has more than \(limits.smallSize) bytes, and took too long")
                }
            } else if size > limits.smallSize {
                try await listings.wait()
                state.withLock { $0.since = .now }
            }
        }
    }
}
