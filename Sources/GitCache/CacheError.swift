package import GitStore

/// What goes wrong with a cache itself; what goes wrong with a request is told to its client.
public struct CacheError: Error, Sendable {
    /// What kind of thing went wrong; new codes may come with any version.
    public struct Code: Hashable, Sendable {
        let name: String

        /// A setting has a value that cannot be used.
        public static let invalid = Code(name: "invalid")
        /// Another process has the cache's folder.
        public static let locked = Code(name: "locked")
        /// A file of the cache's own failed: ``CacheError/cause`` is a `StoreError`.
        public static let store = Code(name: "store")
        /// The database of what is kept failed.
        public static let database = Code(name: "database")
        /// Nothing is kept of that repository, or there is no cache in that folder.
        package static let unknown = Code(name: "unknown")
        /// Something that was kept was found damaged.
        package static let damaged = Code(name: "damaged")
        /// What answers for a running cache did not do what it was asked for.
        package static let refused = Code(name: "refused")
        /// The caller asked it to stop.
        package static let cancelled = Code(name: "cancelled")
        /// The answer that was being followed ended without its end: ``CacheError/cause`` says why.
        package static let abandoned = Code(name: "abandoned")
        /// As ``abandoned`` or ``tooSlow``, but not one byte was read: the same can be asked again.
        package static let again = Code(name: "again")
        /// A reader held up an answer that could not be kept on disk, and was left behind.
        package static let tooSlow = Code(name: "tooSlow")
    }

    public let code: Code
    /// One line: what went wrong. Safe to print.
    public let message: String
    /// What lay beneath, if anything.
    public let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package init(_ cause: StoreError) { self.init(.store, cause.message, cause: cause) }
}

extension CacheError: CustomStringConvertible {
    public var description: String { message }
}
