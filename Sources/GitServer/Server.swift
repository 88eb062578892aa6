public import GitCore
internal import GitStore

/// What a server serves, and how.
public struct ServerOptions: Sendable {
    public var repositories: any RepositorySource
    public var authorizer: any Authorizer
    /// A name or an address of this machine; empty for all.
    public var address = "127.0.0.1"
    /// 0 for one that is free.
    public var port: UInt16 = 8_080
    public var allowsPush = false
    /// Is handed a line of JSON for each request that is over, on a thread that nothing else needs.
    public var log: (@Sendable (String) -> Void)?
    /// Files in PEM: a certificate chain and its key; without, plain HTTP is spoken.
    public var certificate: ByteString?
    public var key: ByteString?
    /// Requests that are answered at once; more are told to come again.
    public var maximumRequests = 1_024
    public var maximumConnections = 10_000
    /// Of these, from one address; 0 for any number.
    public var maximumConnectionsPerAddress = 0
    /// A connection may be idle for it, and the head of a request has to come in this time.
    public var idleTimeout: Duration = .seconds(60)
    /// Bytes of a request for a fetch, decompressed.
    public var maximumRequestBody: UInt64 = 10 << 20

    public init(repositories: any RepositorySource, authorizer: any Authorizer) {
        self.repositories = repositories
        self.authorizer = authorizer
    }
}

/// A Git server over HTTP.
public final class Server: Sendable {
    /// What it calls itself.
    static let agent: ByteString = "apus/0.1"
    private static let largestCertificate = 4 << 20
    private let http: HTTPServer
    private let recorder: RequestRecorder

    /// Begins to serve.
    ///
    /// - Throws: ``ServerError``.
    public init(_ options: ServerOptions) throws(ServerError) {
        var settings = HTTPServerOptions()
        settings.address = options.address
        settings.port = options.port
        settings.maximumRequests = options.maximumRequests
        settings.maximumConnections = options.maximumConnections
        settings.maximumConnectionsPerAddress = options.maximumConnectionsPerAddress
        settings.headTime = options.idleTimeout
        if let chain = options.certificate, let key = options.key {
            do throws(StoreError) {
                settings.certificate = (
                    try FileSystem.read(chain, limit: Self.largestCertificate),
                    try FileSystem.read(key, limit: Self.largestCertificate)
                )
            } catch { throw ServerError(error) }
        }
        let recorder = try RequestRecorder(options.log)
        let http = try HTTPServer(settings, try SmartHandler(options, recorder))
        recorder.tellLoad { [weak http] in (http?.activeRequests ?? 0, http?.connections ?? 0) }
        self.recorder = recorder
        self.http = http
    }

    public var port: UInt16 { http.port }

    /// Takes no new request, waits until those that run are done or `grace` is over, then ends all.
    /// Once; blocks the calling thread.
    public func stop(grace: Duration = .seconds(10)) {
        http.stop(grace: grace)
        recorder.finish()
    }
}
