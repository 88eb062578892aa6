internal import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Slows down who guesses: the more logins of one name have failed lately from one network, the later the
/// next answer. Behind a proxy others come from there too, so failures of all names together count only
/// beyond an allowance.
final class LoginThrottle: Sendable {
    private struct State {
        var byName = Tally<Source>()
        var byNetwork = Tally<PeerNetwork>()
        var waiting = 0
    }

    private let state = Mutex(State())

    private let first: Int
    private let longest: Int
    private let allowance: Int

    /// Answers that are held back at once, so that they do not take the threads of all others.
    private static let maximumWaiting = 32

    /// - Parameters:
    ///   - first: milliseconds for the first failure, doubled with each.
    ///   - longest: milliseconds at the most.
    ///   - allowance: failures of a network, whatever the names, before these are counted the same way.
    init(first: Int = 100, longest: Int = 5_000, allowance: Int = 50) {
        self.first = first
        self.longest = longest
        self.allowance = allowance
    }

    /// Whether a login can be looked at now: not while too many are held back and this one belongs to them.
    ///
    /// - Parameter name: empty where the login has none.
    func admits(_ peer: String, _ name: ByteString) -> Bool {
        let source = Source(peer, name)
        return state.withLock { state in
            state.waiting < Self.maximumWaiting
                || state.byName.count(source) == 0
                    && state.byNetwork.count(source.network) <= allowance
        }
    }

    /// Forgets the failures of that name from there, and no others: who has one right login could guess
    /// those of others between.
    func succeeded(_ peer: String, _ name: ByteString) {
        state.withLock { $0.byName.forget(Source(peer, name)) }
    }

    /// Notes a failure, and waits.
    func failed(_ peer: String, _ name: ByteString) {
        let source = Source(peer, name)
        let delay = state.withLock { state -> Int in
            let own = state.byName.add(source)
            let all = state.byNetwork.add(source.network)
            let wait = time(after: max(own, all - allowance))
            guard wait > 0, state.waiting < Self.maximumWaiting else { return 0 }
            state.waiting += 1
            return wait
        }
        guard delay > 0 else { return }
        usleep(UInt32(delay) * 1_000)
        state.withLock { $0.waiting -= 1 }
    }

    /// Names and networks of which failures are kept.
    var remembered: Int { state.withLock { $0.byName.size + $0.byNetwork.size } }

    private func time(after count: Int) -> Int { min(first << min(count - 1, 16), longest) }
}

/// A name in a network. The name is kept as a hash, since a client may send a long one.
private struct Source: Hashable {
    let network: PeerNetwork
    private let name: Int

    init(_ peer: String, _ name: ByteString) {
        network = PeerNetwork(peer)
        self.name = name.hashValue
    }
}

/// How many failures there were lately.
private struct Tally<Key: Hashable> {
    private var failures: [Key: (count: Int, since: ContinuousClock.Instant)] = [:]

    /// So long after the first it is counted anew.
    private static var memory: Duration { .seconds(300) }
    private static var capacity: Int { 10_000 }

    var size: Int { failures.count }

    func count(_ key: Key) -> Int {
        guard let (count, since) = failures[key], .now - since < Self.memory else { return 0 }
        return count
    }

    /// How many there are with this one.
    mutating func add(_ key: Key) -> Int {
        let now = ContinuousClock.now
        if failures.count >= Self.capacity {
            failures = failures.filter { now - $0.value.since < Self.memory }
            if failures.count > Self.capacity / 2 { failures = [:] }
        }
        let before = count(key)
        let since = before == 0 ? now : failures[key]?.since ?? now
        failures[key] = (before + 1, since)
        return before + 1
    }

    mutating func forget(_ key: Key) { failures[key] = nil }
}
