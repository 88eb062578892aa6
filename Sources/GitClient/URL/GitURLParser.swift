import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Takes the text of a ``GitURL`` apart.
struct GitURLParser {
    struct Parts {
        var scheme: GitURL.Scheme
        var username: ByteString?
        var password: ByteString?
        var host = ByteString()
        var port: UInt16?
        var path = ByteString()
        var query: ByteString?
        var stored: ByteString
        var shown: ByteString
    }

    private let text: ByteString
    private let allowsWildcards: Bool
    private var parts: Parts

    /// With `allowsWildcards` the host may have `*` in it, as in the settings for certain URLs.
    init(_ text: ByteString, allowsWildcards: Bool = false) {
        self.text = text
        self.allowsWildcards = allowsWildcards
        parts = Parts(scheme: .local, stored: text, shown: text)
    }

    mutating func parse() throws(ClientError) -> Parts {
        guard !text.isEmpty else { throw refused("it is empty") }
        guard text.count <= GitURL.maximumLength else {
            throw refused("it is longer than \(GitURL.maximumLength) bytes")
        }
        guard !text.bytes.contains(0) else { throw refused("it contains a NUL byte") }
        if let name = schemeName(before: "://") {
            try parseURL(name)
        } else if let name = schemeName(before: "::") {
            parts.scheme = .other(name)
            // What follows is for a program to understand, and may hold a secret.
            parts.shown = name + "::..."
            parts.stored = parts.shown
        } else if isAddress {
            try parseAddress()
        } else {
            parts.path = text
        }
        return parts
    }

    /// Git's rule: `host:path` has a colon before any slash.
    private var isAddress: Bool {
        text.bytes.first { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") }
            == UInt8(ascii: ":")
    }

    /// The name that `mark` ends, if the text begins with such a name.
    private func schemeName(before mark: ByteString) -> ByteString? {
        let name = text.bytes.prefix { $0.isSchemeByte }
        guard let first = name.first, first.isLetter,
            text.bytes[name.endIndex...].starts(with: mark.bytes)
        else { return nil }
        return ByteString(name.map(\.lowercased))
    }

    // MARK: scheme://…

    private mutating func parseURL(_ name: ByteString) throws(ClientError) {
        try refuseRaw(text.bytes)
        let start = name.count + 3
        let rest = text.bytes[start...]
        switch name {
        case "http": parts.scheme = .http
        case "https": parts.scheme = .https
        case "ssh", "git+ssh", "ssh+git": parts.scheme = .ssh
        case "git": parts.scheme = .git
        case "file":
            parts.scheme = .file
            parts.path = try decode(rest, in: "path")
            return
        default: parts.scheme = .other(name)
        }
        let end = rest.firstIndex { $0.endsAuthority } ?? rest.endIndex
        try parseAuthority(text.bytes[start ..< end])
        if parts.scheme == .http || parts.scheme == .https {
            try parseResource(text.bytes[end...])
        } else {
            try parsePath(text.bytes[end...])
        }
    }

    private mutating func parseAuthority(_ authority: ArraySlice<UInt8>) throws(ClientError) {
        var hostAndPort = authority
        if let at = authority.firstIndex(of: UInt8(ascii: "@")) {
            hostAndPort = authority[(at + 1)...]
            guard !hostAndPort.contains(UInt8(ascii: "@")) else {
                throw refused("it has more than one '@': write one in a user or password as %40")
            }
            try parseUser(authority[..<at])
        }
        try parseHost(hostAndPort)
    }

    private mutating func parseUser(_ user: ArraySlice<UInt8>) throws(ClientError) {
        let colon = user.firstIndex(of: UInt8(ascii: ":"))
        let name = user[..<(colon ?? user.endIndex)]
        let start = user.startIndex
        let afterUser = user.endIndex + 1  // the '@'
        if colon != nil || !name.isEmpty { parts.username = try decode(name, in: "user name") }
        if let colon { parts.password = try decode(user[(colon + 1)...], in: "password") }
        guard parts.username?.bytes.first != UInt8(ascii: "-") else {
            throw refused("its user name begins with '-'")
        }
        let bytes = text.bytes
        parts.shown = ByteString(bytes[..<start] + bytes[afterUser...])
        guard colon != nil else { return }
        let kept = name.isEmpty ? [] : name + [UInt8(ascii: "@")]
        parts.stored = ByteString(bytes[..<start] + kept + bytes[afterUser...])
    }

    /// `host`, `host:`, `host:port`, `[address]`, `[address]:port`.
    private mutating func parseHost(_ authority: ArraySlice<UInt8>) throws(ClientError) {
        var port = ArraySlice<UInt8>()
        if authority.first == UInt8(ascii: "[") {
            guard let close = authority.firstIndex(of: UInt8(ascii: "]")) else {
                throw refused("the '[' of its host is not closed")
            }
            parts.host = try address(authority[(authority.startIndex + 1) ..< close])
            port = authority[(close + 1)...]
        } else {
            let end = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.endIndex
            parts.host = try hostName(authority[..<end])
            port = authority[end...]
        }
        guard let colon = port.first else { return }
        guard colon == UInt8(ascii: ":") else { throw refused("its host is malformed") }
        parts.port = try portNumber(port.dropFirst())
    }

    private func portNumber(_ digits: ArraySlice<UInt8>) throws(ClientError) -> UInt16? {
        if digits.isEmpty { return nil }
        guard digits.count <= 5, digits.allSatisfy(\.isDigit) else {
            throw refused("its port is not a number")
        }
        let value = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        guard let port = UInt16(exactly: value), port > 0 else {
            throw refused("its port is not between 1 and 65535")
        }
        return port
    }

    private func hostName(_ name: ArraySlice<UInt8>) throws(ClientError) -> ByteString {
        guard !name.isEmpty else { throw refused("it has no host") }
        guard name.first != UInt8(ascii: "-") else { throw refused("its host begins with '-'") }
        let isWildcard = { (byte: UInt8) in allowsWildcards && byte == UInt8(ascii: "*") }
        guard name.count <= 255, name.allSatisfy({ $0.isHostByte || isWildcard($0) }) else {
            throw refused("its host has characters that a host name does not have")
        }
        return ByteString(name.map(\.lowercased))
    }

    private func address(_ text: ArraySlice<UInt8>) throws(ClientError) -> ByteString {
        var address = in6_addr()
        let name = ByteString(text.map(\.lowercased))
        guard text.count < 46, name.withCString({ inet_pton(AF_INET6, $0, &address) }) == 1 else {
            throw refused("what stands in brackets is not an IPv6 address")
        }
        return name
    }

    // MARK: what follows the authority

    private mutating func parseResource(_ resource: ArraySlice<UInt8>) throws(ClientError) {
        guard !resource.contains(UInt8(ascii: "#")) else {
            throw refused("a repository's URL has no fragment ('#'): write it as %23")
        }
        let mark = resource.firstIndex(of: UInt8(ascii: "?")) ?? resource.endIndex
        let path = resource[..<mark]
        let decoded = try decode(path, in: "path")
        guard !decoded.bytes.contains(UInt8(ascii: "\\")) else {
            throw refused("its path contains a backslash")
        }
        parts.path = ByteString(path.withoutDotSegments.percentEscaped)
        guard mark < resource.endIndex else { return }
        let query = resource[(mark + 1)...]
        _ = try decode(query, in: "query")
        parts.query = ByteString(query.percentEscaped)
    }

    private mutating func parsePath(_ path: ArraySlice<UInt8>) throws(ClientError) {
        guard path.first == UInt8(ascii: "/") || path.isEmpty else {
            throw refused("its host is malformed")
        }
        parts.path = try decode(path, in: "path")
    }

    // MARK: user@host:path

    private mutating func parseAddress() throws(ClientError) {
        parts.scheme = .ssh
        try refuseRaw(text.bytes)
        var rest = text.bytes[...]
        let first = ByteString(rest.prefix { $0 != UInt8(ascii: ":") }.map(\.lowercased))
        guard first != "http", first != "https" else {
            throw refused("'//' does not follow its '\(first):'")
        }
        if let at = rest.prefix(while: { $0 != UInt8(ascii: ":") }).lastIndex(of: UInt8(ascii: "@"))
        {
            try parseUser(rest[..<at])
            rest = rest[(at + 1)...]
        }
        let afterBracket =
            rest.first == UInt8(ascii: "[")
            ? rest.firstIndex(of: UInt8(ascii: "]")) ?? rest.startIndex : rest.startIndex
        guard let colon = rest[afterBracket...].firstIndex(of: UInt8(ascii: ":")) else {
            throw refused("it has no host")
        }
        try parseHost(rest[..<colon])
        parts.path = ByteString(rest[(colon + 1)...])
        guard parts.path.bytes.first != UInt8(ascii: "-") else {
            throw refused("its path begins with '-'")
        }
    }

    // MARK: refusals

    private func refuseRaw(_ bytes: [UInt8]) throws(ClientError) {
        for byte in bytes {
            if byte.isControl { throw refused("it contains a control character") }
            if byte == UInt8(ascii: " ") { throw refused("it contains a space: write it as %20") }
            if byte == UInt8(ascii: "\\") { throw refused("it contains a backslash") }
        }
    }

    private func decode(_ text: ArraySlice<UInt8>, in what: String) throws(ClientError)
        -> ByteString
    {
        guard let bytes = text.percentDecoded else {
            throw refused("two hexadecimal digits do not follow a '%' in its \(what)")
        }
        guard !bytes.contains(where: \.isControl) else {
            throw refused("its \(what) contains a control character")
        }
        return ByteString(bytes)
    }

    /// The text is not understood, so all up to its last '@' may be a secret.
    private func refused(_ reason: String) -> ClientError {
        let shown: ByteString
        if let at = text.bytes.lastIndex(of: UInt8(ascii: "@")) {
            let scheme = schemeName(before: "://").map { $0 + "://" } ?? ByteString()
            shown = scheme + "..." + ByteString(text.bytes[at...].prefix(200))
        } else {
            shown = ByteString(text.bytes.prefix(200))
        }
        return ClientError(.invalidURL, "URL '\(shown.printable)' cannot be used: \(reason)")
    }
}
