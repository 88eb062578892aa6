internal import GitServer
internal import GitStore

/// A cache for the clients of some upstreams: `http://<address>:<port>/<host>/<path>` stands for
/// `https://<host>/<path>`.
///
/// What a client sees of a repository is what upstream shows it at that moment, with its own credentials.
/// The objects are fetched from upstream once for all.
public final class Cache: Sendable {
    private let http: HTTPServer
    private let recorder: RequestRecorder
    private let core: CacheCore

    /// Begins to serve.
    ///
    /// - Throws: ``CacheError``, `ServerError`.
    public init(_ options: CacheOptions) throws {
        guard !options.upstreams.isEmpty else {
            throw CacheError(.invalid, "a cache needs an upstream")
        }
        let recorder = try RequestRecorder(options.log)
        let core = try CacheCore(options, note: { recorder.note($0) })
        var settings = HTTPServerOptions()
        settings.address = options.address
        settings.port = options.port
        let http = try HTTPServer(settings, CacheHandler(core, options.upstreams, recorder))
        recorder.tellLoad { [weak http] in (http?.activeRequests ?? 0, http?.connections ?? 0) }
        self.http = http
        self.core = core
        self.recorder = recorder
    }

    public var port: UInt16 { http.port }

    /// Takes no new request, waits until those that run are done or `grace` is over, then ends all.
    /// Once; blocks the calling thread.
    public func stop(grace: Duration = .seconds(10)) {
        http.stop(grace: grace)
        core.stop()
        recorder.finish()
    }
}
