import GitClient
import GitCore
import Testing

@testable import GitCache
@testable import GitServer

@Suite struct LFSGrantsTests {
    private let key = IdentityKey()
    private let start = ContinuousClock.now

    private func address(_ path: ByteString = "x.git") throws -> RepositoryAddress {
        RepositoryAddress(
            host: try UpstreamHost(parsing: "forge=http://forge.example/"), path: [path])
    }

    private func client(_ login: ByteString) -> ClientCredentials {
        ClientCredentials(RequestHeaders([("Authorization", login)]), key)
    }

    private func oid(_ number: Int) throws -> ObjectID {
        let hex = "\(number)"
        return try #require(
            ObjectID(hex: ByteString(String(repeating: "0", count: 64 - hex.count) + hex)))
    }

    private func download(_ number: Int = 1, lifetime: Duration? = nil) throws -> LFSDownload {
        LFSDownload(
            oid: try oid(number), size: 1, url: try GitURL("http://forge.example/o"), headers: [],
            lifetime: lifetime)
    }

    @Test func theTokenOfABatchIsTheRight() throws {
        let grants = LFSGrants(key, lifetime: .seconds(60))
        let token = grants.add([try download()], try address(), client("anna"))
        let other = grants.add([try download(2)], try address(), client("bert"))
        #expect(token.count == 32 && token != other)
        let grant = try #require(grants.find(token, try oid(1), try address()))
        #expect(grant.credentials.map(\.value) == ["anna"])
        #expect(grants.find(token, try oid(2), try address()) == nil)
        #expect(grants.find(other, try oid(1), try address()) == nil)
        #expect(grants.find(token, try oid(1), try address("y.git")) == nil)
        for wrong in ["", token.dropLast(1), token + "0"] as [ByteString] {
            #expect(grants.find(wrong, try oid(1), try address()) == nil)
        }
    }

    @Test func aRightEndsWhenUpstreamSaysOrSoon() throws {
        let grants = LFSGrants(key, lifetime: .seconds(60))
        let token = grants.add(
            [
                try download(1), try download(2, lifetime: .seconds(9)),
                try download(3, lifetime: .seconds(1_000_000)),
            ], try address(), client("anna"), now: start)
        func isThere(_ number: Int, after seconds: Int) throws -> Bool {
            grants.find(token, try oid(number), try address(), now: start + .seconds(seconds))
                != nil
        }
        #expect(try isThere(1, after: 3_599) && !isThere(1, after: 3_600))
        #expect(try isThere(2, after: 8) && !isThere(2, after: 9))
        #expect(try isThere(3, after: 3_599) && !isThere(3, after: 3_600))
        grants.sweep(now: start + .seconds(3_599))
        #expect(try isThere(3, after: 1))
        grants.sweep(now: start + .seconds(3_600))
        #expect(try !isThere(3, after: 1))
    }

    @Test func whereUpstreamDoesNotSayItIsAskedAgain() throws {
        let grants = LFSGrants(key, lifetime: .seconds(60))
        let token = grants.add(
            [try download(1), try download(2, lifetime: .seconds(3_000))], try address(),
            client("anna"), now: start)
        func isFresh(_ number: Int, after seconds: Int) throws -> Bool {
            let now = start + .seconds(seconds)
            return try #require(grants.find(token, try oid(number), try address(), now: now))
                .isFresh
        }
        #expect(try isFresh(1, after: 59) && !isFresh(1, after: 60))
        #expect(try isFresh(2, after: 2_999))
        grants.renew(token, try oid(1), now: start + .seconds(100))
        #expect(try isFresh(1, after: 159) && !isFresh(1, after: 160))
        grants.setLifetime(.seconds(10))
        #expect(try isFresh(1, after: 109) && !isFresh(1, after: 110))
        #expect(try isFresh(2, after: 2_999))
    }

    @Test func whoIsRefusedLosesItsRights() throws {
        let grants = LFSGrants(key, lifetime: .seconds(60))
        let (anna, bert) = (client("anna"), client("bert"))
        let first = grants.add([try download()], try address(), anna)
        let second = grants.add([try download()], try address("y.git"), anna)
        let third = grants.add([try download()], try address(), bert)
        grants.remove(try address().identity, anna.identity)
        #expect(grants.find(first, try oid(1), try address()) == nil)
        #expect(grants.find(second, try oid(1), try address("y.git")) != nil)
        #expect(grants.find(third, try oid(1), try address()) != nil)
        let meant = try address().identity
        grants.removeAll { $0 == meant }
        #expect(grants.find(third, try oid(1), try address()) == nil)
        #expect(grants.find(second, try oid(1), try address("y.git")) != nil)
    }

    @Test func memoryIsBounded() throws {
        let grants = LFSGrants(
            key, lifetime: .seconds(60), LFSGrants.Limits(memory: 100_000))
        let many = try (1 ... 20).map { try download($0) }
        let tokens = try (0 ..< 20).map { _ in
            grants.add(many, try address(), client("anna"))
        }
        let left = try tokens.map { grants.find($0, try oid(1), try address()) != nil }
        #expect(left.first == false && left.last == true)
        // The oldest go first.
        #expect(left == left.sorted { !$0 && $1 })
        // What is alone beyond the bound is not kept.
        let all = try (1 ... 1_000).map { try download($0) }
        let token = grants.add(all, try address(), client("anna"))
        #expect(grants.find(token, try oid(1), try address()) == nil)
    }
}
