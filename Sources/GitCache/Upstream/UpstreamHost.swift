public import GitClient
public import GitCore

/// A server that the cache stands in front of.
public struct UpstreamHost: Sendable, Hashable {
    /// What it is called here, the first component of a path: `github.com`.
    public let name: ByteString
    /// Where its repositories are, an http or https URL.
    public let base: GitURL
    /// How it is connected to. What a client's own login is comes on top.
    public var options: HTTPOptions
    /// The same as long as nothing about it is changed while the cache runs: see ``UpstreamHosts``.
    var edition: UInt64 = 0

    /// Addresses of the own network are refused (`HTTPOptions.refusesPrivateAddresses`), unless `base` itself
    /// is an address or `localhost`. ``allowsPrivateAddresses`` changes that.
    public init(name: ByteString, base: GitURL, options: HTTPOptions = HTTPOptions()) {
        self.name = name
        self.base = base
        self.options = options
        self.options.refusesPrivateAddresses = !base.hasLiteralAddress
    }

    /// Whether its name may lead to this machine or into the own network, as no name of a forge in the
    /// Internet does.
    public var allowsPrivateAddresses: Bool {
        get { !options.refusesPrivateAddresses }
        set { options.refusesPrivateAddresses = !newValue }
    }

    /// `HOST`, which stands for `https://HOST/`, or `HOST=URL`.
    ///
    /// - Throws: ``CacheError/Code/invalid``.
    public init(parsing text: ByteString) throws(CacheError) {
        let parts = text.bytes.split(
            separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        let name = ByteString(parts.first ?? [])
        guard Self.isName(name) else {
            throw CacheError(.invalid, "'\(text)' does not begin with the name of a host")
        }
        try self.init(name: name, url: parts.count > 1 ? ByteString(parts[1]) : nil)
    }

    /// - Parameter url: nil is `https://<name>/`.
    /// - Throws: ``CacheError/Code/invalid``.
    init(name: ByteString, url: ByteString?) throws(CacheError) {
        do throws(ClientError) {
            let base = try GitURL(url ?? "https://" + name + "/")
            try base.requireHTTP()
            guard base.username == nil, base.password == nil else {
                throw ClientError(.invalid, "a login has no place in it")
            }
            self.init(name: name, base: base)
        } catch {
            throw CacheError(.invalid, "the upstream '\(name)' cannot be used: \(error.message)")
        }
    }

    /// Letters, digits, dots, dashes, and a colon with a port.
    static func isName(_ name: ByteString) -> Bool {
        !name.isEmpty && name != "." && name != ".." && name != "-"
            && name.bytes.allSatisfy { $0.isLetter || $0.isDigit || ".-:_".utf8.contains($0) }
    }

    /// What a client may call it: a host's name has no case.
    var key: ByteString { ByteString(name.bytes.map(\.lowercased)) }

    /// What is remembered of it is remembered by this: it is another one when its settings are others.
    var identity: ByteString { ByteString("\(edition)/") + name }

    /// The URL of what is at `path` there.
    func url(of path: [ByteString]) throws(ClientError) -> GitURL {
        let text = path.map(\.percentEncoded).reduce("") { $0 / $1 }
        return try base.appending(base.path.hasSuffix("/") ? text : "/" + text)
    }
}

extension ByteString {
    /// As one component of a URL's path (RFC 3986, "unreserved").
    fileprivate var percentEncoded: ByteString {
        var encoded: [UInt8] = []
        for byte in bytes {
            if byte.isLetter || byte.isDigit || "-._~".utf8.contains(byte) {
                encoded.append(byte)
            } else {
                encoded += "%".utf8
                for digit in [byte >> 4, byte & 15] {
                    encoded.append(digit < 10 ? digit + 0x30 : digit + 0x37)
                }
            }
        }
        return ByteString(encoded)
    }
}
