public import GitStore

/// What goes wrong between this client and a remote repository.
public struct ClientError: Error, Sendable {
    /// What kind of thing went wrong; new codes may come with any version.
    public struct Code: Hashable, Sendable {
        let name: String

        /// No connection, or one that broke, stalled or ended too early.
        public static let network = Code(name: "network")
        /// The server's certificate was not accepted, or TLS failed in another way.
        public static let tls = Code(name: "tls")
        /// The server wants a user name and password, and there were none, or the wrong ones.
        public static let authentication = Code(name: "authentication")
        /// The server says that there is nothing at this URL (404, 410).
        public static let notFound = Code(name: "notFound")
        /// The server knows who asks, or does not care, and refuses (403).
        public static let forbidden = Code(name: "forbidden")
        /// Another HTTP status that is no success; see ``ClientError/status``.
        public static let httpStatus = Code(name: "httpStatus")
        /// The server's answer does not follow the protocol, or is no Git server's.
        public static let protocolError = Code(name: "protocolError")
        /// The server refused in the words of the protocol; the message carries them.
        public static let remote = Code(name: "remote")
        /// Well-formed, but not something that this version does.
        public static let unsupported = Code(name: "unsupported")
        /// A redirect that must not be followed.
        public static let redirect = Code(name: "redirect")
        /// The host's name leads to an address that ``HTTPOptions/refusesPrivateAddresses`` refuses.
        public static let refusedAddress = Code(name: "refusedAddress")
        /// The caller's task was cancelled.
        public static let cancelled = Code(name: "cancelled")
        /// The URL cannot be used: malformed, or of a kind that is refused.
        public static let invalidURL = Code(name: "invalidURL")
        /// A setting, header or credential has a value that cannot be used.
        public static let invalid = Code(name: "invalid")
        /// A limit on what a server may send was reached.
        public static let limit = Code(name: "limit")
        /// The repository on this side failed: ``ClientError/cause`` is a `StoreError` or alike.
        public static let store = Code(name: "store")
        /// What the caller had the arriving pack shown to has thrown: ``ClientError/cause``.
        public static let sink = Code(name: "sink")
        /// A call to the operating system failed.
        public static let system = Code(name: "system")
    }

    public let code: Code
    /// One line: what went wrong, with the URL but never its password. Safe to print.
    public let message: String
    /// The HTTP status that the server answered with; 0 where there was no answer.
    public let status: Int
    /// What lay beneath, if anything.
    public let cause: (any Error)?
    /// The connection failed before the server answered anything: to ask again is harmless.
    let isBeforeAnswer: Bool
    /// It took too long.
    package let isTimeout: Bool
    /// The server was not reached: its name, the connection or TLS failed, or it did not begin to answer in
    /// time.
    package let isUnreached: Bool

    public init(_ code: Code, _ message: String, status: Int = 0, cause: (any Error)? = nil) {
        self.init(code, message, status: status, cause: cause, isBeforeAnswer: false)
    }

    init(
        _ code: Code, _ message: String, status: Int = 0, cause: (any Error)? = nil,
        isBeforeAnswer: Bool, isTimeout: Bool = false, isUnreached: Bool = false
    ) {
        self.code = code
        self.message = message
        self.status = status
        self.cause = cause
        self.isBeforeAnswer = isBeforeAnswer
        self.isTimeout = isTimeout
        self.isUnreached = isUnreached
    }

    /// A failure of the repository on this side.
    public init(_ cause: StoreError) {
        self.init(.store, cause.message, cause: cause)
    }

    static let cancelled = ClientError(.cancelled, "cancelled")
}

extension ClientError: CustomStringConvertible {
    public var description: String { message }
}
