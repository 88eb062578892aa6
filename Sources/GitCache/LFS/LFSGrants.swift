import GitClient
import GitCore
import GitServer
import Synchronization

/// The right to download one LFS object: upstream's batch answer told its client where it is.
struct LFSGrant: Sendable {
    let address: RepositoryAddress
    /// Who asked for the batch.
    let client: ClientIdentity
    let download: LFSDownload
    /// The client's own login, for upstream alone.
    let credentials: [(name: String, value: ByteString)]
    /// False where upstream did not say for how long it lets the client in, and did it too long ago: it is to be
    /// asked again.
    let isFresh: Bool

    /// Whether the object is with the upstream itself.
    var isAtUpstream: Bool { download.url.origin == address.host.base.origin }
}

/// What batch answers of upstream's lately let clients download. In memory alone.
///
/// A client proves its right with the batch's token, which only the answer to that client has: LFS clients do
/// not log in to where the URLs of a batch lead as they do for the batch. It is told in a query, which is not
/// logged, and stands here as a keyed hash.
final class LFSGrants: Sendable {
    private struct Batch {
        let address: RepositoryAddress
        let client: ClientIdentity
        let credentials: [(name: String, value: ByteString)]
        var downloads: [ObjectID: Entry] = [:]
        /// When the last of them ends.
        var end: ContinuousClock.Instant
        let serial: UInt64
        /// Bytes of memory, as good as it is known.
        var cost = 0
    }

    private struct Entry {
        let download: LFSDownload
        let end: ContinuousClock.Instant
        /// When upstream let the client in last.
        var since: ContinuousClock.Instant
    }

    private struct State {
        var lifetime: Duration
        var batches: [ClientIdentity: Batch] = [:]
        var lastSerial: UInt64 = 0
        var cost = 0

        init(_ lifetime: Duration) { self.lifetime = lifetime }
    }

    struct Limits {
        /// For how long a batch answer is a right at most, whatever it says.
        var longest: Duration = .seconds(3_600)
        /// Bytes of memory for all of them; the oldest go first.
        var memory = 64 << 20
    }

    private let key: IdentityKey
    private let limits: Limits
    private let state: Mutex<State>

    /// Bytes of randomness in a token.
    private static let tokenSize = 16
    private static let batchCost = 1 << 10

    /// - Parameter lifetime: for how long a batch answer that does not say so itself is a right without that
    ///   upstream is asked again.
    init(_ key: IdentityKey, lifetime: Duration, _ limits: Limits = Limits()) {
        self.key = key
        self.limits = limits
        state = Mutex(State(lifetime))
    }

    func setLifetime(_ lifetime: Duration) { state.withLock { $0.lifetime = lifetime } }

    /// Grants a client what a batch answer told it of.
    ///
    /// - Returns: the token, 32 hex digits.
    func add(
        _ downloads: [LFSDownload], _ address: RepositoryAddress, _ credentials: ClientCredentials,
        now: ContinuousClock.Instant = .now
    ) -> ByteString {
        let token = Self.newToken()
        let place = key.identity(of: [token])
        state.withLock { state in
            state.lastSerial += 1
            var batch = Batch(
                address: address, client: credentials.identity, credentials: credentials.fields,
                end: now, serial: state.lastSerial)
            batch.cost = credentials.fields.reduce(Self.batchCost) { $0 + $1.value.count }
            for download in downloads {
                let end = now + min(download.lifetime ?? limits.longest, limits.longest)
                batch.downloads[download.oid] = Entry(download: download, end: end, since: now)
                batch.end = max(batch.end, end)
                batch.cost += download.cost
            }
            state.batches[place] = batch
            state.cost += batch.cost
            if state.cost > limits.memory { Self.sweep(&state, now) }
            while state.cost > limits.memory,
                let oldest = state.batches.min(by: { $0.value.serial < $1.value.serial })?.key
            {
                Self.remove(&state) { key, _ in key == oldest }
            }
        }
        return token
    }

    /// nil where this token gives no right to that object of that repository now.
    func find(
        _ token: ByteString, _ oid: ObjectID, _ address: RepositoryAddress,
        now: ContinuousClock.Instant = .now
    ) -> LFSGrant? {
        let place = key.identity(of: [token])
        return state.withLock { state in
            guard let batch = state.batches[place], batch.address.identity == address.identity,
                let entry = batch.downloads[oid], now < entry.end
            else { return nil }
            return LFSGrant(
                address: batch.address, client: batch.client, download: entry.download,
                credentials: batch.credentials,
                isFresh: entry.download.lifetime != nil || now < entry.since + state.lifetime)
        }
    }

    /// Upstream was asked again, and lets the client in.
    func renew(_ token: ByteString, _ oid: ObjectID, now: ContinuousClock.Instant = .now) {
        let place = key.identity(of: [token])
        state.withLock { $0.batches[place]?.downloads[oid]?.since = now }
    }

    /// Upstream refused a client: what it allowed before is over.
    func remove(_ repository: ByteString, _ client: ClientIdentity) {
        remove { $0.client == client && $0.address.identity == repository }
    }

    /// Removes those for repositories that `isMeant` says so of, by their ``RepositoryAddress/identity``.
    func removeAll(where isMeant: (_ repository: ByteString) -> Bool) {
        remove { isMeant($0.address.identity) }
    }

    /// Forgets what is no right any more, and the credentials with it.
    func sweep(now: ContinuousClock.Instant = .now) { state.withLock { Self.sweep(&$0, now) } }

    private func remove(_ isMeant: (Batch) -> Bool) {
        state.withLock { state in Self.remove(&state) { isMeant($1) } }
    }

    private static func sweep(_ state: inout State, _ now: ContinuousClock.Instant) {
        remove(&state) { $1.end <= now }
    }

    private static func remove(
        _ state: inout State, where isMeant: (ClientIdentity, Batch) -> Bool
    ) {
        for (key, batch) in state.batches where isMeant(key, batch) {
            state.batches[key] = nil
            state.cost -= batch.cost
        }
    }

    private static func newToken() -> ByteString {
        let digits = Array("0123456789abcdef".utf8)
        return ByteString(
            (0 ..< tokenSize).flatMap { _ in
                let byte = UInt8.random(in: 0 ... 255)
                return [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            })
    }
}

extension LFSDownload {
    fileprivate var cost: Int {
        headers.reduce(512 + 4 * url.connectionText.count) {
            $0 + $1.name.utf8.count + $1.value.count
        }
    }
}
