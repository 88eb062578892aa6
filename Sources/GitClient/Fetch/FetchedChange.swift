public import GitCore

/// What became of one ref that was fetched or pruned, as `git fetch` tells it.
public struct FetchedChange: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case upToDate
        case fastForward
        /// Set to what is no descendant of what it held.
        case forced
        /// A tag that was here already, and was something else.
        case tagUpdate
        case newTag, newBranch, newRef
        /// Gone on the server, and so here.
        case deleted
        /// Left as it was, for the reason that is given.
        case rejected(String)
        /// Written to FETCH_HEAD alone: `branch`, `tag`…
        case fetchHead(String)
    }

    public let kind: Kind
    /// What the ref held before; nil for nothing.
    public let old: ObjectID?
    /// What the server has; nil for nothing.
    public let new: ObjectID?
    /// The ref of the server, without `refs/heads/` and the like. Not safe to print.
    public let source: ByteString
    /// The ref here; nil where it is FETCH_HEAD.
    public let destination: RefName?
    /// Whether it could not be written after all.
    public internal(set) var hasFailed = false

    /// Whether the ref is not as the server's.
    public var isError: Bool {
        if case .rejected = kind { return true }
        return hasFailed
    }
}
