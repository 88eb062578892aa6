import GitClient
import GitCore
import GitServer
import GitStore
import GitWire
import Synchronization

/// What upstream showed a client of a repository's refs.
struct ShownByUpstream: Sendable {
    let session: UploadPack
    /// Nil where only the capabilities were asked for by now.
    var refs: AdvertisedRefs?
    var since = ContinuousClock.now
}

/// What clients were lately shown by upstream. It is their right to fetch what those refs lead to.
final class RefGrants: Sendable {
    private struct Key: Hashable {
        let repository: ByteString
        let client: ClientIdentity
    }

    private struct Grant {
        /// The latest of what it was shown: its requests may have asked for parts.
        var shown: ShownByUpstream
        /// Tips that were shown within the time, each with the last moment: a ref may move on between what a
        /// client was shown and what it asks for.
        var tips: [ObjectID: ContinuousClock.Instant] = [:]
    }

    private let grants = Mutex<[Key: Grant]>([:])
    private let lifetime: Duration

    private static let capacity = 10_000

    /// - Parameter lifetime: for how long an answer of upstream's is a right.
    init(lifetime: Duration) { self.lifetime = lifetime }

    func add(_ shown: ShownByUpstream, _ repository: ByteString, _ client: ClientIdentity) {
        let now = ContinuousClock.now
        let key = Key(repository: repository, client: client)
        grants.withLock { grants in
            var grant = grants[key] ?? Grant(shown: shown)
            let before = grant.shown
            grant.shown = shown
            if shown.refs == nil,
                before.session.advertisement.objectFormat
                    == shown.session.advertisement.objectFormat, now - before.since < lifetime
            {
                // Only what upstream can do was asked: what it showed stands, for as long as it did.
                grant.shown.refs = before.refs
                grant.shown.since = before.since
            }
            grant.tips = grant.tips.filter { now - $0.value < lifetime }
            for ref in shown.refs?.refs ?? [] { grant.tips[ref.oid] = now }
            grants[key] = grant
            guard grants.count > Self.capacity else { return }
            if let oldest = grants.min(by: { $0.value.shown.since < $1.value.shown.since })?.key {
                grants[oldest] = nil
            }
        }
    }

    /// Upstream's last answer to the client, and all tips that it was shown; nil where that is too long ago.
    func find(
        _ repository: ByteString, _ client: ClientIdentity
    ) -> (shown: ShownByUpstream, tips: [ObjectID])? {
        let now = ContinuousClock.now
        let key = Key(repository: repository, client: client)
        return grants.withLock { grants in
            guard let grant = grants[key] else { return nil }
            guard now - grant.shown.since < lifetime else {
                grants[key] = nil
                return nil
            }
            return (grant.shown, grant.tips.filter { now - $0.value < lifetime }.map(\.key))
        }
    }

    /// Upstream refused: what it allowed before is over.
    func remove(_ repository: ByteString, _ client: ClientIdentity) {
        let key = Key(repository: repository, client: client)
        grants.withLock { $0[key] = nil }
    }

    /// Forgets what is no right any more, with the credentials that it was got by.
    func sweep() {
        let now = ContinuousClock.now
        grants.withLock { grants in
            grants = grants.filter { now - $0.value.shown.since < lifetime }
        }
    }

    func removeAll(of repository: ByteString) {
        grants.withLock { grants in
            grants = grants.filter { $0.key.repository != repository }
        }
    }
}
