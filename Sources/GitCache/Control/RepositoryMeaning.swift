import GitClient
import GitCore
import GitServer

/// Which repositories of the cache somebody means who names one: `HOST/path`, the URL at upstream, or the URL at
/// the cache.
///
/// Letter case does not matter: where upstream makes no difference, what it has under one spelling is here
/// under each that was asked for.
struct RepositoryMeaning {
    /// Names of mirrors, in lower case; the first that there is anything of counts.
    private let candidates: [ByteString]
    private let text: ByteString

    /// - Parameter hosts: the upstreams, as far as they are known.
    /// - Throws: ``CacheError/Code/invalid``.
    init(_ text: ByteString, hosts: [UpstreamHost]) throws(CacheError) {
        self.text = text
        guard text.isURL else {
            candidates = [Self.name(text.split(0x2f))].compactMap { $0 }
            if candidates.isEmpty { throw Self.invalid(text) }
            return
        }
        let url: GitURL
        do throws(ClientError) {
            url = try GitURL(text)
            try url.requireHTTP()
        } catch { throw CacheError(.invalid, error.message) }
        guard let path = RequestTarget(parsing: url.path)?.path else { throw Self.invalid(text) }
        let atUpstream = hosts.compactMap { host -> [ByteString]? in
            guard host.base.origin == url.origin,
                let base = RequestTarget(parsing: host.base.path)?.path, path.starts(with: base)
            else { return nil }
            return [host.name] + path.dropFirst(base.count)
        }
        let port = url.port.map { ByteString(":\($0)") } ?? ""
        candidates = (atUpstream + [[url.host + port] + path, path]).compactMap(Self.name)
        if candidates.isEmpty { throw Self.invalid(text) }
    }

    /// Those of `known` that are meant.
    ///
    /// - Throws: ``CacheError/Code/unknown`` where there are none.
    func among(_ known: some Collection<ByteString>) throws(CacheError) -> [ByteString] {
        for candidate in candidates {
            let meant = known.filter { $0.lowercased == candidate }
            if !meant.isEmpty { return meant.sorted() }
        }
        throw CacheError(
            .unknown, "nothing is kept of '\(candidates.first ?? text)'; status lists the names")
    }

    private static func name(_ path: [ByteString]) -> ByteString? {
        let path = path.filter { !$0.isEmpty }
        guard path.count > 1 else { return nil }
        let name = path.reduce("", /).lowercased
        return name.hasSuffix(".git") ? name.dropLast(".git".utf8.count) : name
    }

    private static func invalid(_ text: ByteString) -> CacheError {
        CacheError(.invalid, "'\(text)' is neither HOST/path nor a URL of a repository")
    }
}

extension ByteString {
    /// ASCII letters alone.
    var lowercased: ByteString { ByteString(bytes.map(\.lowercased)) }

    fileprivate var isURL: Bool { hasPrefix("http:") || hasPrefix("https:") || has("://") }

    private func has(_ part: ByteString) -> Bool {
        bytes.indices.contains { bytes[$0...].starts(with: part.bytes) }
    }
}
