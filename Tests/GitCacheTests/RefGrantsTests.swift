import GitClient
import GitCore
import GitWire
import Synchronization
import Testing

@testable import GitCache
@testable import GitServer

@Suite(.timeLimit(.minutes(10)))
struct RefGrantsTests {
    private let key = IdentityKey()
    private let grants = RefGrants(RefGrants.Limits(lifetime: .seconds(60)))
    private let anna: ClientIdentity
    private let bert: ClientIdentity

    init() {
        anna = key.identity(of: ["authorization: anna"])
        bert = key.identity(of: ["authorization: bert"])
    }

    /// Answers every request with what a server of version 2 can do.
    private struct Server: HTTPTransport {
        final class Body: HTTPBodyStream {
            private let bytes: Mutex<[UInt8]?>
            init(_ text: String) { bytes = Mutex(Array(text.utf8)) }
            func next() async throws(ClientError) -> [UInt8]? { bytes.withLock { $0.take() } }
        }

        func send(_ request: HTTPRequest) async throws(ClientError) -> GitClient.HTTPResponse {
            GitClient.HTTPResponse(
                status: 200,
                headers: HTTPHeaders([
                    ("content-type", "application/x-git-upload-pack-advertisement")
                ]), body: Body("000eversion 2\n000cls-refs\n0012fetch=shallow\n0000"))
        }
    }

    private func shown(_ names: [ByteString: Int], isWhole: Bool) async throws -> ShownByUpstream {
        let host = try UpstreamHost(parsing: "forge=http://forge.example/")
        let session = try await Upstream(UpstreamSender(Server()), CacheMetrics()).open(
            RepositoryAddress(host: host, path: ["x.git"]),
            ClientCredentials(RequestHeaders([]), key))
        var lines: [UInt8] = []
        var writer = PktLineWriter()
        for (name, number) in names.sorted(by: { $0.key < $1.key }) {
            try writer.data("\(oid(number)) \(name)\n".utf8)
        }
        writer.flush()
        lines += writer.bytes
        var decoder = LsRefsDecoder(session.pack.advertisement)
        try decoder.push(lines)
        return ShownByUpstream(
            format: .sha1, session: session, refs: try decoder.finish(), isWhole: isWhole)
    }

    private func oid(_ number: Int) throws -> ObjectID {
        try #require(ObjectID(hex: ByteString(String(repeating: "\(number)", count: 40))))
    }

    private func names(_ client: ClientIdentity) -> [ByteString]? {
        grants.find("forge/x", client)?.shown.refs?.refs.map(\.name.bytes)
    }

    @Test func aPartDoesNotHideTheRest() async throws {
        grants.add(
            try await shown(["refs/heads/a": 1, "refs/tags/t": 2], isWhole: true), "forge/x", anna)
        grants.add(
            try await shown(["refs/heads/b": 3], isWhole: false), prefixes: ["refs/heads/"],
            "forge/x", anna)
        // What was under the prefix and is not shown any more is gone.
        #expect(names(anna) == ["refs/heads/b", "refs/tags/t"])
        let found = try #require(grants.find("forge/x", anna))
        #expect(found.shown.isWhole)
        // It may still be asked for.
        #expect(Set(found.tips) == Set(try [1, 2, 3].map(oid)))
        #expect(names(bert) == nil)
        #expect(grants.find("forge/y", anna) == nil)
    }

    @Test func aPartAloneIsNotTheWhole() async throws {
        grants.add(
            try await shown(["refs/heads/b": 3], isWhole: false), prefixes: ["refs/heads/"],
            "forge/x", anna)
        #expect(try #require(grants.find("forge/x", anna)).shown.isWhole == false)
    }

    @Test func aPartDoesNotMakeTheRestCountForLonger() async throws {
        grants.setLimits(RefGrants.Limits(lifetime: .milliseconds(600)))
        grants.add(
            try await shown(["refs/heads/a": 1, "refs/tags/t": 2], isWhole: true), "forge/x", anna)
        let part = try await shown(["refs/heads/b": 3], isWhole: false)
        let start = ContinuousClock.now
        while let found = grants.find("forge/x", anna), found.shown.refs?.refs.count == 2 {
            grants.add(part, prefixes: ["refs/heads/"], "forge/x", anna)
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(ContinuousClock.now - start < .seconds(240))
    }

    @Test func whatIsTooLongAgoIsNoRight() async throws {
        grants.setLimits(RefGrants.Limits(lifetime: .milliseconds(50), staleness: .seconds(60)))
        grants.add(try await shown(["refs/heads/a": 1], isWhole: true), "forge/x", anna)
        try await Task.sleep(for: .milliseconds(60))
        #expect(grants.find("forge/x", anna) == nil)
        // While upstream is away, where that is wanted.
        for _ in 0 ..< 2 {
            let stale = try #require(grants.findStale("forge/x", anna))
            #expect(stale.refs?.refs.count == 1)
            #expect(stale.session == nil)
            grants.sweep()
        }
        #expect(grants.findStale("forge/x", bert) == nil)
        grants.setLimits(RefGrants.Limits(lifetime: .milliseconds(50)))
        #expect(grants.findStale("forge/x", anna) == nil)
    }

    /// Whoever comes with another cookie each time is another client each time.
    @Test func manyClientsTakeNoMoreThanTheRoom() async throws {
        let grants = RefGrants(RefGrants.Limits(lifetime: .seconds(60)), room: 100)
        let refs = Dictionary(
            uniqueKeysWithValues: (0 ..< 9).map { (ByteString("refs/heads/\($0)"), $0 + 1) })
        let all = try await shown(refs, isWhole: true)
        let clients = (0 ..< 1_000).map { key.identity(of: [ByteString("cookie: \($0)")]) }
        for client in clients { grants.add(all, "forge/x", client) }
        let known = clients.filter { grants.find("forge/x", $0) != nil }
        // Nine refs, nine tips.
        #expect((1 ... 5).contains(known.count))
        #expect(known.last == clients.last)
        let large = try await shown(
            Dictionary(
                uniqueKeysWithValues: (0 ..< 200).map { (ByteString("refs/heads/\($0)"), 1) }),
            isWhole: true)
        grants.add(large, "forge/x", anna)
        #expect(grants.find("forge/x", anna) != nil)
        #expect(clients.allSatisfy { grants.find("forge/x", $0) == nil })
    }

    /// A server may show more than it was asked for.
    @Test func noNameIsThereTwice() async throws {
        grants.add(
            try await shown(["refs/heads/a": 1, "refs/tags/t": 2], isWhole: true), "forge/x", anna)
        grants.add(
            try await shown(["refs/heads/b": 3, "refs/tags/t": 4], isWhole: false),
            prefixes: ["refs/heads/"], "forge/x", anna)
        let refs = try #require(grants.find("forge/x", anna)?.shown.refs?.refs)
        #expect(refs.map(\.name.bytes) == ["refs/heads/b", "refs/tags/t"])
        #expect(try refs.map(\.oid) == [3, 4].map(oid))
    }

    /// Tens of thousands of prefixes, tens of thousands of refs: a billion of pairs.
    @Test func manyPrefixesTakeNoTime() async throws {
        let many = (0 ..< 40_000).map { ByteString("refs/heads/\($0)") }
        let all = try await shown(
            Dictionary(uniqueKeysWithValues: many.map { ($0, 1) }), isWhole: true)
        grants.add(all, "forge/x", anna)
        let part = try await shown([:], isWhole: false)
        let start = ContinuousClock.now
        grants.add(
            part, prefixes: (0 ..< 65_000).map { ByteString("refs/heads/x/\($0)") }, "forge/x", anna
        )
        #expect(ContinuousClock.now - start < .seconds(20))
        #expect(names(anna)?.count == 40_000)
    }

    @Test func aRefusalEndsIt() async throws {
        grants.setLimits(RefGrants.Limits(lifetime: .seconds(60), staleness: .seconds(60)))
        grants.add(try await shown(["refs/heads/a": 1], isWhole: true), "forge/x", anna)
        grants.remove("forge/x", anna)
        #expect(grants.find("forge/x", anna) == nil)
        #expect(grants.findStale("forge/x", anna) == nil)
    }
}
