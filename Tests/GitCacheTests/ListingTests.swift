import GitClient
import GitCore
import GitWire
import Synchronization
import TestSupport
import Testing

@testable import GitCache
@testable import GitServer

/// How much an upstream may say of its refs.
@Suite(.timeLimit(.minutes(10))) struct ListingTests {
    /// Shows as many refs as it is told to.
    private struct Server: HTTPTransport {
        let refs: Int
        let name: ByteString

        private final class Body: HTTPBodyStream {
            private let left: Mutex<Int>
            private let line: @Sendable (Int) -> [UInt8]

            init(_ count: Int, _ line: @escaping @Sendable (Int) -> [UInt8]) {
                left = Mutex(count)
                self.line = line
            }

            func next() async throws(ClientError) -> [UInt8]? {
                let range = left.withLock { left in
                    let end = left
                    left = max(-1, left - 500)
                    return left + 1 ..< end + 1
                }
                if range.isEmpty { return nil }
                var bytes: [UInt8] = []
                for number in range.reversed() { bytes += line(number) }
                return bytes
            }
        }

        func send(_ request: HTTPRequest) async throws(ClientError) -> GitClient.HTTPResponse {
            let isListing = request.method == .get
            let kind: ByteString = isListing ? "advertisement" : "result"
            let start = "000eversion 2\n000cls-refs\n0012fetch=shallow\n"
            let (refs, name) = (refs, name)
            return GitClient.HTTPResponse(
                status: 200,
                headers: HTTPHeaders([("content-type", "application/x-git-upload-pack-" + kind)]),
                body: Body(isListing ? 1 : refs) { number in
                    if number == 0 { return Array("0000".utf8) }
                    if isListing { return Array(start.utf8) }
                    let text = "\(refs - number)"
                    let digits = String(repeating: "0", count: 8 - text.utf8.count) + text
                    let line =
                        String(repeating: "1", count: 40) + " refs/heads/\(name)\(digits)\n"
                    let size = String(line.utf8.count + 4, radix: 16)
                    return Array(
                        (String(repeating: "0", count: 4 - size.count) + size + line).utf8)
                })
        }
    }

    private func list(_ refs: Int, name: ByteString = "") async throws -> Int {
        let host = try UpstreamHost(parsing: "forge=http://forge.example/")
        let upstream = GitCache.Upstream(
            UpstreamSender(Server(refs: refs, name: name)), CacheMetrics())
        let session = try await upstream.open(
            RepositoryAddress(host: host, path: ["x.git"]),
            ClientCredentials(RequestHeaders([]), IdentityKey()))
        return try await upstream.refs(of: session, prefixes: []).refs.count
    }

    /// With names of some eighty bytes, or with shorter ones and what they peel to. That more are refused is
    /// tested on a cache that runs.
    @Test func halfAMillionRefsAreFine() async throws {
        let limits = WireLimits.ofListings
        #expect(limits.refs > 500_001 && limits.refs < 600_000)
        #expect(limits.advertisementBytes > 500_001 * 130)
        #expect(try await list(2_000) == 2_000)
    }

    @Test func whatIsTooLongIsRefusedInOneLine() async throws {
        let failure = await #expect(throws: UpstreamFailure.self) {
            try await list(20_000, name: ByteString(String(repeating: "long", count: 900)))
        }
        #expect(failure?.status == 502)
        #expect(failure?.isOutage == false)
        #expect(
            failure?.message
                == "The upstream's answer is too large: the server's refs take more than 67108864 bytes."
        )
    }

    // MARK: Several at once

    private static let limits: LargeListings.Limits = {
        var limits = LargeListings.Limits()
        limits.smallSize = 100
        limits.mostAtOnce = 2
        limits.patience = .milliseconds(300)
        limits.longestTurn = .milliseconds(100)
        return limits
    }()

    private static let patientLimits: LargeListings.Limits = {
        var limits = Self.limits
        limits.patience = .seconds(600)
        return limits
    }()

    @Test func fewLargeOnesAreReadAtOnce() async throws {
        let listings = LargeListings(Self.limits)
        var first: UploadPack.ListingWatch? = listings.watch()
        let second = listings.watch()
        try await first?(101)
        try await second(101)
        // Who has no more than a little needs no turn.
        let third = listings.watch()
        try await third(100)
        let error = await #expect(throws: ClientError.self) { try await third(1) }
        #expect(error?.code == .limit)
        // A turn is over with its listing.
        first = nil
        try await third(1)
        _ = first
    }

    @Test func whoWaitsGetsATurn() async throws {
        let listings = LargeListings(Self.patientLimits)
        var first: UploadPack.ListingWatch? = listings.watch()
        let second = listings.watch()
        try await first?(101)
        try await second(101)
        async let waiting: Void = listings.watch()(101)
        try await Task.sleep(for: .milliseconds(50))
        first = nil
        try await waiting
        _ = first
    }

    /// Who sends slowly does not keep all others away.
    @Test func aTurnDoesNotLastForEver() async throws {
        let listings = LargeListings(Self.patientLimits)
        let (first, second) = (listings.watch(), listings.watch())
        try await first(101)
        try await second(101)
        try await Task.sleep(for: .milliseconds(150))
        // Nobody waits yet.
        try await first(1)
        let waiting = Task { try await listings.watch()(101) }
        let error = await #expect(throws: ClientError.self) {
            while true {
                try await first(1)
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        #expect(error?.code == .limit)
        waiting.cancel()
    }

    @Test func whoIsCancelledWaitsNoMore() async throws {
        let listings = LargeListings(Self.patientLimits)
        let (first, second) = (listings.watch(), listings.watch())
        try await first(101)
        try await second(101)
        let waiting = Task { try await listings.watch()(101) }
        try await Task.sleep(for: .milliseconds(50))
        waiting.cancel()
        let outcome = await waiting.result
        let error = #expect(throws: ClientError.self) { try outcome.get() }
        #expect(error?.code == .cancelled)
        withExtendedLifetime((first, second)) {}
    }
}
