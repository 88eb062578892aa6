import GitCore
import GitStore

/// The settings of one section for one URL: `section.name`, and `section.<url>.name` where that URL
/// matches (git-config, `http.<url>.*`).
///
/// The better match counts: a longer host, then a longer path, then one with a user; among equals,
/// the last. A setting without a URL is the weakest.
struct URLSettings {
    private struct Entry {
        let key: String
        let name: ByteString
        let value: ByteString
        let rank: URLPattern.Rank
    }

    /// Those that match, in the order of the config.
    private let entries: [Entry]
    private let config: Config

    /// With `partial`, a setting's URL may lack its scheme, as `credential.<url>` may.
    init(_ section: ByteString, _ config: Config, for url: GitURL, partial: Bool = false) {
        self.config = config
        entries = config.entries.compactMap { entry in
            guard entry.key.section == section else { return nil }
            var rank = URLPattern.Rank.any
            if let text = entry.key.subsection {
                let pattern = URLPattern(text, partial ? url.scheme : nil)
                guard let match = pattern?.match(url) else { return nil }
                rank = match
            }
            return Entry(
                key: String(decoding: entry.key.bytes.bytes, as: UTF8.self), name: entry.key.name,
                value: entry.value ?? "", rank: rank)
        }
    }

    /// The entry that counts, and those before it that counted until then.
    private func winners(_ name: ByteString) -> [Entry] {
        var winners: [Entry] = []
        for entry in entries where entry.name == name {
            if let best = winners.last?.rank, entry.rank < best { continue }
            winners.append(entry)
        }
        return winners
    }

    // `name` is in lower case in all of these.

    func string(_ name: ByteString) -> ByteString? { winners(name).last?.value }

    func bool(_ name: ByteString) throws(StoreError) -> Bool? {
        guard let entry = winners(name).last else { return nil }
        return try config.bool(entry.key)
    }

    func int(_ name: ByteString) throws(StoreError) -> Int? {
        guard let entry = winners(name).last else { return nil }
        return try config.int(entry.key)
    }

    /// Empty where the setting is: Git then uses none.
    func path(_ name: ByteString) throws(StoreError) -> ByteString? {
        guard let entry = winners(name).last else { return nil }
        return try config.path(entry.key)
    }

    /// All values after the last empty one: of the entries that counted in turn, or with `all` of
    /// every one that matches.
    func list(_ name: ByteString, all: Bool = false) -> [ByteString] {
        let values = (all ? entries.filter { $0.name == name } : winners(name)).map(\.value)
        guard let reset = values.lastIndex(where: \.isEmpty) else { return values }
        return Array(values[(reset + 1)...])
    }
}

/// The URL in the name of a setting. It matches a URL of the same scheme, host and port whose path
/// its own begins, at a slash; a component of its host may be `*`; a user in it must be the same.
struct URLPattern {
    /// How well a pattern matches: what is greater counts.
    struct Rank: Comparable {
        let host: Int
        let path: Int
        let user: Int

        static let any = Rank(host: 0, path: 0, user: 0)

        static func < (a: Rank, b: Rank) -> Bool {
            (a.host, a.path, a.user) < (b.host, b.path, b.user)
        }
    }

    private let url: GitURL

    /// Nil where `text` is no URL. With `scheme`, that is what a text without one means.
    init?(_ text: ByteString, _ scheme: GitURL.Scheme?) {
        var whole = text
        if let scheme, !text.bytes.contains("://".utf8) {
            whole = (scheme == .https ? "https://" : "http://") + text
        }
        guard let url = GitURL(pattern: whole), url.isHTTP else { return nil }
        self.url = url
    }

    func match(_ other: GitURL) -> Rank? {
        guard url.scheme == other.scheme, url.effectivePort == other.effectivePort,
            matchesHost(other.host), url.username == nil || url.username == other.username,
            let length = matchedPath(other)
        else { return nil }
        return Rank(host: url.host.count, path: length, user: url.username == nil ? 0 : 1)
    }

    private func matchesHost(_ host: ByteString) -> Bool {
        let dot = UInt8(ascii: ".")
        let labels = url.host.split(dot)
        let others = host.split(dot)
        return labels.count == others.count
            && zip(labels, others).allSatisfy { $0 == "*" || $0 == $1 }
    }

    /// How many bytes of the other's path this one's is, its slash included.
    private func matchedPath(_ other: GitURL) -> Int? {
        var prefix = url.path.bytes.percentNormalized
        let path = other.path.bytes.percentNormalized
        while prefix.last == UInt8(ascii: "/") { prefix.removeLast() }
        guard path.starts(with: prefix) else { return nil }
        let rest = path[prefix.count...]
        return rest.isEmpty || rest.first == UInt8(ascii: "/") ? prefix.count + 1 : nil
    }
}
