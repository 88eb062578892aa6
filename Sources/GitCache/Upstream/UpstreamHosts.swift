import GitCore
import Synchronization

/// The hosts that a cache stands in front of, which may become others while it runs.
final class UpstreamHosts: Sendable {
    private struct State {
        var hosts: [ByteString: UpstreamHost] = [:]
        var lastEdition: UInt64 = 0
    }

    private let state = Mutex(State())

    init(_ hosts: [UpstreamHost]) { replace(by: hosts) }

    /// By what clients call them, in lower case.
    var current: [ByteString: UpstreamHost] { state.withLock { $0.hosts } }

    /// From now on these and no others. One that is as it was keeps its edition; any other has one that no
    /// host had before.
    func replace(by hosts: [UpstreamHost]) {
        state.withLock { state in
            var replaced: [ByteString: UpstreamHost] = [:]
            for var host in hosts {
                host.edition = state.hosts[host.key]?.edition ?? 0
                if host != state.hosts[host.key] {
                    state.lastEdition += 1
                    host.edition = state.lastEdition
                }
                replaced[host.key] = host
            }
            state.hosts = replaced
        }
    }

    /// Whether an identity (``RepositoryAddress/identity``) is of one of them as it is now.
    var currentEditions: @Sendable (ByteString) -> Bool {
        let prefixes = current.values.map { $0.identity + "/" }
        return { identity in prefixes.contains { identity.hasPrefix($0) } }
    }
}
