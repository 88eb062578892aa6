public import GitCore

/// Where a remote repository is: a URL, an ssh address of the form `host:path`, or a local path.
///
///     scheme "://" [ user [ ":" password ] "@" ] host [ ":" port ] [ path ] [ "?" query ]
///     [ user "@" ] host ":" path
///     path
///
/// This is the only parser of URLs: what it understood decides (whom to trust with a password, which
/// settings apply), and the connection is made from the same parts (``connectionText``), never from
/// the text that was given.
///
/// Refused, in what was given and in what its percent escapes stand for: control characters, and a
/// backslash in a host or path; white space unless escaped; a host, user or path that a program would
/// take for an option (CVE-2017-1000117); a host of other than letters, digits, `.`, `-` and `_`, or
/// an IPv6 address in brackets.
public struct GitURL: Hashable, Sendable {
    public enum Scheme: Hashable, Sendable {
        case http, https, ssh, git, file
        /// A path in the file system, without `file://`.
        case local
        /// `name://…` of a name unknown here, or `name::address`, a remote helper of Git's.
        case other(ByteString)

        var defaultPort: UInt16? {
            switch self {
            case .http: 80
            case .https: 443
            case .ssh: 22
            case .git: 9418
            case .file, .local, .other: nil
            }
        }
    }

    public let scheme: Scheme
    /// Without percent escapes.
    public private(set) var username: ByteString?
    /// Without percent escapes. It is in no printed or stored form of the URL.
    public let password: ByteString?
    /// Lower case, an IPv6 address without its brackets; empty where the form has no host.
    public let host: ByteString
    /// As given; nil stands for the scheme's own.
    public let port: UInt16?
    /// For http and https as it is sent: percent-escaped, without `.` and `..`, never empty. For the
    /// others as a path, without percent escapes.
    public let path: ByteString
    /// What follows `?`, as it is sent; http and https only.
    public let query: ByteString?
    /// The URL as it was given, but for its password: what a repository's config may hold.
    public let stored: ByteString
    /// The URL as it was given, without user and password: what messages show.
    let shown: ByteString

    /// At most this many bytes of URL are looked at.
    public static let maximumLength = 8192

    /// Throws ``ClientError/Code/invalidURL``; the message does not repeat a password.
    public init(_ text: ByteString) throws(ClientError) {
        var parser = GitURLParser(text)
        try self.init(parser.parse())
    }

    public init(_ text: String) throws(ClientError) { try self.init(ByteString(text)) }

    /// The URL of a setting for certain URLs, in whose host a component may be `*`; nil where it is
    /// malformed.
    init?(pattern: ByteString) {
        var parser = GitURLParser(pattern, allowsWildcards: true)
        guard let parts = try? parser.parse() else { return nil }
        self.init(parts)
    }

    private init(_ parts: GitURLParser.Parts) {
        scheme = parts.scheme
        username = parts.username
        password = parts.password
        host = parts.host
        port = parts.port
        path = parts.path
        query = parts.query
        stored = parts.stored
        shown = parts.shown
    }

    /// The URL as messages show it: no user, no password, control characters made visible.
    public var redacted: String { shown.printable }

    public var isHTTP: Bool { scheme == .http || scheme == .https }

    public var effectivePort: UInt16? { port ?? scheme.defaultPort }

    /// Throws ``ClientError/Code/unsupported``, naming the scheme, unless it is http or https.
    public func requireHTTP() throws(ClientError) {
        let name: String
        switch scheme {
        case .http, .https: return
        case .ssh: name = "ssh"
        case .git: name = "git"
        case .file, .local: name = "local"
        case .other(let other): name = other.printable
        }
        throw ClientError(
            .unsupported,
            "'\(redacted)': the '\(name)' transport is not supported; use an http or https URL")
    }

    /// Who answers at this URL. What is meant for one origin is never sent to another.
    package struct Origin: Hashable {
        let scheme: Scheme
        let host: ByteString
        let port: UInt16?
    }

    package var origin: Origin { Origin(scheme: scheme, host: host, port: effectivePort) }

    /// `host` or `host:port`, an IPv6 address in brackets, as in a URL.
    var authority: ByteString {
        let name: ByteString = host.bytes.contains(UInt8(ascii: ":")) ? "[" + host + "]" : host
        guard let port else { return name }
        return name + ByteString(":\(port)")
    }

    /// The URL that the connection is made with; http and https only. No user, no password.
    package var connectionText: ByteString {
        let scheme: ByteString = scheme == .https ? "https://" : "http://"
        let resource = query.map { path + "?" + $0 } ?? path
        return scheme + authority + resource
    }

    /// This URL as that of a certain user, for settings that go by it.
    func withUsername(_ username: ByteString?) -> GitURL {
        var url = self
        url.username = username
        return url
    }

    /// This URL with a slash at its end, as the base that the paths of a service are appended to.
    func asBase() throws(ClientError) -> GitURL {
        let text = connectionText
        return text.hasSuffix("/") ? try GitURL(text) : try GitURL(text + "/")
    }

    /// This base and what follows it: `info/refs?service=…`, `git-upload-pack`.
    package func appending(_ tail: ByteString) throws(ClientError) -> GitURL {
        try GitURL(connectionText + tail)
    }
}

extension GitURL: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { redacted }
    public var debugDescription: String { redacted }
    public var customMirror: Mirror { Mirror(self, children: ["url": redacted]) }
}
