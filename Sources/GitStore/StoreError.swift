public import GitCore

/// What goes wrong with a repository on disk.
public struct StoreError: Error, Sendable {
    /// What kind of thing went wrong; new codes may come with any version.
    public struct Code: Hashable, Sendable {
        let name: String

        /// A call to the operating system failed; ``StoreError/systemError`` says why.
        public static let system = Code(name: "system")
        /// The object, ref, file or repository is not there.
        public static let notFound = Code(name: "notFound")
        /// Bytes on disk or from a peer do not follow their format.
        public static let corrupt = Code(name: "corrupt")
        /// The name, path or value is not one that may be used.
        public static let invalid = Code(name: "invalid")
        /// Something is there already, or changed since it was looked at, or another holds the lock.
        public static let conflict = Code(name: "conflict")
        /// A limit (``Limits``) was reached.
        public static let limit = Code(name: "limit")
        /// An object carries a SHA-1 collision attack.
        public static let collision = Code(name: "collision")
        /// Well-formed, but not something that this version does.
        public static let unsupported = Code(name: "unsupported")
        /// The caller asked it to stop.
        public static let cancelled = Code(name: "cancelled")
    }

    public let code: Code
    /// One line: what went wrong, and where it helps, what to do. Safe to print.
    public let message: String
    /// The operating system's error number, where ``code`` is ``Code/system``; else 0.
    public let systemError: Int32
    /// What lay beneath, if anything.
    public let cause: (any Error)?

    public init(_ code: Code, _ message: String, systemError: Int32 = 0, cause: (any Error)? = nil)
    {
        self.code = code
        self.message = message
        self.systemError = systemError
        self.cause = cause
    }

    /// A fault that a parser found in `what` (a file, a pack, an object).
    public init(_ what: String, _ fault: ParseError) {
        self.init(.corrupt, "\(what): \(fault)", cause: fault)
    }
}

extension StoreError: CustomStringConvertible {
    public var description: String { message }
}
