import GitCore
import GitStore
import GitWire

/// Chooses what a server is told of the commits that are here, round by round.
final class FetchNegotiator: Sendable {
    // SAFETY: all of it belongs to one task, which waits while a thread makes a step.
    nonisolated(unsafe) private var walk: HaveWalk
    nonisolated(unsafe) private var negotiation = Negotiation()
    nonisolated(unsafe) private var acknowledged: [ObjectID] = []
    nonisolated(unsafe) private(set) var roundCount = 0
    private let cancellation: CancellationFlag

    /// - Parameters:
    ///   - shown: the server's refs.
    ///   - shallow: the commits where the repository's history ends.
    init(
        _ repository: Repository, _ shown: AdvertisedRefs, shallow: Set<ObjectID>
    ) async throws(ClientError) {
        let cancellation = CancellationFlag()
        let shown = Set(shown.refs.map { $0.peeled ?? $0.oid })
        self.cancellation = cancellation
        let begun = try await DetachedThread.store { () throws(StoreError) in
            Begun(
                walk: try HaveWalk(
                    repository.objects, tips: try Self.tips(of: repository), shown: shown,
                    shallow: shallow, cancellation: cancellation))
        } onCancel: {
            cancellation.set()
        }
        walk = begun.walk
    }

    private struct Begun: @unchecked Sendable {
        // SAFETY: on its way from the thread that made it to the one task that uses it.
        let walk: HaveWalk
    }

    private static func tips(of repository: Repository) throws(StoreError) -> [ObjectID] {
        var tips = Set(try repository.refs.list(prefix: "", peeling: false).map(\.oid))
        if let head = try? repository.refs.resolve(.head) { tips.insert(head.oid) }
        return tips.sorted()
    }

    /// What the next request tells.
    func nextRound() async throws(ClientError) -> Negotiation.Round {
        roundCount += 1
        return try await DetachedThread.store { [self] () throws(StoreError) in
            try step()
        } onCancel: {
            cancellation.set()
        }
    }

    private func step() throws(StoreError) -> Negotiation.Round {
        for oid in acknowledged {
            negotiation.acknowledge(oid)
            try walk.acknowledge(oid)
        }
        acknowledged = []
        let round = negotiation.nextRound(&walk)
        try walk.check()
        return round
    }

    /// Takes note of what the server says to a round.
    func note(_ event: FetchEvent) {
        switch event {
        case .common(let oid): acknowledged.append(oid)
        case .ready: negotiation.end()
        default: break
        }
    }
}
