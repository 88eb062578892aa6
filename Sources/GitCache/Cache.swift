internal import GitServer
internal import GitStore
import Synchronization

/// A cache for the clients of some upstreams: `http://<address>:<port>/<host>/<path>` stands for
/// `https://<host>/<path>`.
///
/// What a client sees of a repository is what upstream shows it at that moment, with its own credentials.
/// The objects are fetched from upstream once for all.
///
/// One process at a time has a store; it may be killed at any moment, and what the next one finds there is
/// checked before its first use.
public final class Cache: Sendable {
    private let http: HTTPServer
    private let recorder: RequestRecorder
    private let core: CacheCore
    private let hosts: UpstreamHosts
    /// Those in force. Held while they are changed.
    private let options: Mutex<CacheOptions>
    private let control: ControlServer

    /// Begins to serve, on threads of its own.
    ///
    /// - Throws: ``CacheError``: ``CacheError/Code/locked`` where another process has the store; and
    ///   GitServer's `ServerError` where the address cannot be listened at.
    public init(_ options: CacheOptions) throws {
        try options.check()
        let recorder = try RequestRecorder(options.logsRequests ? options.log : nil)
        let core = try CacheCore(options, note: { recorder.note($0) })
        let hosts = UpstreamHosts(options.upstreams)
        var settings = HTTPServerOptions()
        settings.address = options.address
        settings.port = options.port
        settings.maximumConnectionsPerAddress = options.maximumConnectionsPerAddress
        let http = try HTTPServer(settings, CacheHandler(core, hosts, recorder))
        control = try ControlServer(core, hosts, http, recorder, in: options.store)
        recorder.tellMore { page in
            core.metrics.tell(&page, answers: core.answers.statistics, queue: core.turns.load)
        }
        recorder.tellLoad { [weak http] in (http?.activeRequests ?? 0, http?.connections ?? 0) }
        self.http = http
        self.core = core
        self.recorder = recorder
        self.hosts = hosts
        self.options = Mutex(options)
    }

    /// Where it listens: the port of the options, or the one that was free where they have 0.
    public var port: UInt16 { http.port }

    /// Goes on with other options: upstreams and how they are reached, the budgets, how long what they showed
    /// counts, the grace. No connection is closed, and what runs goes on as it began; a host that is not among the
    /// upstreams any more is refused to new requests, and what clients were shown by one that is gone or
    /// changed is no right any more.
    ///
    /// - Returns: the settings, as in a file, that are others in `options` but cannot be changed while the
    ///   cache runs: they are left as they are.
    /// - Throws: ``CacheError``; then nothing is changed.
    public func reload(_ options: CacheOptions) throws(CacheError) -> [String] {
        try options.check()
        return self.options.withLock { current in
            var next = options
            let left = next.keepFixed(of: current)
            hosts.replace(by: next.upstreams)
            let isCurrent = hosts.currentEditions
            core.grants.removeAll { !isCurrent($0) }
            core.lfsGrants.removeAll { !isCurrent($0) }
            core.grants.setLimits(next.grantLimits)
            core.lfsGrants.setLifetime(next.grantLifetime)
            core.answers.setBudget(next.answerBudget)
            core.mirrors.setBudget(next.mirrorBudget)
            core.mirrors.limits.maximumPackSize = next.maximumPackSize
            current = next
            return left
        }
    }

    /// Takes no new request, waits until those that run are done or `grace` (that of the options where it is
    /// nil) is over, then ends all. Once; blocks the calling thread.
    public func stop(grace: Duration? = nil) {
        let grace = grace ?? options.withLock { $0.grace }
        core.willStop(in: grace)
        http.stop(grace: grace)
        control.stop()
        core.stop()
        recorder.finish()
    }
}

extension CacheOptions {
    fileprivate func check() throws(CacheError) {
        guard !upstreams.isEmpty else { throw CacheError(.invalid, "a cache needs an upstream") }
        guard answerBudget > 0 else {
            throw CacheError(.invalid, "a cache needs room for answers")
        }
    }

    /// Takes over what cannot be changed, and says what of it was to be.
    fileprivate mutating func keepFixed(of old: CacheOptions) -> [String] {
        var names: [String] = []
        if store != old.store { names.append("cache.store") }
        if (address, port) != (old.address, old.port) { names.append("cache.listen") }
        if maximumConnectionsPerAddress != old.maximumConnectionsPerAddress {
            names.append("cache.maxConnectionsPerAddress")
        }
        if logsRequests != old.logsRequests { names.append("cache.log") }
        (store, address, port) = (old.store, old.address, old.port)
        maximumConnectionsPerAddress = old.maximumConnectionsPerAddress
        (log, logsRequests, transport) = (old.log, old.logsRequests, old.transport)
        return names
    }
}
