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
    let turns = GenerationTurns()
    let key = IdentityKey()
    let metrics = CacheMetrics()
    let lfsGrants: LFSGrants
    let forwarder: Forwarder
    private let upstream: Upstream
    private let hasEnded = Monitor(false)
    private let lastMoment = Mutex<ContinuousClock.Instant?>(nil)
    private let housework = Mutex<SystemThread?>(nil)
    private let sessions = SharedRuns<Question, UpstreamSession>()
    private let listings = SharedRuns<Question, AdvertisedRefs>()

    /// What is asked of upstream, and with whose credentials.
    private struct Question: Hashable {
        let repository: ByteString
        let client: ClientIdentity
        let prefixes: [ByteString]
    }

    /// - Parameter note: is told of what no request is about.
    init(_ options: CacheOptions, note: @escaping @Sendable (String) -> Void) throws {
        grants = RefGrants(options.grantLimits)
        lfsGrants = LFSGrants(key, lifetime: options.grantLifetime)
        answers = try AnswerStore(
            options.store, AnswerStore.Options(budget: options.answerBudget))
        mirrors = try MirrorFolder(
            options.store / "mirrors", budget: options.mirrorBudget,
            limits: MirrorLimits(packSize: options.maximumPackSize), note: note)
        engine = try UploadPackEngine()
        let sender = UpstreamSender(options.transport)
        upstream = Upstream(sender, metrics)
        forwarder = Forwarder(sender, key)
        let (grants, lfsGrants) = (grants, lfsGrants)
        let (answers, mirrors, engine) = (answers, mirrors, engine)
        let hasEnded = hasEnded
        let thread = try SystemThread {
            while !hasEnded.wait(milliseconds: Self.houseworkInterval, until: { $0 }) {
                grants.sweep()
                lfsGrants.sweep()
                answers.flush()
                mirrors.endUnwantedFetches()
                for mirror in mirrors.keepWithinBudget() + mirrors.closeIdle() {
                    engine.forget(mirror.repository)
                }
            }
        }
        housework.withLock { $0 = thread }
    }

    private static let houseworkInterval = 5_000

    /// What is done for requests that clients do not wait for any more may take so long yet.
    func willStop(in grace: Duration) { lastMoment.withLock { $0 = .now + grace } }

    /// Whether there is no time for that any more.
    var isOver: Bool { lastMoment.withLock { $0 }.map { $0 < .now } ?? false }

    /// Ends all that goes on by itself. Once.
    func stop() {
        hasEnded.change { $0 = true }
        housework.withLock { $0.take() }?.join()
        mirrors.stop()
        answers.flush()
    }

    /// Upstream lets the client in: asked anew each time. Where it is away, what it showed before.
    ///
    /// - Throws: ``UpstreamFailure``, ``CacheError/Code/cancelled``.
    func open(
        _ address: RepositoryAddress, _ credentials: ClientCredentials, isGone: () -> Bool
    ) throws -> ShownByUpstream {
        let question = Question(
            repository: address.identity, client: credentials.identity, prefixes: [])
        return try orStale(address, credentials) {
            let session = try sessions.value(for: question, isGone: isGone) {
                [upstream] in try await upstream.open(address, credentials)
            }
            // Older servers show their refs at once.
            let offer = session.pack.advertisement
            let shown = ShownByUpstream(
                format: offer.objectFormat, session: session, refs: offer.refs)
            grants.add(shown, address.identity, credentials.identity)
            return shown
        }
    }

    /// What upstream showed the client lately; else as ``open(_:_:isGone:)``.
    func standing(
        _ address: RepositoryAddress, _ credentials: ClientCredentials, isGone: () -> Bool
    ) throws -> ShownByUpstream {
        if let known = grants.find(address.identity, credentials.identity) { return known.shown }
        return try open(address, credentials, isGone: isGone)
    }

    /// The refs as upstream shows them to the client now. Where it is away, those that it showed before.
    ///
    /// - Throws: as ``open(_:_:isGone:)``.
    func refs(
        _ address: RepositoryAddress, _ credentials: ClientCredentials, _ prefixes: [ByteString],
        isGone: () -> Bool
    ) throws -> (shown: ShownByUpstream, refs: AdvertisedRefs) {
        let standing = try standing(address, credentials, isGone: isGone)
        guard let session = standing.session, session.pack.advertisement.refs == nil else {
            // They are as old as the session is.
            let shown = try open(address, credentials, isGone: isGone)
            if let refs = shown.refs { return (shown, refs) }
            return try refs(address, credentials, prefixes, isGone: isGone)
        }
        let question = Question(
            repository: address.identity, client: credentials.identity, prefixes: prefixes)
        let shown = try orStale(address, credentials) {
            let refs = try listings.value(for: question, isGone: isGone) {
                [upstream] in try await upstream.refs(of: session, prefixes: prefixes)
            }
            let shown = ShownByUpstream(
                format: standing.format, session: session, refs: refs, isWhole: prefixes.isEmpty)
            grants.add(shown, prefixes: prefixes, address.identity, credentials.identity)
            return shown
        }
        guard let refs = shown.refs else { throw CacheError(.cancelled, "no answer") }
        return (shown, refs)
    }

    /// Where upstream refuses, what it allowed before is over.
    func asking<Value>(
        _ address: RepositoryAddress, _ credentials: ClientCredentials, _ body: () throws -> Value
    ) throws -> Value {
        do { return try body() } catch let failure as UpstreamFailure {
            if failure.isRefusal { forget(address, credentials.identity) }
            throw failure
        }
    }

    /// Upstream refused a client.
    func forget(_ address: RepositoryAddress, _ client: ClientIdentity) {
        grants.remove(address.identity, client)
        lfsGrants.remove(address.identity, client)
    }

    /// Has a mirror not used again, if the error says that it is damaged, nor what was made from it: that was not
    /// held against the names of all objects.
    func suspect(_ mirror: Mirror, _ error: StoreError) {
        guard mirrors.suspect(mirror, error) else { return }
        // What cannot be removed is found by nobody until the next start; then `verify` is needed.
        _ = try? answers.purge(mirror.name)
        engine.forget(mirror.repository)
    }

    private func orStale(
        _ address: RepositoryAddress, _ credentials: ClientCredentials,
        _ body: () throws -> ShownByUpstream
    ) throws -> ShownByUpstream {
        do { return try asking(address, credentials, body) } catch let failure as UpstreamFailure {
            guard failure.isOutage,
                let known = grants.findStale(address.identity, credentials.identity)
            else { throw failure }
            return known
        }
    }
}
