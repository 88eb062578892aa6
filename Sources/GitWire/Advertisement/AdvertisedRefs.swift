public import GitCore

/// One ref as a server shows it.
public struct AdvertisedRef: Hashable, Sendable {
    public let name: RefName
    public let oid: ObjectID
    /// What the annotated tag ``oid`` points to in the end; nil where ``oid`` is no tag.
    public internal(set) var peeled: ObjectID?
    /// The ref that this one is a symbolic ref to, where the server said so.
    public let symrefTarget: RefName?

    public init(
        name: RefName, oid: ObjectID, peeled: ObjectID? = nil, symrefTarget: RefName? = nil
    ) {
        self.name = name
        self.oid = oid
        self.peeled = peeled
        self.symrefTarget = symrefTarget
    }
}

/// Where a server's HEAD is.
public enum AdvertisedHead: Hashable, Sendable {
    /// A symbolic ref to `name`, which is at `oid`.
    case symbolic(RefName, ObjectID)
    /// At a commit; or the server, speaking version 0, did not say to which branch it points: see
    /// ``AdvertisedRefs/branchAtHead(preferring:)``.
    case detached(ObjectID)
    /// A symbolic ref to a branch that has no commit yet.
    case unborn(RefName)
    /// Not shown: the repository is empty (and the server cannot tell more), the `ref-prefix`es
    /// asked for did not cover it, or it points to nothing.
    case absent
}

/// The refs of a server, from version 0's advertisement or version 2's `ls-refs`.
public struct AdvertisedRefs: Sendable {
    /// In the server's order, which is by name; `HEAD` among them. No name comes twice, no id is
    /// zero.
    public let refs: [AdvertisedRef]
    public let head: AdvertisedHead
    public let objectFormat: ObjectFormat
    /// The first few names that were left out because they are no well-formed ref names. Not safe to
    /// print without ``ByteString/printable``.
    public let skippedNames: [ByteString]
    /// How many refs were left out for that.
    public let skippedCount: Int

    /// Without those whose names begin with one of the prefixes.
    package func leavingOut(_ prefixes: [ByteString]) -> AdvertisedRefs {
        if prefixes.isEmpty { return self }
        // A client may name tens of thousands of them.
        let meant = RefPrefixes(prefixes)
        let isMeant = { (name: RefName) in meant.matches(name.bytes) }
        return AdvertisedRefs(
            refs: refs.filter { !isMeant($0.name) }, head: isMeant(.head) ? .absent : head,
            objectFormat: objectFormat, skippedNames: skippedNames, skippedCount: skippedCount)
    }

    /// With others; where both have a name, as it is here.
    package func adding(_ others: AdvertisedRefs) -> AdvertisedRefs {
        let names = Set(refs.map(\.name))
        return AdvertisedRefs(
            refs: (refs + others.refs.filter { !names.contains($0.name) }).sorted {
                $0.name < $1.name
            },
            head: others.head == .absent ? head : others.head, objectFormat: objectFormat,
            skippedNames: skippedNames, skippedCount: skippedCount)
    }

    /// A branch at the same commit as a detached HEAD: `preferred`, else `refs/heads/master`, else the
    /// first there is. This is Git's guess for servers that do not tell where HEAD points.
    public func branchAtHead(preferring preferred: RefName? = nil) -> RefName? {
        guard case .detached(let oid) = head else { return nil }
        let branches = refs.lazy.filter { $0.oid == oid && $0.name.bytes.hasPrefix("refs/heads/") }
        for favourite in [preferred, RefName.branch("master")] {
            if let favourite, branches.contains(where: { $0.name == favourite }) {
                return favourite
            }
        }
        return branches.first?.name
    }
}

/// Gathers refs line by line, whichever version they come in.
///
/// A ref whose name is not well-formed is skipped, as Git does, and counted: such a name could not be
/// kept, and the rest of the repository can.
struct AdvertisedRefsBuilder {
    let format: ObjectFormat
    private let limits: WireLimits
    private var refs: [AdvertisedRef] = []
    private var isSorted = true
    private var head: AdvertisedHead = .absent
    private var skippedNames: [ByteString] = []
    private var skippedCount = 0
    /// The name on the line before, whether it was skipped or not.
    private var lastName: ArraySlice<UInt8> = []
    private var lastWasSkipped = false

    init(_ format: ObjectFormat, _ limits: WireLimits) {
        self.format = format
        self.limits = limits
    }

    mutating func add(
        _ name: ArraySlice<UInt8>, _ oid: ObjectID, peeled: ObjectID? = nil,
        symrefTarget: (RefName) -> RefName?, on line: WireLine
    ) throws(WireError) {
        guard !oid.isZero else { throw line.malformed("ref with an id of zeros") }
        guard refs.count + skippedCount < limits.refs else {
            throw WireError(.limit, "the server has more than \(limits.refs) refs")
        }
        lastName = name
        guard let name = RefName(ByteString(name)) else { return skip() }
        lastWasSkipped = false
        if let previous = refs.last, name <= previous.name { isSorted = false }
        let target = symrefTarget(name)
        refs.append(AdvertisedRef(name: name, oid: oid, peeled: peeled, symrefTarget: target))
        if name == .head { head = target.map { .symbolic($0, oid) } ?? .detached(oid) }
    }

    /// Version 0's `<oid> <name>^{}`, which follows the line of `name`.
    mutating func peel(
        _ name: ArraySlice<UInt8>, _ oid: ObjectID, on line: WireLine
    ) throws(WireError) {
        guard name == lastName else { throw line.unexpected(" peels no ref") }
        guard !lastWasSkipped else { return }
        guard let last = refs.indices.last, refs[last].peeled == nil else {
            throw line.unexpected(" peels a ref again")
        }
        refs[last].peeled = oid
    }

    mutating func setUnborn(_ target: RefName) {
        if head == .absent { head = .unborn(target) }
    }

    private mutating func skip() {
        lastWasSkipped = true
        skippedCount += 1
        if skippedNames.count < WireLimits.skippedNamesKept {
            skippedNames.append(ByteString(lastName))
        }
    }

    /// - Throws: ``WireError/Code/malformed`` where a name came twice.
    func finish() throws(WireError) -> AdvertisedRefs {
        if !isSorted {
            let names = refs.map(\.name).sorted()
            if let pair = zip(names, names.dropFirst()).first(where: { $0 == $1 }) {
                throw WireError(.malformed, "protocol error: the server shows '\(pair.0)' twice")
            }
        }
        return AdvertisedRefs(
            refs: refs, head: head, objectFormat: format, skippedNames: skippedNames,
            skippedCount: skippedCount)
    }
}

extension AdvertisedRefs {
    /// The same without the refs whose names are not wanted. Where HEAD is stays known.
    public func filtered(_ isWanted: (ByteString) -> Bool) -> AdvertisedRefs {
        AdvertisedRefs(
            refs: refs.filter { isWanted($0.name.bytes) }, head: head, objectFormat: objectFormat,
            skippedNames: skippedNames, skippedCount: skippedCount)
    }
}
