public import GitCore
public import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What goes wrong with the index or the work tree.
public struct WorktreeError: Error, Sendable {
    /// What kind of thing went wrong; new codes may come with any version.
    public struct Code: Hashable, Sendable {
        let name: String

        /// A call to the operating system failed; ``WorktreeError/systemError`` says why.
        public static let system = Code(name: "system")
        /// The file, entry or object is not there.
        public static let notFound = Code(name: "notFound")
        /// The index, a tree or another object does not follow its format.
        public static let corrupt = Code(name: "corrupt")
        /// A path that must not be in a work tree (``PathRules``).
        public static let unsafePath = Code(name: "unsafePath")
        /// Something stands where something else should go, or another holds the lock.
        public static let conflict = Code(name: "conflict")
        /// A limit (``WorktreeLimits``) was reached.
        public static let limit = Code(name: "limit")
        /// An option or a value of the configuration that has no meaning here.
        public static let invalid = Code(name: "invalid")
        /// Well-formed, but not something that this version does.
        public static let unsupported = Code(name: "unsupported")
        /// The caller asked it to stop.
        public static let cancelled = Code(name: "cancelled")
    }

    public let code: Code
    /// One line: what went wrong, and where it helps, what to do. Safe to print.
    public let message: String
    /// The operating system's error number, where there is one; else 0.
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

    /// A fault that a parser found in `what` (a tree, the index).
    public init(_ what: String, _ fault: ParseError) {
        self.init(.corrupt, "\(what): \(fault)", cause: fault)
    }

    /// A failure of the store beneath, met with `path`.
    public init(_ error: StoreError, path: ByteString? = nil) {
        let code: Code =
            switch error.code {
            case .system: .system
            case .notFound: .notFound
            case .conflict: .conflict
            case .limit: .limit
            case .invalid: .invalid
            case .unsupported: .unsupported
            case .cancelled: .cancelled
            default: .corrupt
            }
        let place = path.map { "'\($0)': " } ?? ""
        self.init(code, place + error.message, systemError: error.systemError, cause: error)
    }
}

extension WorktreeError: CustomStringConvertible {
    public var description: String { message }
}

extension WorktreeError {
    /// The failure that `errno` tells of, of `operation` on `path`.
    static func system(_ operation: String, _ path: ByteString) -> WorktreeError {
        let number = errno
        return WorktreeError(
            number == ENOENT ? .notFound : .system,
            "could not \(operation) '\(path)': \(String(cString: strerror(number)))",
            systemError: number)
    }
}

/// Runs `body`, whose store errors become ``WorktreeError``s that name `path`.
func storing<Result: ~Copyable>(
    _ path: ByteString? = nil, _ body: () throws(StoreError) -> Result
) throws(WorktreeError) -> Result {
    do throws(StoreError) { return try body() } catch { throw WorktreeError(error, path: path) }
}
