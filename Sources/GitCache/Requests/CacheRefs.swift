import GitClient
import GitCore
import GitServer
import GitStore
import GitWire

/// The refs of a repository as upstream shows them to one client: asked for anew for every listing.
struct CacheRefs: RefSource {
    let cache: CacheCore
    let address: RepositoryAddress
    let credentials: ClientCredentials
    let mirror: Mirror
    let isGone: @Sendable () -> Bool

    var hidesObjects: Bool { true }

    func listed(_ prefixes: [ByteString]) throws -> ShownRefs {
        Self.shown(try ask(prefixes), lately: [])
    }

    /// By what upstream showed the client lately, else by what it shows now; and all of that is here then.
    func deciding(
        on wants: [ObjectID], _ names: [RefName], isPlain: Bool
    ) throws -> ShownRefs {
        var granted = cache.grants.find(address.identity, credentials.identity)
        let isKnown = granted.map { Set(wants).isSubset(of: $0.tips) } ?? false
        if granted?.shown.refs == nil || !isKnown || !names.isEmpty {
            _ = try ask([])
            granted = cache.grants.find(address.identity, credentials.identity)
        }
        guard let (shown, tips) = granted, let refs = shown.refs else {
            throw CacheError(.cancelled, "what upstream showed is of no use any more")
        }
        let named = names.compactMap { name in refs.refs.first { $0.name == name }?.oid }
        let known = Set(tips)
        // The first clone is fed while its objects arrive: see send(_:to:).
        if !isPlain || !mirror.isEmpty {
            try mirror.ensure(
                wants.filter(known.contains) + named, with: refs.refs.map(\.oid), shown: refs,
                from: shown.session, isGone: isGone)
        }
        let objects = mirror.repository.objects
        return Self.shown(refs, lately: try tips.filter { try objects.contains($0) })
    }

    private func ask(_ prefixes: [ByteString]) throws -> AdvertisedRefs {
        try cache.refs(address, credentials, prefixes, isGone: isGone)
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

extension CacheRefs: PackSource {
    /// The first pack of a mirror goes on to the client that it is fetched for as it comes.
    func send(_ pack: PackRequest, to receiver: PackReceiver) throws -> Bool {
        guard let shown = cache.grants.find(address.identity, credentials.identity)?.shown,
            let refs = shown.refs
        else { throw CacheError(.cancelled, "what upstream showed is of no use any more") }
        if mirror.isEmpty, try mirror.fetchFirst(pack, refs, shown.session, receiver) {
            return true
        }
        // Somebody else was faster.
        try mirror.ensure(
            pack.wants, with: refs.refs.map(\.oid), shown: refs, from: shown.session,
            isGone: isGone)
        return false
    }
}
