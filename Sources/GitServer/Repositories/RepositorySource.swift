public import GitCore
public import GitStore

/// A repository for a request.
public struct FoundRepository: Sendable {
    /// Best the same value for every request, as long as its configuration is: what was worked out for one
    /// is then of use for the next.
    public let repository: Repository
    /// What it is called where it is asked who may do what.
    public let name: ByteString
    /// Whether somebody who has not logged in may see it.
    public let isPublic: Bool

    public init(_ repository: Repository, name: ByteString, isPublic: Bool) {
        self.repository = repository
        self.name = name
        self.isPublic = isPublic
    }
}

/// Where repositories come from; ``RepositoryFolder`` has those in a directory.
public protocol RepositorySource: Sendable {
    /// The repository that the path of a URL means; nil where there is none.
    ///
    /// Called on a thread that nothing else needs, for every request: it may wait, and many may call at once.
    /// What it throws is told in the log; the client hears that there is none.
    ///
    /// - Parameter path: the components, decoded: none is empty, `.` or `..`, or holds a slash, a backslash
    ///   or a control character.
    func find(_ path: [ByteString]) throws -> FoundRepository?
}
