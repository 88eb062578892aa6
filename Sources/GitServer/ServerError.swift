public import GitStore

/// What goes wrong with a server itself; what goes wrong with a request is told to its client.
public struct ServerError: Error, Sendable {
    /// What kind of thing went wrong; new codes may come with any version.
    public struct Code: Hashable, Sendable {
        let name: String

        /// The address cannot be used: malformed, taken, or not this machine's.
        public static let address = Code(name: "address")
        /// A setting has a value that cannot be used.
        public static let invalid = Code(name: "invalid")
        /// A call to the operating system failed.
        public static let system = Code(name: "system")
        /// A file of the server's own failed: ``ServerError/cause`` is a `StoreError`.
        public static let store = Code(name: "store")
    }

    public let code: Code
    /// One line: what went wrong. Safe to print.
    public let message: String
    /// What lay beneath, if anything.
    public let cause: (any Error)?

    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public init(_ cause: StoreError) { self.init(.store, cause.message, cause: cause) }
}

extension ServerError: CustomStringConvertible {
    public var description: String { message }
}
