import GitClient
import GitCore
import GitServer
import GitStore
import GitWire
import Synchronization

/// What the requests of a cache share.
final class CacheCore: Sendable {
    let grants: RefGrants
    let mirrors: MirrorFolder
    let answers: AnswerStore
    let engine: UploadPackEngine
    let key = IdentityKey()
    private let upstream: Upstream
    private let hasEnded = Monitor(false)
    private let housework = Mutex<SystemThread?>(nil)
    private let sessions = SharedRuns<Question, UploadPack>()
    private let listings = SharedRuns<Question, AdvertisedRefs>()

    /// What is asked of upstream, and with whose credentials.
    private struct Question: Hashable {
        let repository: ByteString
        let client: ClientIdentity
        let prefixes: [ByteString]
    }

    init(_ options: CacheOptions) throws {
        grants = RefGrants(lifetime: options.grantLifetime)
        answers = try AnswerStore(
            options.store, AnswerStore.Options(budget: options.answerBudget))
        mirrors = try MirrorFolder(options.store / "mirrors")
        engine = try UploadPackEngine()
        upstream = Upstream(options.transport)
        let (grants, answers, hasEnded) = (grants, answers, hasEnded)
        let thread = try SystemThread {
            while !hasEnded.wait(milliseconds: Self.houseworkInterval, until: { $0 }) {
                grants.sweep()
                answers.flush()
            }
        }
        housework.withLock { $0 = thread }
    }

    private static let houseworkInterval = 5_000

    /// Ends all that goes on by itself. Once.
    func stop() {
        hasEnded.change { $0 = true }
        housework.withLock { $0.take() }?.join()
        mirrors.stop()
        answers.flush()
    }

    /// Upstream lets the client in: asked anew each time.
    func open(
        _ address: RepositoryAddress, _ credentials: ClientCredentials,
        isGone: () -> Bool
    ) throws -> UploadPack {
        let question = Question(
            repository: address.identity, client: credentials.identity, prefixes: [])
        let session = try asking(address, credentials) {
            try sessions.value(for: question, isGone: isGone) {
                try Blocking.run { [upstream] in try await upstream.open(address, credentials) }
            }
        }
        // Older servers show their refs at once.
        grants.add(
            ShownByUpstream(session: session, refs: session.advertisement.refs),
            address.identity, credentials.identity)
        return session
    }

    /// The session that upstream lately let the client in with; else a new one.
    func session(
        _ address: RepositoryAddress, _ credentials: ClientCredentials, isGone: () -> Bool
    ) throws -> UploadPack {
        if let known = grants.find(address.identity, credentials.identity) {
            return known.shown.session
        }
        return try open(address, credentials, isGone: isGone)
    }

    /// The refs as upstream shows them to the client now.
    func refs(
        _ address: RepositoryAddress, _ credentials: ClientCredentials, _ prefixes: [ByteString],
        isGone: () -> Bool
    ) throws -> (session: UploadPack, refs: AdvertisedRefs) {
        var session = try session(address, credentials, isGone: isGone)
        if let known = session.advertisement.refs {
            // They are as old as the session is.
            session = try open(address, credentials, isGone: isGone)
            return (session, session.advertisement.refs ?? known)
        }
        let question = Question(
            repository: address.identity, client: credentials.identity, prefixes: prefixes)
        let fixed = session
        let refs = try asking(address, credentials) {
            try listings.value(for: question, isGone: isGone) {
                try Blocking.run { [upstream] in
                    try await upstream.refs(of: fixed, prefixes: prefixes)
                }
            }
        }
        grants.add(
            ShownByUpstream(session: session, refs: refs), address.identity, credentials.identity)
        return (fixed, refs)
    }

    /// Where upstream refuses, what it allowed before is over.
    private func asking<Value>(
        _ address: RepositoryAddress, _ credentials: ClientCredentials, _ body: () throws -> Value
    ) throws -> Value {
        do { return try body() } catch let failure as UpstreamFailure {
            if [401, 403, 404, 410].contains(failure.status) {
                grants.remove(address.identity, credentials.identity)
            }
            throw failure
        }
    }
}
