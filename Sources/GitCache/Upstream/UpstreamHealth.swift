import GitCore
import Synchronization

/// Spares an upstream that is away, or has asked to be spared: until it is time to ask again, clients are told
/// to come back later.
///
/// A host that was not reached several times in a row is not asked for a while, and then by one request first;
/// each time that fails the while is longer. Any answer shows that it is there, whatever is asked for: 502 may be
/// one repository's trouble, and so may a connection that ends before an answer or in the middle of one,
/// which counts as nothing. What a host says with 429 and `Retry-After` counts for the client that it said it
/// to, what it says with 503 for all.
final class UpstreamHealth: Sendable {
    private struct Host {
        /// How often it was not reached with no answer after that.
        var failures = 0
        var pause: Duration = UpstreamHealth.firstPause
        /// Nobody asks before then.
        var closedUntil: ContinuousClock.Instant?
        /// Whether it asked for that itself, so that answers to what was asked before change nothing.
        var hasAskedForIt = false
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
    /// No longer than this is done what `Retry-After` says, in seconds.
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
            state.hosts[host]?.hasAskedForIt = false
        }
    }

    /// The host answered, whatever it did.
    func answered(
        _ host: ByteString, _ client: ClientIdentity, status: Int, retryAfter: ByteString? = nil
    ) {
        let now = ContinuousClock.now
        let wait = retryAfter.flatMap(UpstreamFailure.seconds).map {
            Duration.seconds(min($0, Self.longestWait))
        }
        state.withLock { state in
            switch (status, wait) {
            case (503, let wait?):
                state.hosts[host, default: Host()].closedUntil = now + wait
                state.hosts[host]?.hasAskedForIt = true
                return
            case (429, let wait?): Self.limit(client, of: host, for: wait, &state, now)
            default: break
            }
            let known = state.hosts[host]
            if known?.hasAskedForIt == true, known?.closedUntil.map({ $0 > now }) == true {
                state.hosts[host]?.failures = 0
            } else {
                state.hosts[host] = nil
            }
        }
    }

    private static func limit(
        _ client: ClientIdentity, of host: ByteString, for wait: Duration, _ state: inout State,
        _ now: ContinuousClock.Instant
    ) {
        state.limited = state.limited.filter { $0.value > now }
        guard state.limited.count < capacity else { return }
        state.limited[Limited(host: host, client: client)] = now + wait
    }

    /// The host was not reached: its name, the connection or TLS failed, or it did not begin to answer.
    func unreached(_ host: ByteString) {
        let now = ContinuousClock.now
        state.withLock { state in
            var known = state.hosts[host] ?? Host()
            known.failures += 1
            if known.failures >= Self.patience {
                known.closedUntil = max(known.closedUntil ?? now, now + known.pause)
                known.pause = min(known.pause * 2, Self.longestPause)
            }
            state.hosts[host] = known
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
