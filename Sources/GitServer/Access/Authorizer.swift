public import GitCore

/// What somebody wants to do, and who that is.
public struct AccessQuestion: Sendable {
    /// nil where the client has said nothing of who it is.
    public let login: Login?
    /// Whether it has said something that is no login that is known here.
    public let hasBadLogin: Bool
    /// The address of the client.
    public let peer: String
    /// What the repository is called: ``FoundRepository/name``, or, where there is none, the path that was
    /// asked for without `.git`.
    public let repository: ByteString
    /// Whether it is to push; else to fetch.
    public let writes: Bool
}

/// What is answered to an ``AccessQuestion``.
public enum AccessDecision: Hashable, Sendable {
    /// - Parameter user: who it is, for hooks, reflogs and the log; nil for nobody in particular, who sees
    ///   only what ``FoundRepository/isPublic``.
    case allowed(user: ByteString?)
    /// Log in, or better (401).
    case loginNeeded
    /// Not for you (403).
    case forbidden
    /// Come again later (429).
    case tooManyFailures
}

/// Decides who may do what; ``FileAuthorizer`` does it by files.
public protocol Authorizer: Sendable {
    /// Called on a thread that nothing else needs, for every request: it may wait, and many may call at once.
    /// What it throws is told in the log, and refuses the request.
    func decide(_ question: AccessQuestion) throws -> AccessDecision
}
