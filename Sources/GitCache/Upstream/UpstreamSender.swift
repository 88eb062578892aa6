import GitClient
import GitCore

/// The way to upstreams, for fetches and for what is forwarded: none is asked that is to be left alone, and
/// how each fares is noted.
struct UpstreamSender: Sendable {
    let transport: any HTTPTransport
    let health: UpstreamHealth

    init(_ transport: any HTTPTransport, _ health: UpstreamHealth = UpstreamHealth()) {
        self.transport = transport
        self.health = health
    }

    /// Whether the host may be asked now.
    ///
    /// - Throws: ``UpstreamFailure`` that says when to come again.
    func admit(_ host: UpstreamHost, _ client: ClientIdentity) throws(UpstreamFailure) {
        try health.admit(host.identity, client)
    }

    /// Sends a request to a host that may be asked.
    func send(
        _ request: HTTPRequest, to host: UpstreamHost, of client: ClientIdentity
    ) async throws(ClientError) -> HTTPResponse {
        do throws(ClientError) {
            let response = try await transport.send(request)
            health.answered(
                host.identity, client, status: response.status,
                retryAfter: response.headers["retry-after"])
            return response
        } catch {
            // What takes too long may be the client's own body.
            let isOurs = if case .upload = request.body { error.isTimeout } else { false }
            if error.isUnreached, !isOurs { health.unreached(host.identity) }
            throw error
        }
    }
}
