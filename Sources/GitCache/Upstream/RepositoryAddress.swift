import GitCore

/// A repository of an upstream, by its path there.
struct RepositoryAddress: Sendable {
    let host: UpstreamHost
    /// As the client named it.
    let path: [ByteString]

    /// What grants are kept by: exactly what the client named, for upstream alone knows whether two paths
    /// mean one repository.
    var identity: ByteString { path.reduce(host.name) { $0 / $1 } }

    /// What the mirror is kept by: `x` and `x.git` are mostly one. Where they are two, they share a store
    /// of objects; who sees which of them is known by the refs that upstream showed.
    var mirror: ByteString {
        identity.hasSuffix(".git") ? identity.dropLast(".git".utf8.count) : identity
    }
}
