public import GitCore

/// What a check of a repository finds, in the order in which it does.
public enum RepositoryFinding: Sendable {
    /// Content against Git's rules.
    case fault(ObjectID, ObjectKind, ObjectFault)
    /// An object, pack, ref or reflog that cannot be used, and why.
    case unusable(String)
    /// What points to a missing object, and that object.
    case brokenLink(from: ObjectID, ObjectKind, to: ObjectID, ObjectKind)
    /// An object that something reachable points to.
    case missing(ObjectID, ObjectKind)
    /// An object that nothing points to.
    case dangling(ObjectID, ObjectKind)
    /// An object that no root leads to.
    case unreachable(ObjectID, ObjectKind)
    /// A commit without parents.
    case root(ObjectID)
    case tagged(ObjectID, ObjectKind, name: ByteString, by: ObjectID)
    /// HEAD names a branch that is not there.
    case unbornHead(RefName)
    /// There is no ref to begin from.
    case noRefs
}

/// What kinds of fault were found: the exit status of `git fsck` is made of them.
public struct RepositoryVerdict: OptionSet, Hashable, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// An object is malformed or cannot be read.
    public static let objects = RepositoryVerdict(rawValue: 1)
    /// Something reachable is missing.
    public static let connectivity = RepositoryVerdict(rawValue: 2)
    /// A pack or its index is damaged.
    public static let packs = RepositoryVerdict(rawValue: 4)
    /// A branch leads to something other than a commit.
    public static let refs = RepositoryVerdict(rawValue: 8)
}
