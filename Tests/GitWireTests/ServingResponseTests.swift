import GitCore
import Testing

@testable import GitWire

@Suite struct ServingResponseTests {
    private let offer = UploadPackOffer.all()

    /// What a client asks, and what a server reads of it.
    private func exchange(
        _ asked: FetchRequest, version: ProtocolVersion = .v2, list: String? = nil
    ) throws -> (FetchExchange, UploadPackRequest) {
        if version == .v2 {
            let exchange = try asked.encoded(for: try offer.shown())
            return (exchange, try #require(try decodeCommand(exchange.body, offer)?.fetch))
        }
        let list = try list ?? offer.list(symrefs: []).printable
        let exchange = try asked.encoded(for: try .v0(list))
        return (exchange, try #require(try decodeFetchV0(exchange.body, offer)))
    }

    private func pack(_ count: Int) -> [UInt8] {
        Array("PACK".utf8) + (0 ..< max(0, count - 4)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    }

    private func write(_ pack: [UInt8], _ writer: inout FetchResponseWriter, by size: Int) {
        pack.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: size) {
                let end = min(bytes.count, start + size)
                writer.pack(UnsafeRawBufferPointer(rebasing: bytes[start ..< end]))
            }
        }
    }

    @Test(arguments: Feeding.allCases, [false, true])
    func everySectionIsRead(_ feeding: Feeding, _ sidebandAll: Bool) throws {
        var asked = FetchRequest(wants: [oidA])
        let main = try #require(RefName("refs/heads/main"))
        asked.wantRefs = [main]
        asked.haves = [oidB, oidC]
        asked.isDone = false
        asked.shallow = [oidC]
        asked.deepen = .to(depth: 1)
        asked.sidebandAll = sidebandAll
        asked.packfileURIProtocols = ["https"]
        let (exchange, request) = try exchange(asked)
        var writer = FetchResponseWriter(request)
        writer.acknowledgments([oidB], isReady: true)
        writer.shallowInfo(shallow: [oidA], unshallow: [oidC])
        writer.progress("half")
        writer.keepAlive()
        try writer.wantedRefs([(name: main, oid: oidA)])
        let uri = PackfileURI(oidB, "https://example.org/p.pack")
        if sidebandAll { try writer.packfileURIs([uri]) }
        writer.beginPack()
        writer.progress("way\n")
        writer.keepAlive()
        write(pack(200_000), &writer, by: 70_000)
        writer.end()
        let got = try Answer(exchange, writer.takeBytes(), feeding)
        #expect(writer.count == 0)
        #expect(got.common == [oidB] && got.isReady)
        #expect(got.wantedRefs == [main: oidA])
        #expect(got.shallow == [oidA] && got.unshallow == [oidC])
        #expect(got.uris == (sidebandAll ? [uri] : []))
        #expect(got.pack == pack(200_000))
        #expect(got.progress == Array((sidebandAll ? "halfway\n" : "way\n").utf8))
        #expect(got.outcome == .packReceived)
    }

    @Test(arguments: [false, true], [[], [oidB]])
    func anAnswerMayEndBehindTheAcknowledgments(
        _ sidebandAll: Bool, _ common: [ObjectID]
    ) throws {
        var asked = FetchRequest(wants: [oidA])
        asked.haves = [oidB]
        asked.isDone = false
        asked.sidebandAll = sidebandAll
        let (exchange, request) = try exchange(asked)
        var writer = FetchResponseWriter(request)
        writer.acknowledgments(common, isReady: false)
        writer.end()
        let got = try Answer(exchange, writer.takeBytes())
        #expect(got.common == common && got.outcome == .continues(isReady: false))
    }

    @Test(arguments: [false, true], [false, true])
    func sectionsAreWrittenAsRealGitWritesThem(_ sidebandAll: Bool, _ deepens: Bool) throws {
        let fixture = try GitFixture()
        let dev = try fixture.oid("dev")
        let have = try fixture.oid("main~1")
        var asked = FetchRequest(wants: [dev])
        let name = try #require(RefName("refs/heads/dev"))
        // Not both: git has them in an order that its own client does not read.
        if deepens { asked.deepen = .to(depth: 1) } else { asked.wantRefs = [name] }
        asked.haves = [have]
        asked.isDone = false
        asked.sidebandAll = sidebandAll
        asked.noProgress = true
        let body = try asked.encoded(for: try fixture.advertisement(.v2)).body
        var offer = offer
        offer.agent = "x"
        let request = try #require(try decodeCommand(body, offer)?.fetch)
        var writer = FetchResponseWriter(request)
        writer.acknowledgments([have], isReady: true)
        if deepens { writer.shallowInfo(shallow: [dev], unshallow: []) }
        if !deepens { try writer.wantedRefs([(name: name, oid: dev)]) }
        writer.beginPack()
        let mine = writer.takeBytes()
        let real = try fixture.uploadPack(body, .v2)
        #expect(ByteString(real.prefix(mine.count)) == ByteString(mine))
    }

    @Test(arguments: [
        "side-band side-band-64k shallow", "side-band shallow", "shallow",
    ])
    func versionZeroIsRead(_ list: String) throws {
        var asked = FetchRequest(wants: [oidA])
        asked.deepen = .to(depth: 1)
        let (exchange, request) = try exchange(asked, version: .v0, list: list)
        for size in [1, 995, 996, 65_515, 65_516, 1 << 20] where size > 900 || list != "shallow" {
            var writer = FetchResponseWriter(request)
            writer.shallowInfo(shallow: [oidA], unshallow: [])
            var acknowledgments = AcknowledgmentsV0(request)
            acknowledgments.done(to: &writer.lines)
            writer.beginPack()
            writer.progress("text")
            writer.keepAlive()
            let bytes = pack(size == 1 ? 3_000 : 300_000)
            write(bytes, &writer, by: size)
            writer.end()
            let got = try Answer(exchange, writer.takeBytes())
            #expect(got.pack == bytes)
            #expect(got.shallow == [oidA])
            #expect(got.progress == Array((list == "shallow" ? "" : "text").utf8))
        }
    }

    @Test(arguments: [(SideBandSize.small, 995), (.large, 65_515)])
    func packetsAreAsLongAsTheyMayBe(_ size: SideBandSize, _ payload: Int) throws {
        var writer = SideBandWriter(size)
        let bytes = pack(payload * 2 + 1)
        bytes.withUnsafeBytes { writer.data($0) }
        writer.end()
        var decoder = PktLineDecoder()
        decoder.push(writer.takeBytes())
        var lengths: [Int] = []
        while case .data(let packet) = try decoder.next() {
            #expect(packet.first == 1)
            lengths.append(packet.count - 1)
        }
        #expect(lengths == [payload, payload, 1])
    }

    @Test func nothingIsWrittenForNothing() {
        for size in [SideBandSize.none, .small, .large] {
            var writer = SideBandWriter(size)
            writer.data(UnsafeRawBufferPointer(start: nil, count: 0))
            writer.progress("")
            writer.error("")
            #expect(writer.takeBytes().isEmpty)
        }
    }

    @Test func errorsAreTheServersWords() throws {
        for (sidebandAll, begins) in [(false, false), (true, false), (false, true)] {
            var asked = FetchRequest(wants: [oidA])
            asked.sidebandAll = sidebandAll
            let (exchange, request) = try exchange(asked)
            var writer = FetchResponseWriter(request)
            if begins { writer.beginPack() }
            writer.error("no\u{1b}[31m \0way\u{7f}")
            let bytes = writer.takeBytes()
            do {
                _ = try Answer(exchange, bytes)
                #expect(Bool(false), "no error")
            } catch {
                #expect(error.code == .server)
                let text = try #require(error.remoteText)
                #expect(!text.bytes.contains { $0 < 0x20 || $0 == 0x7f })
                #expect(text.printable.contains("way"))
            }
        }
    }

    @Test func anErrorPacketHoldsNoMoreThanFits() throws {
        var writer = PktLineWriter()
        writer.error(ByteString(Array(repeating: 0x0a, count: 70_000)))
        writer.error("x")
        var decoder = PktLineDecoder()
        decoder.push(writer.takeBytes())
        guard case .data(let long) = try decoder.next() else { return #expect(Bool(false)) }
        #expect(long.count == PktLine.maximumPayload && !long.contains(0x0a))
        #expect(try decoder.next() == .data(ArraySlice("ERR x".utf8)))
    }

    @Test func aLineThatDoesNotFitIsNotWritten() throws {
        var writer = PktLineWriter()
        writer.band = 1
        #expect(
            code { () throws(WireError) in
                try writer.data(Array(repeating: 0x61, count: PktLine.maximumPayload))
            } == .limit)
        #expect(writer.bytes.isEmpty)
        try writer.data(Array(repeating: 0x61, count: PktLine.maximumPayload - 1))
        #expect(writer.bytes.prefix(5).elementsEqual("fff0\u{01}".utf8))
    }
}
