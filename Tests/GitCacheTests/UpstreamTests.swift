import GitClient
import GitCore
import Synchronization
import Testing

@testable import GitCache
@testable import GitServer

/// What upstream is asked, and with what.
@Suite(.timeLimit(.minutes(10)))
struct UpstreamTests {
    /// Answers everything with one status.
    private final class Refusing: HTTPTransport {
        private final class Empty: HTTPBodyStream {
            func next() async throws(ClientError) -> [UInt8]? { nil }
        }

        let seen = Mutex<[HTTPRequest]>([])
        private let status: Int

        init(_ status: Int) { self.status = status }

        func send(_ request: HTTPRequest) async throws(ClientError) -> GitClient.HTTPResponse {
            seen.withLock { $0.append(request) }
            return GitClient.HTTPResponse(
                status: status, headers: HTTPHeaders([("retry-after", "7")]), body: Empty())
        }
    }

    private func open(_ transport: Refusing, _ headers: [(name: ByteString, value: ByteString)])
        async throws -> UpstreamFailure
    {
        let host = try UpstreamHost(parsing: "forge=http://forge.example/")
        do {
            _ = try await Upstream(UpstreamSender(transport), CacheMetrics()).open(
                RepositoryAddress(host: host, path: ["x.git"]),
                ClientCredentials(RequestHeaders(headers), IdentityKey()))
        } catch let failure as UpstreamFailure { return failure }
        throw CacheError(.invalid, "nothing was refused")
    }

    /// Whoever says that he gets too many requests gets no more of them.
    @Test(arguments: [429, 502, 503, 504])
    func whoHasNoTimeIsAskedOnce(status: Int) async throws {
        let transport = Refusing(status)
        let failure = try await open(transport, [])
        #expect(failure.status == status || (failure.status == 502 && status == 504))
        #expect(failure.retryAfter == (status == 429 || status == 503 ? 7 : nil))
        #expect(transport.seen.withLock(\.count) == 1)
    }

    /// Such a login is the connection's: whoever comes next on it would be let in by that.
    @Test(arguments: [
        ("Negotiate YIIZ", true), ("NTLM TlRM", true), ("ntlm TlRM", true), ("Basic YTpi", false),
        ("Bearer ntlm", false), ("", false),
    ])
    func aLoginOfAConnectionHasItAlone(login: String, isAlone: Bool) async throws {
        let transport = Refusing(404)
        _ = try await open(transport, [("authorization", ByteString(login))])
        #expect(transport.seen.withLock { $0.map(\.hasOwnConnection) } == [isAlone])
    }
}
