import GitClient
import GitCore
import GitStore
import GitWire
import Synchronization

/// A repository of an upstream that let a client in.
struct UpstreamSession: Sendable {
    let pack: UploadPack
    private let host: UpstreamHost
    private let client: ClientIdentity
    private let noted: NotingTransport
    private let upstream: Upstream

    fileprivate init(
        _ address: RepositoryAddress, _ credentials: ClientCredentials, _ upstream: Upstream
    ) async throws {
        let (host, client) = (address.host, credentials.identity)
        let noted = NotingTransport(upstream.sender, host, client, upstream.metrics)
        pack = try await upstream.asking(.capabilities, host, client, noted) {
            () throws(ClientError) in
            var options = address.host.options
            options.extraHeaders += credentials.lines
            // Whether to wait is the client's business.
            options.waitsForServer = false
            let fixed = options
            let remote = try HTTPRemote(
                try address.host.url(of: address.path), transport: noted,
                credentials: NoCredentials(), options: { _ throws(ClientError) in fixed })
            return try await UploadPack(
                remote, limits: .ofListings, watch: upstream.listings.watch())
        }
        self.host = host
        self.client = client
        self.noted = noted
        self.upstream = upstream
    }

    /// Does what asks upstream for something, if upstream may be asked.
    ///
    /// - Throws: ``UpstreamFailure``; the `StoreError` where `body` failed with that.
    func asking<Value: Sendable>(
        _ phase: CacheMetrics.Phase, _ body: () async throws(ClientError) -> Value
    ) async throws -> Value {
        try await upstream.asking(phase, host, client, noted, body)
    }
}

/// Asks upstreams on behalf of clients: with a client's own credentials, and nothing else that could let
/// it in.
struct Upstream: Sendable {
    fileprivate let sender: UpstreamSender
    fileprivate let metrics: CacheMetrics
    fileprivate let listings = LargeListings()

    init(_ sender: UpstreamSender, _ metrics: CacheMetrics) {
        self.sender = sender
        self.metrics = metrics
    }

    /// Asks a repository's upload-pack what it can do.
    ///
    /// - Throws: ``UpstreamFailure``.
    func open(
        _ address: RepositoryAddress, _ credentials: ClientCredentials
    ) async throws -> UpstreamSession {
        try await UpstreamSession(address, credentials, self)
    }

    /// The refs whose names begin with one of the prefixes; all where there are none.
    ///
    /// - Throws: ``UpstreamFailure``.
    func refs(
        of session: UpstreamSession, prefixes: [ByteString]
    ) async throws -> AdvertisedRefs {
        try await session.asking(.refs) { () throws(ClientError) in
            try await session.pack.refs(prefixes: prefixes, watch: listings.watch())
        }
    }

    fileprivate func asking<Value: Sendable>(
        _ phase: CacheMetrics.Phase, _ host: UpstreamHost, _ client: ClientIdentity,
        _ noted: NotingTransport, _ body: () async throws(ClientError) -> Value
    ) async throws -> Value {
        try sender.admit(host, client)
        let start = ContinuousClock.now
        defer { metrics.add(phase, ContinuousClock.now - start) }
        do throws(ClientError) { return try await body() } catch {
            if let cause = error.cause as? StoreError { throw cause }
            if error.code == .cancelled { throw CacheError(.cancelled, "nobody waits") }
            throw UpstreamFailure(error, headers: noted.headers)
        }
    }
}

/// Notes what upstream says besides its status where it refuses.
private final class NotingTransport: HTTPTransport {
    private let sender: UpstreamSender
    private let host: UpstreamHost
    private let client: ClientIdentity
    private let metrics: CacheMetrics
    private let noted = Mutex<[(name: String, value: ByteString)]>([])

    private static let passedOn = ["www-authenticate", "retry-after"]

    init(
        _ sender: UpstreamSender, _ host: UpstreamHost, _ client: ClientIdentity,
        _ metrics: CacheMetrics
    ) {
        self.sender = sender
        self.host = host
        self.client = client
        self.metrics = metrics
    }

    func send(_ request: HTTPRequest) async throws(ClientError) -> HTTPResponse {
        guard request.url.origin == host.base.origin else {
            throw ClientError(.redirect, "the upstream redirects to another server")
        }
        var request = request
        // The logins of who runs the cache are not for its clients.
        request.usesNetrc = false
        noted.withLock { $0 = [] }
        let response = try await sender.send(request, to: host, of: client)
        if response.status >= 400 {
            let headers = Self.passedOn.flatMap { name in
                response.headers.all(name).map { (name: name, value: $0) }
            }
            noted.withLock { $0 = headers }
        }
        return HTTPResponse(
            status: response.status, headers: response.headers,
            body: CountedBody(response.body, metrics))
    }

    /// What came with the last refusal.
    var headers: [(name: String, value: ByteString)] { noted.withLock { $0 } }
}

/// Counts the bytes of an answer.
private final class CountedBody: HTTPBodyStream {
    private let body: any HTTPBodyStream
    private let metrics: CacheMetrics

    init(_ body: any HTTPBodyStream, _ metrics: CacheMetrics) {
        self.body = body
        self.metrics = metrics
    }

    func next() async throws(ClientError) -> [UInt8]? {
        let piece = try await body.next()
        metrics.receive(piece?.count ?? 0)
        return piece
    }
}
