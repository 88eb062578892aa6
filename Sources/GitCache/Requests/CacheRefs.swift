import GitClient
import GitCore
import GitServer
import GitStore
import GitWire
import Synchronization

/// The refs of a repository as upstream shows them to one client: asked for anew for every listing.
final class CacheRefs: RefSource {
    private let cache: CacheCore
    private let address: RepositoryAddress
    private let credentials: ClientCredentials
    private let network: PeerNetwork
    let mirror: Mirror
    private let isGone: @Sendable () -> Bool
    /// What was decided by. What others with the same credentials are shown meanwhile changes nothing.
    private let decisive = Mutex<(shown: ShownByUpstream, refs: AdvertisedRefs)?>(nil)

    init(
        _ cache: CacheCore, _ address: RepositoryAddress, _ credentials: ClientCredentials,
        _ network: PeerNetwork, _ mirror: Mirror, isGone: @escaping @Sendable () -> Bool
    ) {
        self.cache = cache
        self.address = address
        self.credentials = credentials
        self.network = network
        self.mirror = mirror
        self.isGone = isGone
    }

    var hidesObjects: Bool { true }

    /// Whether the refs are those of before upstream went away.
    var isStale: Bool { decisive.withLock { $0 }.map { $0.shown.session == nil } ?? false }

    func listed(_ prefixes: [ByteString]) throws -> ShownRefs {
        try UpstreamFailure.passingOn {
            let found = try cache.refs(address, credentials, prefixes, isGone: isGone)
            decisive.withLock { $0 = found }
            return Self.shown(found.refs, lately: [])
        }
    }

    /// By what upstream showed the client lately, else by what it shows now; and all of that is here then.
    func deciding(on question: WantQuestion) throws -> ShownRefs {
        try UpstreamFailure.passingOn {
            try passingBy {
                let (found, tips) = try decide(on: question)
                decisive.withLock { $0 = found }
                try bring(question, found, tips)
                var shown = Self.shown(found.refs, lately: try here(tips))
                if found.shown.session == nil { shown.notice = Self.staleness }
                return shown
            }
        }
    }

    private func passingBy<Value>(_ body: () throws -> Value) throws -> Value {
        try PassedBy.catching(body) { cache.suspect(mirror, $0) }
    }

    private static let staleness: ByteString =
        "warning: the upstream cannot be reached; this is what it had when it was seen last\n"

    private typealias Found = (shown: ShownByUpstream, refs: AdvertisedRefs)

    private func decide(on question: WantQuestion) throws -> (found: Found, tips: [ObjectID]) {
        let granted = cache.grants.find(address.identity, credentials.identity)
        if let granted, let refs = granted.shown.refs, question.names.isEmpty,
            !question.needsAllRefs || granted.shown.isWhole,
            try covers(refs, granted.tips, question.wants)
        {
            // What it was shown lately is enough.
            return ((granted.shown, refs), granted.tips)
        }
        let found = try cache.refs(address, credentials, [], isGone: isGone)
        let lately = cache.grants.find(address.identity, credentials.identity)?.tips ?? []
        return (found, lately + found.refs.refs.map(\.oid))
    }

    /// Has what is asked for come here. The first clone is fed while its objects arrive: see
    /// ``open(_:isUnwanted:)``.
    private func bring(
        _ question: WantQuestion, _ found: Found, _ tips: [ObjectID]
    ) throws {
        let (wants, refs) = (question.wants, found.refs)
        let current = Set(refs.refs.map(\.oid))
        if question.isPlain, mirror.isEmpty, current.isSuperset(of: wants) { return }
        let known = Set(tips)
        let named = question.names.compactMap { name in
            refs.refs.first { $0.name == name }?.oid
        }
        try inTime(question, found) { isGone in
            try ensure(wants.filter(known.contains) + named, found, isGone)
            // What else is asked for may be behind a branch; else it is seen when all refs are here.
            let others = wants.filter { !known.contains($0) }
            if others.isEmpty { return }
            try ensure(refs.usualTips, found, isGone)
            if try leads(refs, tips, to: others) { return }
            try ensure(Array(current), found, isGone)
        }
    }

    /// A mirror's first fetch is of all there is; who wants a part of it has it from upstream if that goes on
    /// for long. Before the answer there is no way to tell a client that it is worked on.
    private func inTime(
        _ question: WantQuestion, _ found: Found,
        _ body: (_ isGone: @escaping () -> Bool) throws -> Void
    ) throws {
        let offer = found.shown.session?.pack.advertisement
        // Upstream is asked as the cache was, which offers what upstream may not be able to do.
        guard mirror.isEmpty, let offer, offer.version == .v2,
            let features = question.features, offer.capabilities.has("object-format"),
            features.allSatisfy({ offer.capabilities.has(feature: $0, of: "fetch") })
        else { return try body(isGone) }
        let isLate = lateness()
        do { try body { [isGone] in isGone() || isLate() } } catch let error as CacheError {
            guard error.code == .cancelled, !isGone() else { throw error }
            throw PassedBy(cause: nil)
        }
    }

    /// Says, from some time on, that the mirror's first fetch has taken too long.
    private func lateness() -> () -> Bool {
        let deadline = ContinuousClock.now + Self.patience
        return { [mirror] in mirror.isEmpty && ContinuousClock.now >= deadline }
    }

    /// Most repositories have come by then.
    private static let patience: Duration = .seconds(5)

    private func ensure(
        _ wants: [ObjectID], _ found: Found, _ isGone: @escaping () -> Bool
    ) throws {
        try cache.asking(address, credentials) {
            try mirror.ensure(
                wants, with: found.refs.usualTips, shown: found.refs, from: found.shown.session,
                isGone: isGone)
        }
    }

    /// Those that are here, in an order that is always the same.
    private func here(_ tips: [ObjectID]) throws(StoreError) -> [ObjectID] {
        var found: [ObjectID] = []
        for tip in Set(tips).sorted() where try mirror.repository.objects.contains(tip) {
            found.append(tip)
        }
        return found
    }

    /// Whether what the client was shown lately gives it a right to all of these.
    private func covers(
        _ refs: AdvertisedRefs, _ tips: [ObjectID], _ wants: [ObjectID]
    ) throws -> Bool {
        let known = Set(tips)
        let others = wants.filter { !known.contains($0) }
        // Blobs that a partial clone lacks: to list all refs for each of these would be slow.
        return try others.isEmpty || leads(refs, tips, to: others)
    }

    private func leads(
        _ refs: AdvertisedRefs, _ tips: [ObjectID], to wants: [ObjectID]
    ) throws(StoreError) -> Bool {
        try cache.engine.leads(
            Self.shown(refs, lately: here(tips)), to: wants, in: mirror.repository)
    }

    private static func shown(_ refs: AdvertisedRefs, lately: [ObjectID]) -> ShownRefs {
        let head: (target: RefName?, oid: ObjectID?) =
            switch refs.head {
            case .symbolic(let target, let oid): (target, oid)
            case .unborn(let target): (target, nil)
            case .detached(let oid): (nil, oid)
            case .absent: (nil, nil)
            }
        return ShownRefs(
            refs: refs.refs.filter { $0.name != .head }.map { ref in
                RefEntry(
                    name: ref.name, ref: ref.symrefTarget.map { .symbolic($0) } ?? .direct(ref.oid),
                    oid: ref.oid, peeled: ref.peeled)
            }, head: head, lately: lately)
    }
}

extension AdvertisedRefs {
    /// What most clones want. Other refs may be many, of changes that nobody has agreed to.
    fileprivate var usualTips: [ObjectID] {
        refs.filter { ref in
            ref.name == .head || ref.name.bytes.hasPrefix("refs/heads/")
                || ref.name.bytes.hasPrefix("refs/tags/")
        }.map(\.oid)
    }
}

extension CacheRefs: PackSource {
    /// The first pack of a mirror goes on to the client that it is fetched for as it comes. All others are
    /// made of the mirror, a few at a time.
    func open(
        _ pack: PackRequest, isUnwanted: @escaping @Sendable () -> Bool
    ) throws -> OpenPack {
        guard let found = decisive.withLock({ $0 }) else { return OpenPack() }
        return try UpstreamFailure.passingOn {
            try passingBy {
                if let first = try cache.asking(
                    address, credentials,
                    {
                        try mirror.beginFirst(
                            pack, found.refs, found.shown.session, isUnwanted: isUnwanted)
                    })
                {
                    return OpenPack { receiver in
                        try first.send(to: receiver, isUnwanted: isUnwanted)
                    } check: { [cache, mirror] in
                        do { try first.check { cache.isOver } } catch {
                            cache.mirrors.note(
                                "what came for \(mirror.name) is of no use: \(error)")
                            // It may be for what is here.
                            if let error = error as? StoreError { cache.suspect(mirror, error) }
                            throw CacheError(.abandoned, "what was fetched is of no use")
                        }
                    } close: {
                        first.close()
                    }
                }
                return try openMirror(pack, found, isUnwanted)
            }
        }
    }

    /// The pack is made of the mirror, which somebody else fetches, or has fetched.
    private func openMirror(
        _ pack: PackRequest, _ found: Found, _ isUnwanted: @escaping @Sendable () -> Bool
    ) throws -> OpenPack {
        let turn = Mutex<GenerationTurns.Turn?>(nil)
        let prepare = { [self] (isUnwanted: @escaping () -> Bool) in
            try ensure(pack.wants, found, isUnwanted)
            let client = GenerationTurns.Client(network: network, login: credentials.identity)
            let entered = try cache.metrics.measure(.queue) {
                try cache.turns.enter(mirror.name, client, isUnwanted: isUnwanted)
            }
            turn.withLock { $0 = entered }
        }
        let close = { turn.withLock { $0.take() }?.end() }
        let isLate = lateness()
        do { try prepare { isUnwanted() || isLate() } } catch let error as CacheError {
            guard error.code == .cancelled, !isUnwanted() else { throw error }
            return OpenPack(
                wait: { try Refusal.inAnswer { try prepare(isUnwanted) } }, close: { close() })
        }
        return OpenPack(close: { close() })
    }
}
