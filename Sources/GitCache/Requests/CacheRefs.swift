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
    let mirror: Mirror
    private let isGone: @Sendable () -> Bool
    /// What was decided by. What others with the same credentials are shown meanwhile changes nothing.
    private let decisive = Mutex<(session: UploadPack, refs: AdvertisedRefs)?>(nil)

    init(
        _ cache: CacheCore, _ address: RepositoryAddress, _ credentials: ClientCredentials,
        _ mirror: Mirror, isGone: @escaping @Sendable () -> Bool
    ) {
        self.cache = cache
        self.address = address
        self.credentials = credentials
        self.mirror = mirror
        self.isGone = isGone
    }

    var hidesObjects: Bool { true }

    func listed(_ prefixes: [ByteString]) throws -> ShownRefs {
        Self.shown(try ask(prefixes).refs, lately: [])
    }

    /// By what upstream showed the client lately, else by what it shows now; and all of that is here then.
    func deciding(
        on wants: [ObjectID], _ names: [RefName], isPlain: Bool
    ) throws -> ShownRefs {
        let (shown, tips) = try decide(on: wants, names)
        let refs = shown.refs
        let named = names.compactMap { name in refs.refs.first { $0.name == name }?.oid }
        let current = Set(refs.refs.map(\.oid))
        // The first clone is fed while its objects arrive: see send(_:to:).
        if !isPlain || !mirror.isEmpty || !current.isSuperset(of: wants) {
            let known = Set(tips)
            var needed = wants.filter(known.contains) + named
            // Whether the refs lead to something else is seen when all of them are here.
            if !known.isSuperset(of: wants) { needed += current }
            try UpstreamFailure.passingOn {
                try mirror.ensure(
                    needed, with: refs.usualTips, shown: refs, from: shown.session,
                    isGone: isGone)
            }
        }
        return Self.shown(refs, lately: try here(tips))
    }

    private func decide(
        on wants: [ObjectID], _ names: [RefName]
    ) throws -> (shown: (session: UploadPack, refs: AdvertisedRefs), tips: [ObjectID]) {
        let granted = cache.grants.find(address.identity, credentials.identity)
        if names.isEmpty, let granted, let refs = granted.shown.refs, try covers(granted, wants) {
            // What it was shown lately is enough.
            let shown = (granted.shown.session, refs)
            decisive.withLock { $0 = shown }
            return (shown, granted.tips)
        }
        let shown = try ask([])
        decisive.withLock { $0 = shown }
        let lately = cache.grants.find(address.identity, credentials.identity)?.tips ?? []
        return (shown, lately + shown.refs.refs.map(\.oid))
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
        _ granted: (shown: ShownByUpstream, tips: [ObjectID]), _ wants: [ObjectID]
    ) throws -> Bool {
        guard let refs = granted.shown.refs else { return false }
        let others = wants.filter(Set(wants).subtracting(granted.tips).contains)
        if others.isEmpty { return true }
        // Blobs that a partial clone lacks: to list all refs for each of these would be slow.
        return try cache.engine.leads(
            Self.shown(refs, lately: here(granted.tips)), to: others, in: mirror.repository)
    }

    private func ask(
        _ prefixes: [ByteString]
    ) throws -> (session: UploadPack, refs: AdvertisedRefs) {
        try UpstreamFailure.passingOn {
            try cache.refs(address, credentials, prefixes, isGone: isGone)
        }
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
    /// The first pack of a mirror goes on to the client that it is fetched for as it comes.
    func send(_ pack: PackRequest, to receiver: PackReceiver) throws -> Bool {
        guard let shown = decisive.withLock({ $0 }) else { return false }
        let refs = shown.refs
        if mirror.isEmpty, try mirror.fetchFirst(pack, refs, shown.session, receiver) {
            return true
        }
        // Somebody else was faster.
        try mirror.ensure(
            pack.wants, with: refs.usualTips, shown: refs, from: shown.session,
            isGone: isGone)
        return false
    }
}
