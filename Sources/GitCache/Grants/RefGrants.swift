import GitClient
import GitCore
import GitServer
import GitStore
import GitWire
import Synchronization

/// What upstream showed a client of a repository's refs.
struct ShownByUpstream: Sendable {
    let format: ObjectFormat
    /// With the client's credentials; nil where upstream is away and this is what it showed before.
    let session: UpstreamSession?
    /// Nil where only the capabilities were asked for by now.
    var refs: AdvertisedRefs?
    /// Whether these are all refs.
    var isWhole = true
    var since = ContinuousClock.now
}

/// What clients were lately shown by upstream. It is their right to fetch what those refs lead to.
final class RefGrants: Sendable {
    private struct Key: Hashable {
        let repository: ByteString
        let client: ClientIdentity
    }

    private struct Grant {
        var shown: ShownByUpstream
        /// Tips that were shown within the time, each with the last moment: a ref may move on between what a
        /// client was shown and what it asks for.
        var tips: [ObjectID: ContinuousClock.Instant] = [:]

        /// Refs and tips: what it takes in memory.
        var size: Int { (shown.refs?.refs.count ?? 0) + tips.count }
    }

    /// For how long what upstream showed counts.
    struct Limits: Sendable {
        /// As a right.
        var lifetime: Duration = .seconds(60)
        /// While upstream is away.
        var staleness: Duration = .zero
    }

    private let grants = Mutex<[Key: Grant]>([:])
    private let limits: Mutex<Limits>

    private static let capacity = 10_000
    /// Refs and tips of all grants together, some 200 bytes each. A client can be as many as it likes, by a
    /// cookie that means nothing to upstream.
    private let room: Int

    init(_ limits: Limits, room: Int = 1_000_000) {
        self.limits = Mutex(limits)
        self.room = room
    }

    func setLimits(_ limits: Limits) { self.limits.withLock { $0 = limits } }

    private var lifetime: Duration { limits.withLock { $0.lifetime } }

    /// Adds what a client is shown to what it was shown lately.
    ///
    /// - Parameter prefixes: what was asked for; none for all refs.
    func add(
        _ shown: ShownByUpstream, prefixes: [ByteString] = [], _ repository: ByteString,
        _ client: ClientIdentity
    ) {
        let now = ContinuousClock.now
        let key = Key(repository: repository, client: client)
        let lifetime = lifetime
        grants.withLock { grants in
            var grant = grants[key] ?? Grant(shown: shown)
            let before = grant.shown
            grant.shown = shown
            let isCurrent = before.format == shown.format && now - before.since < lifetime
            if shown.refs == nil, isCurrent {
                // Only what upstream can do was asked: what it showed stands, for as long as it did.
                grant.shown.refs = before.refs
                grant.shown.isWhole = before.isWhole
                grant.shown.since = before.since
            } else if let refs = shown.refs, !prefixes.isEmpty {
                grant.shown.isWhole = false
                let others = before.refs?.leavingOut(prefixes)
                if isCurrent, let others, !others.refs.isEmpty {
                    // All of it counts for as long as the oldest part.
                    grant.shown.refs = refs.adding(others)
                    grant.shown.isWhole = before.isWhole
                    grant.shown.since = before.since
                }
            }
            grant.tips = grant.tips.filter { now - $0.value < lifetime }
            for ref in shown.refs?.refs ?? [] { grant.tips[ref.oid] = now }
            grants[key] = grant
            makeRoom(&grants, for: key)
        }
    }

    /// The oldest go, but never the one that has just come: who had one is asked to prove himself anew.
    private func makeRoom(_ grants: inout [Key: Grant], for new: Key) {
        var size = grants.values.reduce(0) { $0 + $1.size }
        guard grants.count > Self.capacity || size > room else { return }
        var order = grants.filter { $0.key != new }
            .map { (key: $0.key, since: $0.value.shown.since, size: $0.value.size) }
            .sorted { $0.since > $1.since }
        // So many at once that not every one that comes has to look for one to go.
        while grants.count > Self.capacity / 10 * 9 || size > room / 10 * 9,
            let oldest = order.popLast()
        {
            grants[oldest.key] = nil
            size -= oldest.size
        }
    }

    /// What upstream showed the client last, and all tips that it was shown; nil where that is too long ago.
    func find(
        _ repository: ByteString, _ client: ClientIdentity
    ) -> (shown: ShownByUpstream, tips: [ObjectID])? {
        let now = ContinuousClock.now
        let key = Key(repository: repository, client: client)
        let lifetime = lifetime
        return grants.withLock { grants in
            guard let grant = grants[key], grant.shown.session != nil,
                now - grant.shown.since < lifetime
            else { return nil }
            return (grant.shown, grant.tips.filter { now - $0.value < lifetime }.map(\.key))
        }
    }

    /// What upstream showed the client before it went away; nil where that is too long ago. Until upstream
    /// is there again it is no more than that.
    func findStale(_ repository: ByteString, _ client: ClientIdentity) -> ShownByUpstream? {
        let now = ContinuousClock.now
        let key = Key(repository: repository, client: client)
        let staleness = limits.withLock { $0.staleness }
        return grants.withLock { grants in
            guard let known = grants[key]?.shown, known.refs != nil,
                now - known.since < staleness
            else { return nil }
            grants[key] = Grant(shown: known.withoutSession)
            return known.withoutSession
        }
    }

    /// Upstream refused: what it allowed before is over.
    func remove(_ repository: ByteString, _ client: ClientIdentity) {
        let key = Key(repository: repository, client: client)
        grants.withLock { $0[key] = nil }
    }

    /// Forgets what is no right any more, and the credentials that it was got by.
    func sweep() {
        let now = ContinuousClock.now
        let limits = limits.withLock { $0 }
        grants.withLock { grants in
            for (key, grant) in grants where now - grant.shown.since >= limits.lifetime {
                let isOfUse = now - grant.shown.since < limits.staleness
                grants[key] = isOfUse ? Grant(shown: grant.shown.withoutSession) : nil
            }
        }
    }

    /// Removes those for repositories that `isMeant` says so of, by their ``RepositoryAddress/identity``
    /// (``RepositoryAddress/place(identity:)`` is what clients call one).
    func removeAll(where isMeant: (_ repository: ByteString) -> Bool) {
        grants.withLock { grants in grants = grants.filter { !isMeant($0.key.repository) } }
    }
}

extension ShownByUpstream {
    fileprivate var withoutSession: ShownByUpstream {
        ShownByUpstream(
            format: format, session: nil, refs: refs, isWhole: isWhole, since: since)
    }
}
