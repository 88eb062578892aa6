public import GitCore

/// Checks a repository (git-fsck): that its packs and loose objects hold what their names say, that
/// objects follow Git's rules, and that everything which refs lead to is there.
public struct RepositoryCheck: Sendable {
    /// Makes warnings errors, and refuses group-writable modes.
    public var isStrict = false
    /// Looks into packs and the stores that are borrowed from.
    public var isFull = true
    /// Leaves the content of blobs, packs and loose files unchecked.
    public var checksOnlyConnectivity = false
    public var findsUnreachable = false
    public var findsDangling = true
    public var findsRoots = false
    public var findsTags = false
    /// Whether what reflogs name counts as reachable.
    public var usesReflogs = true
    /// Objects to begin from beside refs and reflogs: those of the index.
    public var extraRoots: [(oid: ObjectID, kind: ObjectKind)] = []
    /// Trees that the index remembers: to begin from too, and wrong where they are missing.
    public var cachedTrees: [ObjectID] = []
    /// Objects to begin from in place of refs and reflogs.
    public var heads: [ObjectID]?

    public init() {}

    /// Checks `repository`; tells of everything that is found.
    public func run(
        on repository: Repository, reporting report: @escaping (RepositoryFinding) -> Void
    ) throws(StoreError) -> RepositoryVerdict {
        var run = try CheckRun(self, repository, report)
        if !checksOnlyConnectivity { try run.checkStores() }
        try run.begin()
        try run.walk()
        try run.visitRest()
        try run.checkSubmodules()
        run.tell()
        return run.verdict
    }
}
