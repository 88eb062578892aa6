import GitCore
import Synchronization
import Testing

@testable import GitCache
@testable import GitClient

@Suite struct UpstreamHealthTests {
    private let health = UpstreamHealth()
    private let anna = IdentityKey().identity(of: ["authorization: anna"])
    private let bert = IdentityKey().identity(of: ["authorization: bert"])

    private func isAdmitted(_ host: ByteString, _ client: ClientIdentity) -> Bool {
        do throws(UpstreamFailure) {
            try health.admit(host, client)
            return true
        } catch { return false }
    }

    @Test func aHostThatIsNotReachedAgainAndAgainIsLeftAlone() throws {
        for _ in 0 ..< UpstreamHealth.patience {
            #expect(isAdmitted("forge", anna))
            health.unreached("forge")
        }
        let refusal = #expect(throws: UpstreamFailure.self) { try health.admit("forge", bert) }
        #expect(refusal?.status == 503)
        #expect((1 ... 30).contains(refusal?.retryAfter ?? 0))
        #expect(isAdmitted("other", anna))
    }

    /// A refusal is one, and so is what a gateway says of one repository.
    @Test(arguments: [200, 404, 500, 502, 503, 504, 429])
    func anyAnswerEndsTheCounting(status: Int) {
        for _ in 0 ..< UpstreamHealth.patience * 3 {
            health.unreached("forge")
            health.answered("forge", anna, status: status)
            #expect(isAdmitted("forge", anna))
        }
    }

    @Test func tooManyRequestsCountForWhoMadeThem() throws {
        health.answered("forge", anna, status: 429, retryAfter: "100")
        let refusal = #expect(throws: UpstreamFailure.self) { try health.admit("forge", anna) }
        #expect(refusal?.status == 429)
        #expect((95 ... 160).contains(refusal?.retryAfter ?? 0))
        #expect(isAdmitted("forge", bert))
    }

    @Test func noTimeCountsForAll() {
        health.answered("forge", anna, status: 503, retryAfter: "100")
        #expect(!isAdmitted("forge", bert))
    }

    /// What was asked before comes to its end meanwhile.
    @Test func answersToOthersDoNotShortenTheTime() {
        health.answered("forge", anna, status: 503, retryAfter: "100")
        health.answered("forge", bert, status: 200)
        #expect(!isAdmitted("forge", bert))
        for _ in 0 ..< UpstreamHealth.patience { health.unreached("forge") }
        let refusal = #expect(throws: UpstreamFailure.self) { try health.admit("forge", bert) }
        #expect(refusal?.retryAfter ?? 0 >= 95)
    }

    @Test func whatIsNoNumberIsNoWait() {
        health.answered("forge", anna, status: 429, retryAfter: "-5")
        health.answered("forge", anna, status: 429, retryAfter: "soon")
        health.answered("forge", anna, status: 503, retryAfter: "99999999999999999999")
        #expect(isAdmitted("forge", anna))
    }

    @Test func oneTriesWhetherItIsBack() async throws {
        health.answered("forge", anna, status: 503, retryAfter: "1")
        #expect(!isAdmitted("forge", anna))
        try await Task.sleep(for: .milliseconds(1_100))
        #expect(isAdmitted("forge", anna))
        #expect(!isAdmitted("forge", bert))
        health.answered("forge", anna, status: 200)
        #expect(isAdmitted("forge", bert))
    }

    @Test func noAddressIsToldToClients() {
        let error = ClientError(.network, "unable to access 'http://10.0.0.1/x': refused")
        let failure = UpstreamFailure(error)
        #expect(failure.status == 502)
        #expect(!failure.message.contains("10.0.0.1"))
        #expect(failure.reason.contains("10.0.0.1"))
    }

    // MARK: What counts

    /// Fails in one way.
    private struct Failing: HTTPTransport {
        let error: ClientError

        func send(_ request: HTTPRequest) async throws(ClientError) -> HTTPResponse { throw error }
    }

    private static func failure(isTimeout: Bool = false, isUnreached: Bool = false) -> ClientError {
        ClientError(
            .network, "no", isBeforeAnswer: !isUnreached, isTimeout: isTimeout,
            isUnreached: isUnreached)
    }

    private static let hasNoConnection = failure(isUnreached: true)
    private static let isLate = failure(isTimeout: true, isUnreached: true)
    private static let isReset = failure()

    /// A connection that ends says nothing of the host, and one who sends slowly may make it late.
    @Test(arguments: [
        (hasNoConnection, false, true), (hasNoConnection, true, true), (isLate, false, true),
        (isLate, true, false), (isReset, false, false), (isReset, true, false),
        (.cancelled, false, false),
    ])
    func whatIsNotReachedCounts(error: ClientError, uploads: Bool, counts: Bool) async throws {
        let host = try UpstreamHost(parsing: "forge=http://forge.example/")
        let sender = UpstreamSender(Failing(error: error))
        var request = HTTPRequest(.post, host.base)
        if uploads { request.body = .upload(HTTPUpload()) }
        for _ in 0 ..< UpstreamHealth.patience + 1 {
            _ = try? await sender.send(request, to: host, of: anna)
        }
        let refusal = Result { () throws(UpstreamFailure) in try sender.admit(host, bert) }
        #expect((try? refusal.get()) == nil ? counts : !counts)
    }
}
