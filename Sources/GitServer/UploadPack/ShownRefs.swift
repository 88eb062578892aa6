package import GitCore
package import GitStore
internal import GitWire

/// The refs of a repository as one client sees them: `HEAD`, and all that are not hidden.
package struct ShownRefs: Sendable {
    /// By name, without `HEAD`.
    let refs: [RefEntry]
    /// What `HEAD` leads to, and by which ref; nil for the object where there is none, and for the ref
    /// where it is detached.
    let head: (target: RefName?, oid: ObjectID?)
    let hidden: [RefEntry]
    /// Objects that were shown lately, and may still be asked for.
    private var lately: [ObjectID] = []
    /// What the person is to know of them: a line with its LF.
    package var notice: ByteString?

    /// - Parameters:
    ///   - refs: by name, without `HEAD`.
    ///   - lately: objects that refs held when the client was shown them last.
    package init(
        refs: [RefEntry], head: (target: RefName?, oid: ObjectID?), lately: [ObjectID] = []
    ) {
        self.refs = refs
        self.head = head
        self.lately = lately
        hidden = []
    }

    /// - Parameter prefixes: sorted, and none covers another: of other refs than those that begin with
    ///   one of them nothing is said. None for all refs.
    init(
        _ repository: Repository, _ rules: HiddenRefs, prefixes: [ByteString] = []
    ) throws(StoreError) {
        let isAll = prefixes.isEmpty || prefixes.count > Self.fewPrefixes
        var all = isAll ? try repository.refs.list(prefix: "", peeling: true) : []
        for prefix in isAll ? [] : prefixes {
            all += try repository.refs.list(prefix: prefix, peeling: true)
        }
        if rules.isEmpty {
            refs = all
            hidden = []
        } else {
            refs = all.filter { !rules.contains($0.name.bytes) }
            hidden = all.filter { rules.contains($0.name.bytes) }
        }
        head = try Self.head(repository, rules)
    }

    /// More prefixes than this are not looked up one by one.
    private static let fewPrefixes = 64

    private static func head(
        _ repository: Repository, _ rules: HiddenRefs
    ) throws(StoreError) -> (RefName?, ObjectID?) {
        guard !rules.contains(RefName.head.bytes) else { return (nil, nil) }
        let last: (name: RefName, oid: ObjectID)?
        do throws(StoreError) {
            last = try repository.refs.resolve(.head)
        } catch  where error.code == .corrupt {
            return (nil, nil)
        }
        let target: RefName? =
            if case .symbolic(let name)? = try repository.refs.read(.head) { name } else { nil }
        // A missing object is no tip.
        if let oid = last?.oid, try !repository.objects.contains(oid) { return (target, nil) }
        return (target, last?.oid)
    }

    /// Every object that a shown ref names, once.
    var tips: [ObjectID] {
        var seen: Set<ObjectID> = []
        return ([head.oid].compactMap(\.self) + refs.map(\.oid) + lately)
            .filter { seen.insert($0).inserted }
    }

    func oid(of name: RefName) -> ObjectID? {
        if name == .head { return head.oid }
        let place = refs.partitionPoint { $0.name < name }
        return place < refs.count && refs[place].name == name ? refs[place].oid : nil
    }

    /// The object that a name means which need not be whole (`v1.0`, `heads/main`), as Git looks it up.
    func oid(meantBy name: ByteString) -> ObjectID? {
        for prefix: ByteString in ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"] {
            if let full = RefName(prefix + name), let oid = oid(of: full) { return oid }
        }
        return nil
    }
}
