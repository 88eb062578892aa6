import GitCore
import Testing

@testable import GitWire

func decodeFetchV0(
    _ body: [UInt8], _ offer: UploadPackOffer, _ feeding: Feeding = .whole,
    limits: ServingLimits = .standard
) throws(WireError) -> UploadPackRequest? {
    if feeding == .whole {
        return try UploadPackRequest(parsingV0: body, for: offer, limits: limits)
    }
    var decoder = RequestDecoder(UploadPackGrammarV0(offer, limits))
    for chunk in feeding.chunks(body) { try decoder.push(chunk) }
    return try decoder.finish()
}

@Suite struct ServingFetchTests {
    private static func everyDeepen() -> [FetchRequest.Deepen?] {
        [
            nil, .to(depth: 3), .by(depth: 2), .to(depth: UploadPackRequest.infiniteDepth),
            .cut(since: 1_700_000_000, excluding: []), .cut(since: nil, excluding: ["v1", "main"]),
            .cut(since: 0, excluding: ["refs/tags/x"]),
        ]
    }

    private func everything(_ deepen: FetchRequest.Deepen?, v2: Bool) throws -> FetchRequest {
        var request = FetchRequest(wants: [oidA, oidB, oidA])
        request.haves = [oidC, oidA]
        request.isDone = deepen == nil
        request.thinPack = true
        request.includeTag = true
        request.noProgress = true
        request.shallow = [oidB]
        request.deepen = deepen
        request.filter = "blob:limit=1024"
        request.agent = "a/1"
        if v2 {
            request.wantRefs = [.head, try #require(RefName("refs/heads/main"))]
            request.sidebandAll = true
            request.waitForDone = true
            request.packfileURIProtocols = ["https", "http"]
            request.serverOptions = ["o"]
        }
        return request
    }

    private func check(_ got: UploadPackRequest, _ asked: FetchRequest) {
        #expect(got.wants == [oidA, oidB])
        #expect(got.haves == asked.haves)
        #expect(got.rounds.count == 1)
        #expect(got.isDone == asked.isDone)
        #expect(got.thinPack && got.includeTag && got.noProgress && got.ofsDelta)
        #expect(got.shallow == asked.shallow)
        #expect(got.deepen == asked.deepen)
        #expect(got.filter == asked.filter)
        #expect(got.sideBand == .large)
        #expect(got.acknowledgmentMode == .detailed)
        #expect(!got.endsBeforeNegotiation && !got.asksNothing)
    }

    @Test(arguments: Feeding.allCases, everyDeepen())
    func whatTheClientWritesIsReadInVersionTwo(
        _ feeding: Feeding, _ deepen: FetchRequest.Deepen?
    ) throws {
        let offer = UploadPackOffer.all()
        let asked = try everything(deepen, v2: true)
        let body = try asked.encoded(for: try offer.shown()).body
        let command = try #require(try decodeCommand(body, offer, feeding))
        let got = try #require(command.fetch)
        check(got, asked)
        #expect(command.agent == "a/1" && command.serverOptions == ["o"])
        #expect(got.isV2 && got.waitForDone && got.sidebandAll)
        #expect(got.wantRefs == asked.wantRefs)
        #expect(got.packfileURIProtocols == ["https", "http"])
    }

    @Test(arguments: Feeding.allCases, everyDeepen())
    func whatTheClientWritesIsReadInVersionZero(
        _ feeding: Feeding, _ deepen: FetchRequest.Deepen?
    ) throws {
        let offer = UploadPackOffer.all()
        let asked = try everything(deepen, v2: false)
        let list = try offer.list(symrefs: [])
        let body = try asked.encoded(for: try .v0(list.printable)).body
        let got = try #require(try decodeFetchV0(body, offer, feeding))
        check(got, asked)
        #expect(!got.isV2 && got.noDone == !asked.isDone)
        #expect(got.agent == "a/1")
    }

    @Test func withoutSidebandAllThereAreNoPackfileURIs() throws {
        var asked = FetchRequest(wants: [oidA])
        asked.packfileURIProtocols = ["https"]
        let offer = UploadPackOffer.all()
        let body = try asked.encoded(for: try offer.shown()).body
        #expect(try decodeCommand(body, offer)?.fetch?.packfileURIProtocols == [])
    }

    @Test func aRequestMayWantNothing() throws {
        let body = pkt("command=fetch") + delim + pkt("have \(oidA)") + flush
        #expect(try decodeCommand(body, .all())?.fetch?.asksNothing == true)
        #expect(try decodeFetchV0(flush, .all()) == nil)
        #expect(try decodeFetchV0([], .all()) == nil)
        #expect(try decodeFetchV0(pkt("shallow \(oidA)") + flush, .all()) == nil)
    }

    @Test func roundsAreKeptApart() throws {
        let want = pkt("want \(oidA) multi_ack side-band agent=x object-format=sha1 nonsense\n")
        let start = want + pkt("want \(oidB)\n") + flush
        let first = pkt("have \(oidA)\n") + pkt("have \(oidA)\n") + flush
        let two = try #require(
            try decodeFetchV0(start + first + pkt("have \(oidB)") + pkt("done"), .all()))
        #expect(two.wants == [oidA, oidB])
        #expect(two.rounds == [[oidA, oidA], [oidB]] && two.isDone)
        #expect(two.haves == [oidA, oidA, oidB])
        #expect(two.acknowledgmentMode == .multi && two.sideBand == .small && !two.noDone)
        let one = try #require(try decodeFetchV0(start + first, .all()))
        #expect(one.rounds == [[oidA, oidA]] && !one.isDone && !one.endsBeforeNegotiation)
        let none = try #require(try decodeFetchV0(start, .all()))
        #expect(none.rounds == [] && none.endsBeforeNegotiation)
        let clone = try #require(try decodeFetchV0(start + pkt("done\n") + flush, .all()))
        #expect(clone.rounds == [[]] && clone.isDone)
    }

    @Test(arguments: [
        (["want 12"], WireError.Code.malformed), (["have \(oidA)"], .malformed),
        (["want \(oidA)"], .truncated), (["want \(oidA) object-format=sha256"], .unsupported),
        (["want \(oidA) a\u{7f}"], .malformed), (["want \(oidA)", "0001"], .malformed),
        (["want \(oidA)", "filter blob:none", "0000"], .unsupported),
        (["want \(oidA) filter", "filter blob:none", "filter tree:0", "0000"], .unsupported),
        (["want \(oidA)", "deepen 1", "deepen-not x", "0000", "done"], .unsupported),
        (["want \(oidA)", "deepen x", "0000", "done"], .malformed),
        (["want \(oidA)", "shallow \(oidA)0", "0000", "done"], .malformed),
        (["want \(oidA)", "0000", "have \(oidA)"], .truncated),
        (["want \(oidA)", "0000", "have \(oidA) x", "done"], .malformed),
        (["want \(oidA)", "0000", "want \(oidA)", "done"], .malformed),
        (["want \(oidA)", "0000", "done", "have \(oidA)"], .malformed),
        (["want \(oidA)", "0000", "done", "0001"], .malformed),
        (["0000", "want \(oidA)"], .malformed), (["nonsense"], .malformed), ([""], .malformed),
    ])
    func whatIsBrokenIsRefused(_ texts: [String], _ expected: WireError.Code) throws {
        let body = texts.flatMap { $0 == "0001" || $0 == "0000" ? Array($0.utf8) : pkt($0 + "\n") }
        for feeding in Feeding.allCases {
            #expect(
                code { () throws(WireError) in _ = try decodeFetchV0(body, .all(), feeding) }
                    == expected, "\(texts)")
        }
    }

    @Test func thereAreLimits() throws {
        var limits = ServingLimits()
        limits.wants = 1
        limits.haves = 2
        let want = pkt("want \(oidA)")
        let have = pkt("have \(oidA)")
        func got(_ body: [UInt8]) -> WireError.Code? {
            code { () throws(WireError) in _ = try decodeFetchV0(body, .all(), limits: limits) }
        }
        #expect(got(want + want + flush + have + have + pkt("done")) == nil)
        #expect(got(want + pkt("want \(oidB)") + flush) == .limit)
        #expect(got(want + flush + have + have + have) == .limit)
        #expect(got(want + flush + have + flush + have + flush + have) == .limit)
        #expect(got(want + flush + flush + flush + flush) == .limit)
    }

    // MARK: real clients

    private func clone(_ fixture: GitFixture) throws -> String {
        let clone = fixture.directory.appendingPathComponent("clone").path
        try fixture.git([
            "clone", "-q", "--bare", "--single-branch", "-b", "main",
            "file://\(fixture.repository)",
            clone,
        ])
        return clone
    }

    @Test(arguments: [0, 1])
    func whatARealClientSaysInVersionZeroIsRead(_ version: Int) throws {
        let fixture = try GitFixture()
        let clone = try clone(fixture)
        let body = try fixture.recorded(
            "upload-pack", "fetch", ["--depth=2", "--filter=blob:none", "origin", "dev"],
            config: ["protocol.version=\(version)"], in: clone)
        var offer = UploadPackOffer(.sha1, agent: "x")
        offer.filter = true
        let got = try #require(try decodeFetchV0(body, offer))
        #expect(got.wants == [try fixture.oid("dev")])
        #expect(got.haves.first == (try fixture.oid("main")))
        #expect(got.deepen == .to(depth: 2) && got.filter == "blob:none")
        #expect(got.thinPack && got.ofsDelta && got.sideBand == .large)
        #expect(got.acknowledgmentMode == .detailed && got.isDone)
        #expect(got.agent?.hasPrefix("git/") == true)
    }

    @Test func whatARealClientSaysInVersionTwoIsRead() throws {
        let fixture = try GitFixture()
        let clone = try clone(fixture)
        let body = try fixture.recorded(
            "upload-pack", "fetch",
            ["--shallow-since=1600000000", "-o", "opt=1", "origin", "dev"],
            config: ["protocol.version=2"], in: clone)
        // One request after the other, each with a flush packet at its end.
        var decoder = PktLineDecoder()
        decoder.push(body)
        var requests: [CommandRequest?] = []
        var start: UInt64 = 0
        while let line = try decoder.next() {
            guard line == .flush else { continue }
            let request = Array(body[Int(start) ..< Int(decoder.offset)])
            requests.append(try decodeCommand(request, .all()))
            start = decoder.offset
        }
        let refs = try #require(requests.first??.lsRefs)
        #expect(refs.peel && refs.symrefs && refs.prefixes.matches("refs/heads/dev"))
        let fetches = requests.compactMap { $0?.fetch }
        let fetch = try #require(fetches.first)
        #expect(fetch.deepen == .cut(since: 1_600_000_000, excluding: []))
        #expect(fetch.wantRefs.map(\.bytes) == ["refs/heads/dev"])
        #expect(fetch.haves.first == (try fixture.oid("main")))
        #expect(requests.first??.serverOptions == ["opt=1"])
    }
}
