import GitCore
import GitStore
import GitWire

/// A ref of a server that is fetched.
struct FetchedRef: Sendable {
    /// What FETCH_HEAD says of it.
    enum Merging: Sendable { case merge, notForMerge, unmentioned }

    /// Its name there; an id in hex where that was asked for.
    let source: ByteString
    let oid: ObjectID
    /// The ref here that it is written to.
    let destination: RefName?
    let isForced: Bool
    var merging = Merging.notForMerge
}

/// Which refs of a server a fetch takes, and where they go.
struct FetchPlan: Sendable {
    private(set) var refs: [FetchedRef] = []
    /// Whether tags are taken that point to what is fetched.
    private(set) var followsTags = false
    /// What was passed over. Safe to print.
    private(set) var complaints: [String] = []

    private let server: AdvertisedRefs
    private let local: [RefName: RefEntry]

    /// What is asked for.
    struct Request: Sendable {
        var remote: ConfiguredRemote
        /// Of the command line.
        var refspecs: [Refspec]
        var tags: FetchTags
        /// `branch.<name>.merge` of the branch that HEAD is on, if the remote is that branch's.
        var merges: [ByteString]

        /// Those that say what is fetched, and pruned.
        var effective: [Refspec] { refspecs.isEmpty ? remote.refspecs : refspecs }

        /// The `ref-prefix`es that cover it.
        var prefixes: [ByteString] {
            var prefixes = effective.flatMap(\.prefixes) + merges
            if effective.allSatisfy(\.isNegative) { prefixes.append("HEAD") }
            if prefixes.isEmpty { return [] }
            return prefixes + (tags == .none ? [] : ["refs/tags/"])
        }
    }

    /// - Parameters:
    ///   - local: the refs here, by name.
    ///   - isHere: whether an object is in the repository.
    init(
        _ request: Request, _ server: AdvertisedRefs, _ local: [RefName: RefEntry],
        isHere: (ObjectID) throws(StoreError) -> Bool
    ) throws(ClientError) {
        self.server = server
        self.local = local
        if request.refspecs.isEmpty {
            try addConfigured(request)
        } else {
            for refspec in request.refspecs { try add(refspec) }
            for index in refs.indices { refs[index].merging = .merge }
            followsTags = request.refspecs.contains(where: \.hasDestination)
        }
        var tracked: [FetchedRef] = []
        if !request.refspecs.isEmpty {
            // What is fetched by name is noted where a usual fetch would note it, too.
            for refspec in request.remote.refspecs { tracked += track(refspec, refs) }
        }
        followsTags = followsTags && request.tags == .following
        if request.tags == .all { add(matching: try Refspec("refs/tags/*:refs/tags/*")) }
        if followsTags {
            refs += try storing { () throws(StoreError) in try newTags(isHere: isHere) }
        }
        refs += tracked
        let negative = request.effective.filter(\.isNegative)
        refs.removeAll { ref in negative.contains { $0.matches(ref.source) } }
        try removeDuplicates()
    }

    // MARK: By refspecs

    private mutating func addConfigured(_ request: Request) throws(ClientError) {
        let refspecs = request.remote.refspecs
        guard !refspecs.isEmpty || !request.merges.isEmpty else {
            try add(try Refspec("HEAD"))
            refs = refs.map { ref in
                var ref = ref
                ref.merging = .merge
                return ref
            }
            return
        }
        for (number, refspec) in refspecs.enumerated() {
            try add(refspec)
            if refspec.hasDestination { followsTags = true }
            if number == 0, request.merges.isEmpty, !refspec.isPattern, !refs.isEmpty {
                refs[0].merging = .merge
            }
        }
        for merge in request.merges { try addMerge(merge) }
    }

    private mutating func addMerge(_ name: ByteString) throws(ClientError) {
        let refspec = try Refspec(name)
        let meant = refspec.find(in: server)?.name.bytes ?? name
        var isThere = false
        for index in refs.indices where refs[index].source == meant {
            refs[index].merging = .merge
            isThere = true
        }
        guard !isThere, let ref = refspec.find(in: server) else { return }
        refs.append(
            FetchedRef(
                source: ref.name.bytes, oid: ref.oid, destination: nil, isForced: false,
                merging: .merge))
    }

    private mutating func add(_ refspec: Refspec) throws(ClientError) {
        if refspec.isNegative { return }
        guard !refspec.isPattern else { return add(matching: refspec) }
        let source: (name: ByteString, oid: ObjectID)
        if let oid = refspec.oid {
            source = (refspec.sourceName, oid)
        } else if let ref = refspec.find(in: server) {
            source = (ref.name.bytes, ref.oid)
        } else {
            throw ClientError(
                .notFound, "couldn't find remote ref \(refspec.sourceName.printable)")
        }
        if refspec.hasDestination, refspec.destinationName == nil {
            complaints.append("* Ignoring funny ref for \(refspec.sourceName) locally")
            return
        }
        refs.append(
            FetchedRef(
                source: source.name, oid: source.oid, destination: refspec.destinationName,
                isForced: refspec.isForced))
    }

    private mutating func add(matching refspec: Refspec) {
        for ref in server.refs where refspec.matches(ref.name.bytes) {
            guard let name = refspec.map(ref.name), name.bytes.hasPrefix("refs/") else {
                complaints.append("* Ignoring funny ref for '\(ref.name)' locally")
                continue
            }
            // What points elsewhere here is not made to hold an object.
            if case .symbolic? = local[name]?.ref { continue }
            refs.append(
                FetchedRef(
                    source: ref.name.bytes, oid: ref.oid, destination: name,
                    isForced: refspec.isForced))
        }
    }

    private func track(_ refspec: Refspec, _ refs: [FetchedRef]) -> [FetchedRef] {
        refs.compactMap { ref in
            guard let source = RefName(ref.source), let name = refspec.map(source) else {
                return nil
            }
            if case .symbolic? = local[name]?.ref { return nil }
            return FetchedRef(
                source: ref.source, oid: ref.oid, destination: name, isForced: refspec.isForced,
                merging: .unmentioned)
        }
    }

    private mutating func removeDuplicates() throws(ClientError) {
        var sources: [RefName: ByteString] = [:]
        var kept: [FetchedRef] = []
        for ref in refs {
            guard let name = ref.destination else {
                kept.append(ref)
                continue
            }
            guard let other = sources.updateValue(ref.source, forKey: name) else {
                kept.append(ref)
                continue
            }
            guard other == ref.source else {
                throw ClientError(
                    .invalid,
                    "Cannot fetch both \(other.printable) and \(ref.source.printable) to \(name)")
            }
        }
        refs = kept
    }

    // MARK: Tags

    /// The server's tags that are not here, but what they point to is, or is fetched.
    func newTags(isHere: (ObjectID) throws(StoreError) -> Bool) throws(StoreError) -> [FetchedRef] {
        let fetched = Set(refs.map(\.oid))
        let taken = Set(refs.compactMap(\.destination))
        var tags: [FetchedRef] = []
        for ref in server.refs where ref.name.bytes.hasPrefix("refs/tags/") {
            guard local[ref.name] == nil, !taken.contains(ref.name) else { continue }
            var isWanted = false
            for oid in [ref.oid, ref.peeled].compactMap({ $0 }) where !isWanted {
                isWanted = fetched.contains(oid)
                if !isWanted { isWanted = try isHere(oid) }
            }
            guard isWanted else { continue }
            tags.append(
                FetchedRef(
                    source: ref.name.bytes, oid: ref.oid, destination: ref.name, isForced: false))
        }
        return tags
    }

    /// The refs here that the refspecs wrote and the server does not have any more.
    func stale(_ request: Request) -> [RefEntry] {
        let there = Set(refs.map(\.source))
        let negative = request.effective.filter(\.isNegative)
        return local.values.filter { entry in
            guard case .direct = entry.ref else { return false }
            let sources = request.effective.compactMap { $0.source(of: entry.name) }
                .filter { source in !negative.contains { $0.matches(source) } }
            return !sources.isEmpty && !sources.contains(where: there.contains)
        }
        .sorted { $0.name < $1.name }
    }
}
