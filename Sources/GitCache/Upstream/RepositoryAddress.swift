import GitCore

/// A repository of an upstream, by its path there.
struct RepositoryAddress: Sendable {
    let host: UpstreamHost
    /// As the client named it.
    let path: [ByteString]

    /// `<host>/<path>`: exactly what the client named, for upstream alone knows whether two paths mean one
    /// repository.
    var place: ByteString { path.reduce(host.name) { $0 / $1 } }

    /// What grants are kept by. What was shown by a host whose settings were others, its URL among them, is
    /// no right any more, not even where it was asked for before they were changed and is shown after that.
    var identity: ByteString { path.reduce(host.identity) { $0 / $1 } }

    static func place(identity: ByteString) -> ByteString {
        let slash = identity.bytes.firstIndex(of: UInt8(ascii: "/"))
        return ByteString(identity.bytes[(slash.map { $0 + 1 } ?? 0)...])
    }

    /// What the mirror is kept by: `x` and `x.git` are mostly one. Where they are two, they share a store
    /// of objects; who sees which of them is known by the refs that upstream showed.
    var mirror: ByteString {
        place.hasSuffix(".git") ? place.dropLast(".git".utf8.count) : place
    }
}
