import GitClient
import GitCore
import Testing

@testable import GitCache

@Suite struct UpstreamHealthTests {
    private let health = UpstreamHealth()
    private let anna = IdentityKey().identity(of: ["authorization: anna"])
    private let bert = IdentityKey().identity(of: ["authorization: bert"])

    private func failure(_ status: Int, retryAfter: ByteString? = nil) -> UpstreamFailure {
        UpstreamFailure(
            ClientError(.httpStatus, "no", status: status),
            headers: retryAfter.map { [("retry-after", $0)] } ?? [])
    }

    private func isAdmitted(_ host: ByteString, _ client: ClientIdentity) -> Bool {
        do throws(UpstreamFailure) {
            try health.admit(host, client)
            return true
        } catch { return false }
    }

    @Test func aHostThatFailsAgainAndAgainIsLeftAlone() throws {
        for _ in 0 ..< UpstreamHealth.patience {
            #expect(isAdmitted("forge", anna))
            health.failed("forge", anna, failure(502))
        }
        let refusal = #expect(throws: UpstreamFailure.self) { try health.admit("forge", bert) }
        #expect(refusal?.status == 503)
        #expect((1 ... 30).contains(refusal?.retryAfter ?? 0))
        #expect(isAdmitted("other", anna))
    }

    @Test func anAnswerEndsTheCounting() {
        for _ in 0 ..< UpstreamHealth.patience * 3 {
            health.failed("forge", anna, failure(502))
            health.succeeded("forge")
            #expect(isAdmitted("forge", anna))
        }
        // A refusal is one.
        for _ in 0 ..< UpstreamHealth.patience * 3 {
            health.failed("forge", anna, failure(502))
            health.failed("forge", anna, failure(404))
            #expect(isAdmitted("forge", anna))
        }
    }

    @Test func tooManyRequestsCountForWhoMadeThem() throws {
        health.failed("forge", anna, failure(429, retryAfter: "100"))
        let refusal = #expect(throws: UpstreamFailure.self) { try health.admit("forge", anna) }
        #expect(refusal?.status == 429)
        #expect((95 ... 160).contains(refusal?.retryAfter ?? 0))
        #expect(isAdmitted("forge", bert))
    }

    @Test func noTimeCountsForAll() {
        health.failed("forge", anna, failure(503, retryAfter: "100"))
        #expect(!isAdmitted("forge", bert))
    }

    @Test func whatIsNoNumberIsNoWait() {
        health.failed("forge", anna, failure(429, retryAfter: "-5"))
        health.failed("forge", anna, failure(429, retryAfter: "soon"))
        health.failed("forge", anna, failure(503, retryAfter: "99999999999999999999"))
        #expect(isAdmitted("forge", anna))
    }

    @Test func oneTriesWhetherItIsBack() async throws {
        health.failed("forge", anna, failure(503, retryAfter: "1"))
        #expect(!isAdmitted("forge", anna))
        try await Task.sleep(for: .milliseconds(1_100))
        #expect(isAdmitted("forge", anna))
        #expect(!isAdmitted("forge", bert))
        health.succeeded("forge")
        #expect(isAdmitted("forge", bert))
    }

    @Test func noAddressIsToldToClients() {
        let error = ClientError(.network, "unable to access 'http://10.0.0.1/x': refused")
        let failure = UpstreamFailure(error)
        #expect(failure.status == 502)
        #expect(!failure.message.contains("10.0.0.1"))
        #expect(failure.reason.contains("10.0.0.1"))
    }
}
