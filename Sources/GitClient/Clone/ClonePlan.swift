import GitCore
import GitStore
import GitWire

/// Which of a server's refs a clone takes, under which names, and where its HEAD goes.
struct ClonePlan: Sendable {
    enum Head: Sendable {
        /// A branch of the server, which becomes one here.
        case branch(RefName, ObjectID)
        /// A tag, or a server's HEAD that is on no branch.
        case detached(ObjectID)
        /// A branch that is not there yet.
        case unborn(RefName)
    }

    /// What packed-refs is to hold, not peeled yet.
    private(set) var refs: [PackedRef] = []
    /// The ids to ask for.
    private(set) var wants: [ObjectID] = []
    let head: Head
    /// The remote-tracking ref that `refs/remotes/<origin>/HEAD` is to point to.
    private(set) var remoteHead: RefName?
    /// The server's tags, of which those that came along are kept, where not all are asked for.
    private(set) var followedTags: [PackedRef] = []
    /// The value of `remote.<origin>.fetch`.
    private(set) var fetchRefspec: ByteString?
    /// Whether the server has no refs at all.
    let isEmpty: Bool

    private let options: CloneOptions
    private let origin: ByteString

    /// - Parameters:
    ///   - defaultBranch: init.defaultBranch.
    ///   - further: what the settings of the clone take beside the rest.
    init(
        _ server: AdvertisedRefs, _ options: CloneOptions, origin: ByteString,
        defaultBranch: RefName, further: [Refspec]
    ) throws(ClientError) {
        self.options = options
        self.origin = origin
        let servers = Self.headBranch(server, defaultBranch)
        isEmpty = !server.refs.contains { $0.name != .head }
        head = try Self.head(server, options, servers, defaultBranch, origin)
        fetchRefspec = try refspec(servers)
        let single = options.singleBranch && !options.mirror ? try singleRef(servers) : nil
        try mapRefs(server, only: single)
        addRefs(server, further)
        remoteHead = options.isBare ? nil : remoteHead(servers)
        let all = refs.map(\.oid) + [head.oid].compactMap { $0 }
        var seen: Set<ObjectID> = []
        wants = all.filter { seen.insert($0).inserted }
    }

    /// The branch that the server's HEAD is on, or seems to be.
    private static func headBranch(_ server: AdvertisedRefs, _ defaultBranch: RefName) -> RefName? {
        if case .symbolic(let name, _) = server.head { return name }
        return server.branchAtHead(preferring: defaultBranch)
    }

    private static func head(
        _ server: AdvertisedRefs, _ options: CloneOptions, _ serverBranch: RefName?,
        _ defaultBranch: RefName, _ origin: ByteString
    ) throws(ClientError) -> Head {
        func oid(_ name: RefName?) -> ObjectID? {
            server.refs.first { $0.name == name }?.oid
        }
        if let wanted = options.branch {
            if let name = RefName.branch(wanted), let oid = oid(name) { return .branch(name, oid) }
            if let tag = server.refs.first(where: { $0.name == RefName("refs/tags/" + wanted) }) {
                return .detached(tag.peeled ?? tag.oid)
            }
            throw ClientError(
                .notFound,
                "Remote branch \(wanted.printable) not found in upstream \(origin.printable)")
        }
        if let serverBranch, let oid = oid(serverBranch) {
            return serverBranch.bytes.hasPrefix("refs/heads/")
                ? .branch(serverBranch, oid) : .detached(oid)
        }
        switch server.head {
        case .symbolic(_, let oid), .detached(let oid): return .detached(oid)
        case .unborn(let name) where name.bytes.hasPrefix("refs/heads/"): return .unborn(name)
        case .unborn, .absent:
            if let oid = oid(defaultBranch) { return .branch(defaultBranch, oid) }
            return .unborn(defaultBranch)
        }
    }

    // MARK: Refs

    /// The one ref that `--single-branch` takes; nil where HEAD is on none.
    private func singleRef(_ serverBranch: RefName?) throws(ClientError) -> RefName? {
        guard let wanted = options.branch else { return serverBranch }
        if case .branch(let name, _) = head { return name }
        return RefName("refs/tags/" + wanted)
    }

    private mutating func mapRefs(_ server: AdvertisedRefs, only: RefName?) throws(ClientError) {
        let takesAll = options.mirror || !options.singleBranch
        for ref in server.refs where ref.name != .head {
            let isTag = ref.name.bytes.hasPrefix("refs/tags/")
            guard let name = localName(ref.name) else { continue }
            let packed = PackedRef(name: name, oid: ref.oid, peeled: nil)
            if ref.name == only {
                refs.append(packed)
            } else if takesAll, !isTag || options.tags || options.mirror {
                refs.append(packed)
            } else if !takesAll, isTag, options.tags {
                followedTags.append(packed)
            }
        }
    }

    private mutating func addRefs(_ server: AdvertisedRefs, _ further: [Refspec]) {
        guard !further.isEmpty else { return }
        var taken = Set(refs.map(\.name))
        for ref in server.refs {
            for name in further.compactMap({ $0.map(ref.name) }) where taken.insert(name).inserted {
                refs.append(PackedRef(name: name, oid: ref.oid, peeled: nil))
            }
        }
    }

    /// The name that a ref of the server has here; nil for one that is not taken.
    private func localName(_ name: RefName) -> RefName? {
        if options.mirror || name.bytes.hasPrefix("refs/tags/") { return name }
        guard name.bytes.hasPrefix("refs/heads/") else { return nil }
        return options.bare ? name : trackingName(name.short)
    }

    private func trackingName(_ branch: ByteString) -> RefName? {
        RefName("refs/remotes/" + origin / branch)
    }

    private func remoteHead(_ serverBranch: RefName?) -> RefName? {
        // origin/HEAD must not come to point to itself.
        guard let serverBranch, serverBranch.short != "HEAD", let name = localName(serverBranch),
            refs.contains(where: { $0.name == name })
        else { return nil }
        return name
    }

    private func refspec(_ serverBranch: RefName?) throws(ClientError) -> ByteString? {
        if options.mirror { return "+refs/*:refs/*" }
        if options.bare { return nil }
        guard options.singleBranch else {
            return "+refs/heads/*:refs/remotes/" + origin / "*"
        }
        guard let name = try singleRef(serverBranch) else { return nil }
        guard name.bytes.hasPrefix("refs/heads/") else {
            return "+" + name.bytes + ":" + name.bytes
        }
        return "+" + name.bytes + ":refs/remotes/" + origin / name.short
    }

    /// The `ref-prefix`es that cover all this.
    static func prefixes(_ options: CloneOptions, _ further: [Refspec]) -> [ByteString] {
        if options.mirror { return ["HEAD", "refs/"] }
        // `--branch` may name a tag; and the tags that follow are known by their names.
        return ["HEAD", "refs/heads/"] + further.flatMap(\.prefixes)
            + (options.tags || options.branch != nil ? ["refs/tags/"] : [])
    }
}

extension ClonePlan.Head {
    var oid: ObjectID? {
        switch self {
        case .branch(_, let oid), .detached(let oid): oid
        case .unborn: nil
        }
    }
}
