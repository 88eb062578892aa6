import GitClient
import GitCore
import GitWire
import Synchronization

/// Why upstream did not do what a client asked for.
struct UpstreamFailure: Error {
    /// Upstream's status; 502 where it gave none that can be passed on.
    let status: Int
    /// What a client needs to go on: how to log in, when to come again.
    let headers: [(name: String, value: ByteString)]
    let message: String
}

/// Asks upstreams on behalf of clients: with a client's own credentials, and nothing else that could let
/// it in.
struct Upstream: Sendable {
    private let transport: any HTTPTransport

    init(_ transport: any HTTPTransport) { self.transport = transport }

    /// Asks a repository's upload-pack what it can do.
    func open(
        _ address: RepositoryAddress, _ credentials: ClientCredentials
    ) async throws(UpstreamFailure) -> UploadPack {
        let noted = NotingTransport(transport, address.host)
        do throws(ClientError) {
            var options = address.host.options
            options.extraHeaders += credentials.lines
            let fixed = options
            let remote = try HTTPRemote(
                try address.host.url(of: address.path), transport: noted,
                credentials: NoCredentials(), options: { _ throws(ClientError) in fixed })
            return try await UploadPack(remote)
        } catch { throw noted.failure(error) }
    }

    /// The refs whose names begin with one of the prefixes; all where there are none.
    func refs(
        of session: UploadPack, prefixes: [ByteString]
    ) async throws(UpstreamFailure) -> AdvertisedRefs {
        do throws(ClientError) { return try await session.refs(prefixes: prefixes) } catch {
            throw UpstreamFailure(error)
        }
    }
}

extension UpstreamFailure {
    /// A status that says what to do about it is passed on; what is between this machine and upstream is
    /// no client's business.
    init(_ error: ClientError, headers: [(name: String, value: ByteString)] = []) {
        let isPassedOn = [401, 403, 404, 410, 429, 503].contains(error.status)
        self.init(
            status: isPassedOn ? error.status : 502, headers: isPassedOn ? headers : [],
            message: error.message)
    }
}

/// Notes what upstream says besides its status where it refuses.
private final class NotingTransport: HTTPTransport {
    private let transport: any HTTPTransport
    private let host: UpstreamHost
    private let noted = Mutex<[(name: String, value: ByteString)]>([])

    private static let passedOn = ["www-authenticate", "retry-after"]

    init(_ transport: any HTTPTransport, _ host: UpstreamHost) {
        self.transport = transport
        self.host = host
    }

    func send(_ request: HTTPRequest) async throws(ClientError) -> HTTPResponse {
        guard request.url.origin == host.base.origin else {
            throw ClientError(.redirect, "the upstream redirects to another server")
        }
        var request = request
        // The logins of who runs the cache are not for its clients.
        request.usesNetrc = false
        let response = try await transport.send(request)
        if response.status >= 400 {
            let headers = Self.passedOn.flatMap { name in
                response.headers.all(name).map { (name: name, value: $0) }
            }
            noted.withLock { $0 = headers }
        }
        return response
    }

    func failure(_ error: ClientError) -> UpstreamFailure {
        UpstreamFailure(error, headers: noted.withLock { $0 })
    }
}
