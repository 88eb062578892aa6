import GitCore
import GitServer
import GitStore

/// Admits as many makers of packs as there are processors. The others wait, no more than a number of them:
/// the repository that had its turn longest ago comes next, then the network of those who ask for it, then
/// the client there.
final class GenerationTurns: Sendable {
    /// Who asks. Another login is another client, but in no other network: who makes up logins takes turns
    /// from nobody else. Behind a proxy all are in its network, and told apart by their logins alone.
    struct Client: Hashable {
        let network: PeerNetwork
        let login: ClientIdentity
    }

    private struct Waiting {
        let number: UInt64
        let repository: ByteString
        let client: Client
    }

    private struct State {
        var running = 0
        var waiting: [Waiting] = []
        /// Counts those that came, and those that were let in.
        var arrivals: UInt64 = 0
        var turns: UInt64 = 0
        /// The last turn of each, since nobody was there.
        var repositories: [ByteString: UInt64] = [:]
        var networks: [PeerNetwork: UInt64] = [:]
        var clients: [Client: UInt64] = [:]
        /// Who may come in now.
        var admitted: Set<UInt64> = []
    }

    /// A place; to be given back once.
    struct Turn: Sendable {
        fileprivate let turns: GenerationTurns
        func end() { turns.leave() }
    }

    private let state = Monitor(State())
    private let places: Int
    private let queue: Int
    private let patience: Duration

    /// Milliseconds after which somebody who waits looks for whether to stop.
    private static let interval = 100
    private static let remembered = 10_000
    /// Seconds after which who was refused may come again.
    private static let comeAgain = 10

    /// - Parameters:
    ///   - places: packs that are made at once.
    ///   - queue: requests that wait.
    ///   - patience: how long one waits at most: proxies do not wait much longer.
    init(
        places: Int = max(2, Workers.processorCount), queue: Int = 512,
        patience: Duration = .seconds(45)
    ) {
        self.places = places
        self.queue = queue
        self.patience = patience
    }

    /// How many are at work, and how many wait.
    var load: (running: Int, waiting: Int) { state.change { ($0.running, $0.waiting.count) } }

    /// Waits for a place.
    ///
    /// - Throws: `StatusRefusal` (503) where too many wait, or this one has waited for too long;
    ///   ``CacheError/Code/cancelled``.
    func enter(
        _ repository: ByteString, _ client: Client, isUnwanted: () -> Bool
    ) throws -> Turn {
        let number = state.change { state -> UInt64? in
            guard state.waiting.count < queue else { return nil }
            state.arrivals += 1
            state.waiting.append(
                Waiting(number: state.arrivals, repository: repository, client: client))
            admit(&state)
            return state.arrivals
        }
        guard let number else { throw Self.refusal("too many requests wait") }
        let end = ContinuousClock.now + patience
        while !state.wait(
            milliseconds: Self.interval, until: { $0.admitted.contains(number) })
        {
            let isUnwanted = isUnwanted()
            guard isUnwanted || ContinuousClock.now >= end else { continue }
            if leaveQueue(number) { break }
            if isUnwanted { throw CacheError(.cancelled, "the client is gone") }
            throw Self.refusal("the request has waited for too long")
        }
        state.change { _ = $0.admitted.remove(number) }
        return Turn(turns: self)
    }

    /// True where it is let in already.
    private func leaveQueue(_ number: UInt64) -> Bool {
        state.change { state in
            if state.admitted.contains(number) { return true }
            state.waiting.removeAll { $0.number == number }
            return false
        }
    }

    private func leave() {
        state.change { state in
            state.running -= 1
            admit(&state)
        }
    }

    private func admit(_ state: inout State) {
        while state.running < places, let next = Self.next(state) {
            let one = state.waiting.remove(at: next)
            state.turns += 1
            state.running += 1
            state.repositories[one.repository] = state.turns
            state.networks[one.client.network] = state.turns
            state.clients[one.client] = state.turns
            state.admitted.insert(one.number)
        }
        let isIdle = state.waiting.isEmpty && state.running == 0
        let count = state.repositories.count + state.networks.count + state.clients.count
        guard isIdle || count > Self.remembered else { return }
        state.repositories = [:]
        state.networks = [:]
        state.clients = [:]
    }

    private static func next(_ state: State) -> Int? {
        let rank = { (one: Waiting) in
            (
                state.repositories[one.repository] ?? 0, state.networks[one.client.network] ?? 0,
                state.clients[one.client] ?? 0, one.number
            )
        }
        return state.waiting.indices.min { rank(state.waiting[$0]) < rank(state.waiting[$1]) }
    }

    private static func refusal(_ reason: String) -> StatusRefusal {
        let seconds = comeAgain + Int.random(in: 0 ... comeAgain)
        return StatusRefusal(
            HTTPResponse(
                503, text: "The cache is busy.", headers: [("Retry-After", "\(seconds)")]
            ).uncached, reason: reason)
    }
}
