public import GitCore

/// What goes wrong in talking to a Git server.
public struct WireError: Error, Sendable {
    /// What kind of thing went wrong; new codes may come with any version.
    public struct Code: Hashable, Sendable {
        let name: String

        /// The peer's bytes do not follow the protocol.
        public static let malformed = Code(name: "malformed")
        /// The peer ended its answer before the protocol allows.
        public static let truncated = Code(name: "truncated")
        /// What answered is no smart Git server: a web page, a dumb-HTTP repository, nothing.
        public static let notSmart = Code(name: "notSmart")
        /// The server said what was wrong; ``WireError/remoteText`` has its words.
        public static let server = Code(name: "server")
        /// A limit (``WireLimits``) was reached.
        public static let limit = Code(name: "limit")
        /// Well-formed, but not something that the server, or this version, does.
        public static let unsupported = Code(name: "unsupported")
        /// What the caller asked cannot be put on the wire.
        public static let invalid = Code(name: "invalid")
    }

    public let code: Code
    /// One line: what went wrong. Safe to print.
    public let message: String
    /// The server's own words where ``code`` is ``Code/server``, byte for byte: not safe to print.
    public let remoteText: ByteString?
    /// What lay beneath, if anything.
    public let cause: (any Error)?

    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.remoteText = nil
        self.cause = cause
    }

    /// What the server said in an ERR packet or on side-band 3.
    init(remote text: ArraySlice<UInt8>) {
        let text = ByteString(text)
        code = .server
        remoteText = text
        message = "remote error: " + Self.lines(text, keeping: []).joined(separator: " ")
        cause = nil
    }

    /// The server's own words where ``code`` is ``Code/server``, line by line, safe to print.
    public var remoteLines: [String] { remoteText.map { Self.lines($0, keeping: [0x09]) } ?? [] }

    private static func lines(_ text: ByteString, keeping kept: Set<UInt8>) -> [String] {
        var lines = text.split(0x0a)
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { $0.printable(keeping: kept) }
    }

    static func malformed(_ reason: String, at offset: UInt64) -> WireError {
        WireError(.malformed, "protocol error: \(reason) (at byte \(offset))")
    }

    /// A fault that a parser found in the packet whose payload starts at `offset`.
    static func malformed(_ what: String, _ fault: ParseError, at offset: UInt64) -> WireError {
        let (place, overflow) = offset.addingReportingOverflow(fault.offset)
        return WireError(
            .malformed,
            "protocol error: \(what): \(fault.reason) (at byte \(overflow ? .max : place))",
            cause: fault)
    }

    static func truncated(_ missing: String) -> WireError {
        WireError(.truncated, "the server's answer ended early: \(missing) is missing")
    }
}

extension WireError: CustomStringConvertible {
    public var description: String { message }
}
