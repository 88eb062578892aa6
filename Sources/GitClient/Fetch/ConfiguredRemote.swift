import GitCore
import GitStore

/// A remote repository as the configuration has it (`remote.<name>.*`), or a URL alone.
struct ConfiguredRemote: Sendable {
    /// nil for a URL.
    let name: ByteString?
    let url: ByteString
    /// `remote.<name>.fetch`.
    let refspecs: [Refspec]
    /// `remote.<name>.tagOpt`.
    let tags: FetchTags?
    /// `remote.<name>.prune`, else fetch.prune.
    let prunes: Bool

    /// - Parameter named: a remote's name or a URL.
    init(_ named: ByteString, _ config: Config) throws(ClientError) {
        func key(_ variable: String) -> String { "remote.\(named.printable).\(variable)" }
        let configured = config.strings(key("url")).first
        name = configured == nil ? nil : named
        url = configured ?? named
        guard configured != nil else {
            guard Self.isLocation(named) else {
                throw ClientError(
                    .notFound, "'\(named)' does not appear to be a git repository")
            }
            refspecs = []
            tags = nil
            prunes = try storing { () throws(StoreError) in try config.bool("fetch.prune") ?? false
            }
            return
        }
        var refspecs: [Refspec] = []
        for text in config.strings(key("fetch")) { refspecs.append(try Refspec(text)) }
        self.refspecs = refspecs
        tags =
            switch config.string(key("tagopt")) {
            case "--no-tags": FetchTags.none
            case "--tags": .all
            default: nil
            }
        prunes = try storing { () throws(StoreError) in
            if let prunes = try config.bool(key("prune")) { return prunes }
            return try config.bool("fetch.prune") ?? false
        }
    }

    private static func isLocation(_ text: ByteString) -> Bool {
        text.bytes.contains(UInt8(ascii: "/")) || text.bytes.contains(UInt8(ascii: ":"))
    }
}

/// Which tags a fetch takes beside what its refspecs say.
public enum FetchTags: Sendable, Hashable {
    /// Those that point to what is fetched or is here.
    case following
    /// All.
    case all
    case none
}
