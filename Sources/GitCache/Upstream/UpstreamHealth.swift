import GitCore
import Synchronization

/// Spares an upstream that is away, or has asked to be spared: until it is time to ask again, clients are told
/// to come back later.
///
/// A host that failed several times in a row is not asked for a while, and then by one request first; each
/// time that fails the while is longer. What a host says with 429 counts for the client that it said it to,
/// what it says with 503 for all.
final class UpstreamHealth: Sendable {
    private struct Host {
        /// Failures with no success after them.
        var failures = 0
        var pause: Duration = UpstreamHealth.firstPause
        var closedUntil: ContinuousClock.Instant?
    }

    private struct Limited: Hashable {
        let host: ByteString
        let client: ClientIdentity
    }

    private struct State {
        var hosts: [ByteString: Host] = [:]
        var limited: [Limited: ContinuousClock.Instant] = [:]
    }

    private let state = Mutex(State())

    /// So many failures in a row close a host.
    static let patience = 5
    private static let firstPause: Duration = .seconds(5)
    private static let longestPause: Duration = .seconds(60)
    /// No longer than this is done what `Retry-After` says.
    private static let longestWait = 300
    private static let capacity = 10_000

    /// Whether the host may be asked now.
    ///
    /// - Throws: ``UpstreamFailure`` that says when to come again.
    func admit(_ host: ByteString, _ client: ClientIdentity) throws(UpstreamFailure) {
        let now = ContinuousClock.now
        try state.withLock { state throws(UpstreamFailure) in
            let key = Limited(host: host, client: client)
            if let end = state.limited[key] {
                if end > now { throw Self.refusal(429, end - now) }
                state.limited[key] = nil
            }
            guard let known = state.hosts[host], let end = known.closedUntil else { return }
            if end > now { throw Self.refusal(503, end - now) }
            // This one tries it; all others wait for what comes of that.
            state.hosts[host]?.closedUntil = now + known.pause
        }
    }

    func succeeded(_ host: ByteString) { state.withLock { $0.hosts[host] = nil } }

    func failed(_ host: ByteString, _ client: ClientIdentity, _ failure: UpstreamFailure) {
        let now = ContinuousClock.now
        let wait = failure.retryAfter.map { Duration.seconds(min($0, Self.longestWait)) }
        state.withLock { state in
            switch failure.status {
            case 429:
                guard let wait else { return }
                state.limited = state.limited.filter { $0.value > now }
                guard state.limited.count < Self.capacity else { return }
                state.limited[Limited(host: host, client: client)] = now + wait
            case 503 where wait != nil:
                state.hosts[host, default: Host()].closedUntil = now + (wait ?? .zero)
            case _ where failure.isOutage:
                var known = state.hosts[host] ?? Host()
                known.failures += 1
                if known.failures >= Self.patience {
                    known.closedUntil = now + known.pause
                    known.pause = min(known.pause * 2, Self.longestPause)
                }
                state.hosts[host] = known
            // It answers.
            default: state.hosts[host] = nil
            }
        }
    }

    /// Those who are sent away do not all come back at once.
    private static func refusal(_ status: Int, _ left: Duration) -> UpstreamFailure {
        let seconds = Int(left.components.seconds) + 1
        let spread = Int.random(in: 0 ... max(2, seconds / 2))
        return UpstreamFailure(
            status: status, headers: [("retry-after", ByteString("\(seconds + spread)"))],
            message: status == 429
                ? "The upstream gets too many requests." : "The upstream cannot be reached.",
            reason: "the upstream is not asked for another \(seconds) s", isOutage: status == 503)
    }
}
