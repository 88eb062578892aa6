import GitCore
import Testing

@testable import GitWire

/// Requests answered by real git, and what it answered read back.
@Suite struct FetchTests {
    /// What a clone asks: every ref.
    private func cloneRequest(_ fixture: GitFixture) throws -> FetchRequest {
        let refs = try #require(try fixture.advertisement(.v0).refs)
        var request = FetchRequest(wants: refs.refs.map(\.oid))
        request.agent = "apus/test"
        request.includeTag = true
        return request
    }

    @Test(arguments: ProtocolVersion.allCases, Feeding.allCases)
    func clones(_ version: ProtocolVersion, _ feeding: Feeding) throws {
        let fixture = try GitFixture()
        let exchange = try cloneRequest(fixture).encoded(for: try fixture.advertisement(version))
        let got = try Answer(exchange, try fixture.uploadPack(exchange.body, version), feeding)
        #expect(got.outcome == .packReceived)
        #expect(try fixture.index(got.pack) == fixture.allObjects())
        #expect(String(decoding: got.progress, as: UTF8.self).contains("Enumerating objects"))
    }

    @Test(arguments: ProtocolVersion.allCases)
    func clonesASHA256Repository(_ version: ProtocolVersion) throws {
        let fixture = try GitFixture(objectFormat: "sha256")
        let exchange = try cloneRequest(fixture).encoded(for: try fixture.advertisement(version))
        let got = try Answer(exchange, try fixture.uploadPack(exchange.body, version))
        #expect(got.pack.starts(with: "PACK".utf8))
    }

    @Test(arguments: ["side-band-64k", "side-band", ""], ["multi_ack_detailed", "multi_ack", ""])
    func clonesFromOlderServers(_ sideBand: String, _ acknowledgments: String) throws {
        let fixture = try GitFixture()
        let server = try Advertisement.v0("\(sideBand) \(acknowledgments) ofs-delta agent=git/1")
        let exchange = try cloneRequest(fixture).encoded(for: server)
        let bytes = try fixture.uploadPack(exchange.body, .v0)
        for feeding in Feeding.allCases {
            let got = try Answer(exchange, bytes, feeding)
            #expect(got.outcome == .packReceived)
            #expect(got.progress.isEmpty == sideBand.isEmpty)
            #expect(try fixture.index(got.pack) == fixture.allObjects())
        }
    }

    @Test func noProgressIsKept() throws {
        let fixture = try GitFixture()
        for version in ProtocolVersion.allCases {
            var request = try cloneRequest(fixture)
            request.noProgress = true
            let exchange = try request.encoded(for: try fixture.advertisement(version))
            let got = try Answer(exchange, try fixture.uploadPack(exchange.body, version))
            #expect(got.progress.isEmpty)
            #expect(got.outcome == .packReceived)
        }
    }

    @Test(
        arguments: ProtocolVersion.allCases,
        [
            FetchRequest.Deepen.to(depth: 1), .cut(since: 1_700_000_200, excluding: []),
            .cut(since: nil, excluding: ["refs/tags/light"]),
        ])
    func shallowClonesTellTheBoundary(
        _ version: ProtocolVersion, _ deepen: FetchRequest.Deepen
    ) throws {
        let fixture = try GitFixture()
        let main = try fixture.oid("main")
        var request = FetchRequest(wants: [main])
        request.deepen = deepen
        let exchange = try request.encoded(for: try fixture.advertisement(version))
        let bytes = try fixture.uploadPack(exchange.body, version)
        for feeding in Feeding.allCases {
            let got = try Answer(exchange, bytes, feeding)
            #expect(got.shallow == [main])
            #expect(got.outcome == .packReceived)
        }
    }

    @Test(arguments: ProtocolVersion.allCases)
    func deepeningTellsWhatIsNoLongerShallow(_ version: ProtocolVersion) throws {
        let fixture = try GitFixture()
        let main = try fixture.oid("main")
        var request = FetchRequest(wants: [main])
        request.shallow = [main]
        request.haves = [main]
        request.deepen = .by(depth: 1)
        let exchange = try request.encoded(for: try fixture.advertisement(version))
        let got = try Answer(exchange, try fixture.uploadPack(exchange.body, version))
        #expect(got.unshallow == [main])
        #expect(got.shallow == [try fixture.oid("main~1")])
        #expect(got.outcome == .packReceived)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func filtersLeaveBlobsOut(_ version: ProtocolVersion) throws {
        let fixture = try GitFixture()
        var request = try cloneRequest(fixture)
        request.filter = "blob:none"
        let exchange = try request.encoded(for: try fixture.advertisement(version))
        let got = try Answer(exchange, try fixture.uploadPack(exchange.body, version))
        let blobs = try fixture.text([
            "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)",
        ]).split(separator: "\n").filter { $0 == "blob" }.count
        let packed = got.pack[8 ..< 12].reduce(0) { $0 << 8 | Int($1) }
        #expect(packed == (try fixture.allObjects().count) - blobs)
    }

    @Test func wantedRefsAndSidebandAllWork() throws {
        let fixture = try GitFixture()
        let name = try #require(RefName("refs/heads/dev"))
        var request = FetchRequest()
        request.wantRefs = [name]
        request.sidebandAll = true
        let exchange = try request.encoded(for: try fixture.advertisement(.v2))
        let bytes = try fixture.uploadPack(exchange.body, .v2)
        for feeding in Feeding.allCases {
            let got = try Answer(exchange, bytes, feeding)
            #expect(got.wantedRefs == [name: try fixture.oid("dev")])
            #expect(got.outcome == .packReceived)
        }
    }

    /// Git's server sends wanted-refs before shallow-info; the specification has it the other way.
    @Test func wantedRefsMayComeBeforeShallowInfo() throws {
        let fixture = try GitFixture()
        var request = FetchRequest()
        request.wantRefs = [try #require(RefName("refs/heads/dev"))]
        request.deepen = .to(depth: 1)
        let exchange = try request.encoded(for: try fixture.advertisement(.v2))
        let got = try Answer(exchange, try fixture.uploadPack(exchange.body, .v2))
        #expect(got.wantedRefs.count == 1)
        #expect(got.shallow == [try fixture.oid("dev")])
        #expect(got.outcome == .packReceived)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func theServersRefusalIsItsError(_ version: ProtocolVersion) throws {
        let fixture = try GitFixture()
        let exchange = try FetchRequest(wants: [oidA]).encoded(
            for: try fixture.advertisement(version))
        let bytes = try fixture.uploadPack(exchange.body, version)
        let error = #expect(throws: WireError.self) { try Answer(exchange, bytes) }
        #expect(error?.code == .server)
        #expect(error?.message == "remote error: upload-pack: not our ref \(oidA)")
    }

    @Test(arguments: ProtocolVersion.allCases)
    func everyCutIsToldAsTruncated(_ version: ProtocolVersion) throws {
        let fixture = try GitFixture()
        var request = try cloneRequest(fixture)
        request.noProgress = true
        let exchange = try request.encoded(for: try fixture.advertisement(version))
        let whole = try fixture.uploadPack(exchange.body, version)
        for count in 0 ..< whole.count {
            let cut = Array(whole.prefix(count))
            let got = code { () throws(WireError) in _ = try Answer(exchange, cut) }
            #expect(got == .truncated, "\(count) bytes")
        }
        let more = code { () throws(WireError) in _ = try Answer(exchange, whole + [0x30]) }
        #expect(more == .malformed)
    }

    // MARK: incremental

    /// A client that has `has` and fetches dev, round by round, as its `Negotiation` says.
    private func fetch(
        _ fixture: GitFixture, _ server: Advertisement, _ candidates: [ObjectID]
    ) throws -> (Answer, rounds: Int) {
        var negotiation = Negotiation()
        var iterator = candidates.makeIterator()
        var request = FetchRequest(wants: [try fixture.oid("dev")])
        request.thinPack = true
        for round in 1 ... 20 {
            let next = negotiation.nextRound(&iterator)
            (request.haves, request.isDone) = (next.haves, next.isDone)
            let exchange = try request.encoded(for: server)
            let bytes = try fixture.uploadPack(exchange.body, server.version)
            let got = try Answer(exchange, bytes)
            for feeding in Feeding.allCases { #expect(try Answer(exchange, bytes, feeding) == got) }
            if got.outcome == .packReceived { return (got, round) }
            got.common.forEach { negotiation.acknowledge($0) }
            if got.isReady || got.outcome == .continues(isReady: true) { negotiation.end() }
        }
        Issue.record("no pack in 20 rounds")
        throw WireError(.invalid, "")
    }

    private func strangers(_ count: Int) -> [ObjectID] {
        (1 ... count).map { number in
            let raw = (0 ..< 20).map { UInt8(truncatingIfNeeded: number >> ($0 % 2 * 8)) }
            return ObjectID(raw: raw.span, .sha1)
        }
    }

    private static let servers = [
        "2", "multi_ack_detailed no-done side-band-64k thin-pack",
        "multi_ack_detailed side-band-64k thin-pack", "multi_ack side-band", "multi_ack",
    ]

    @Test(arguments: servers) func fetchesOnlyWhatIsNew(_ list: String) throws {
        let fixture = try GitFixture()
        let server =
            try list == "2" ? fixture.advertisement(.v2) : Advertisement.v0(list)
        let main = try fixture.oid("main")
        // One round's worth of strangers first, then what is common, then more of both.
        let (got, rounds) = try fetch(
            fixture, server, strangers(20) + [main, try fixture.oid("main~1")] + strangers(60))
        #expect(rounds > 1)
        // The commit and its tree.
        #expect(got.pack[8 ..< 12].reduce(0) { $0 << 8 | Int($1) } == 2)
    }

    @Test(arguments: servers) func nothingInCommonIsAClone(_ list: String) throws {
        let fixture = try GitFixture()
        let server =
            try list == "2" ? fixture.advertisement(.v2) : Advertisement.v0(list)
        let (got, rounds) = try fetch(fixture, server, strangers(40))
        #expect(rounds == 2)
        #expect(got.common.isEmpty)
        #expect(try fixture.index(got.pack).count > 8)
    }

    @Test(arguments: ["side-band-64k", ""])
    func aServerThatCannotAcknowledgeIsAskedForEverything(_ list: String) throws {
        let fixture = try GitFixture()
        let (got, rounds) = try fetch(fixture, .v0(list), strangers(20) + [try fixture.oid("main")])
        #expect(rounds == 1)
        #expect(try fixture.index(got.pack).count > 8)
    }

    @Test func waitsForDoneIfAsked() throws {
        let fixture = try GitFixture()
        let server = try fixture.advertisement(.v2)
        try #require(server.capabilities.has(feature: "wait-for-done", of: "fetch"))
        var request = FetchRequest(wants: [try fixture.oid("dev")])
        request.haves = [try fixture.oid("main")]
        request.isDone = false
        request.waitForDone = true
        let exchange = try request.encoded(for: server)
        let got = try Answer(exchange, try fixture.uploadPack(exchange.body, .v2))
        #expect(got.outcome == .continues(isReady: false))
        #expect(got.common == request.haves)
    }
}
