import GitCore
import Testing

@testable import GitWire

/// What is no answer to the question that was asked.
@Suite struct FetchGrammarTests {
    private static let pack = pkt("packfile\n") + pkt("\u{1}PACK") + flush
    private static let sideBandPack = pkt("\u{1}PACK") + flush

    private static func v2(_ change: (inout FetchRequest) -> Void = { _ in }) throws
        -> FetchExchange
    {
        var request = FetchRequest(wants: [oidA])
        change(&request)
        return try request.encoded(
            for: .v2(
                fetch: "shallow filter ref-in-want sideband-all packfile-uris wait-for-done"))
    }

    private static func v0(
        _ list: String, _ change: (inout FetchRequest) -> Void = { _ in }
    ) throws -> FetchExchange {
        var request = FetchRequest(wants: [oidA])
        change(&request)
        return try request.encoded(for: .v0(list))
    }

    private func check(
        _ exchange: FetchExchange, _ bytes: [UInt8], _ expected: WireError.Code?,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for feeding in Feeding.allCases {
            let got = code { () throws(WireError) in _ = try Answer(exchange, bytes, feeding) }
            #expect(got == expected, sourceLocation: sourceLocation)
        }
    }

    private func negotiating(_ request: inout FetchRequest) {
        request.haves = [oidB, oidC]
        request.isDone = false
    }

    @Test func versionTwoSectionsComeInOrderAndOnce() throws {
        let exchange = try Self.v2 { $0.deepen = .to(depth: 1) }
        let shallow = pkt("shallow-info") + pkt("shallow \(oidA)\n")
        check(exchange, shallow + delim + Self.pack, nil)
        check(exchange, shallow + delim + shallow + delim + Self.pack, .malformed)
        check(exchange, shallow + Self.pack, .malformed)
        check(exchange, shallow + flush, .truncated)
        check(exchange, delim + Self.pack, .malformed)
        check(exchange, flush, .truncated)
        check(exchange, pkt("surprise") + delim + Self.pack, .malformed)
        check(exchange, pkt("packfile-info") + delim + Self.pack, .malformed)
        check(exchange, pkt("") + Self.pack, .malformed)
        check(exchange, Array("0002".utf8), .malformed)
        check(exchange, Self.pack + flush, .malformed)
        check(exchange, pkt("packfile") + flush, .truncated)
        check(exchange, pkt("packfile") + pkt("\u{1}PACK") + delim, .malformed)
        check(exchange, pkt("packfile") + pkt(""), .malformed)
        check(exchange, pkt("shallow-info") + pkt("unshallow \(oidA)"), .malformed)
        check(exchange, pkt("shallow-info") + pkt("shallow \(oidA) "), .malformed)
    }

    @Test func versionTwoSectionsNotAskedForAreRefused() throws {
        let plain = try Self.v2()
        check(plain, pkt("acknowledgments") + pkt("ready") + delim + Self.pack, .malformed)
        check(plain, pkt("wanted-refs") + delim + Self.pack, .malformed)
        check(plain, pkt("packfile-uris") + delim + Self.pack, .malformed)
        let uris = try Self.v2 { $0.packfileURIProtocols = ["https"] }
        let section = pkt("packfile-uris")
        check(uris, section + pkt("\(oidA) https://example.org/p") + delim + Self.pack, nil)
        check(uris, section + pkt("\(oidA) http://example.org/p"), .malformed)
        check(uris, section + pkt("\(oidA) https://example.org/\u{1b}"), .malformed)
        check(uris, section + pkt("\(oidA) file:///etc/passwd"), .malformed)
        check(uris, section + pkt("https://example.org/p"), .malformed)
        let main = try #require(RefName("refs/heads/main"))
        let refs = try Self.v2 { $0.wantRefs = [main] }
        let told = pkt("\(oidA) refs/heads/main\n")
        check(refs, pkt("wanted-refs") + told + delim + Self.pack, nil)
        check(refs, pkt("wanted-refs") + told + told + delim + Self.pack, .malformed)
        check(refs, pkt("wanted-refs") + pkt("\(oidA) refs/heads/x"), .malformed)
        check(refs, pkt("wanted-refs") + delim + Self.pack, .truncated)
        check(refs, Self.pack, .truncated)
    }

    @Test func versionTwoAcknowledgmentsFollowTheirGrammar() throws {
        let exchange = try Self.v2(negotiating)
        let header = pkt("acknowledgments\n")
        check(exchange, header + pkt("NAK\n") + flush, nil)
        check(exchange, header + flush, nil)
        check(exchange, header + pkt("ACK \(oidB)\n") + pkt("ready\n") + delim + Self.pack, nil)
        check(exchange, header + pkt("ready") + delim + Self.pack, nil)
        check(exchange, header + pkt("NAK") + pkt("NAK"), .malformed)
        check(exchange, header + pkt("NAK") + pkt("ACK \(oidB)"), .malformed)
        check(exchange, header + pkt("ACK \(oidB)") + pkt("NAK"), .malformed)
        check(exchange, header + pkt("ACK \(oidA)"), .malformed)
        check(exchange, header + pkt("ACK \(oidB) common"), .malformed)
        check(exchange, header + pkt("ready") + pkt("ACK \(oidB)"), .malformed)
        check(exchange, header + pkt("ready") + flush, .truncated)
        check(exchange, header + pkt("NAK") + delim + Self.pack, .malformed)
        check(exchange, header + pkt("NAK") + flush + Self.pack, .malformed)
        check(exchange, header + pkt("NAK"), .truncated)
        check(exchange, header + pkt("ready") + delim, .truncated)
        check(exchange, Self.pack, .malformed)
        let waiting = try Self.v2 {
            negotiating(&$0)
            $0.waitForDone = true
        }
        check(waiting, header + pkt("ready") + delim + Self.pack, .malformed)
    }

    @Test func sidebandAllMultiplexesEveryLine() throws {
        let exchange = try Self.v2 { $0.sidebandAll = true }
        let bytes = pkt("\u{1}packfile\n") + pkt("\u{2}") + pkt("\u{1}PACK") + flush
        check(exchange, pkt("\u{2}hi\n") + pkt("\u{2}") + bytes, nil)
        check(exchange, Self.pack, .malformed)
        check(exchange, pkt("\u{3}no"), .server)
        check(exchange, pkt("ERR no"), .server)
        check(exchange, pkt("\u{1}ERR no"), .server)
    }

    @Test func versionZeroCloneFollowsItsGrammar() throws {
        let exchange = try Self.v0("multi_ack_detailed no-done side-band-64k")
        check(exchange, pkt("NAK\n") + Self.sideBandPack, nil)
        check(exchange, pkt("NAK") + pkt("\u{1}") + Self.sideBandPack, nil)
        check(exchange, pkt("NAK") + flush, .truncated)
        check(exchange, pkt("NAK") + Self.sideBandPack + pkt("x"), .malformed)
        check(exchange, pkt("NAKED") + Self.sideBandPack, .malformed)
        check(exchange, pkt("ACK \(oidA)") + Self.sideBandPack, .malformed)
        check(exchange, pkt("ACK \(oidA) common"), .malformed)
        check(exchange, flush + pkt("NAK") + Self.sideBandPack, .malformed)
        check(exchange, delim, .malformed)
        check(exchange, Self.sideBandPack, .malformed)
        check(exchange, pkt("NAK") + Array("PACK".utf8), .malformed)
        check(exchange, pkt("NAK"), .truncated)
        check(exchange, [], .truncated)
        check(exchange, pkt("ERR upload-pack: no"), .server)
        check(exchange, pkt("shallow \(oidA)") + flush + pkt("NAK") + Self.sideBandPack, .malformed)
    }

    @Test func aRawPackEndsWithTheStream() throws {
        let exchange = try Self.v0("multi_ack")
        let got = try Answer(exchange, pkt("NAK") + Array("PACKanything0000".utf8))
        #expect(got.pack == Array("PACKanything0000".utf8))
        check(exchange, pkt("NAK"), .truncated)
    }

    @Test func versionZeroShallowLinesComeFirst() throws {
        let exchange = try Self.v0("side-band-64k shallow") {
            $0.deepen = .to(depth: 2)
            $0.shallow = [oidB]
        }
        let end = pkt("NAK") + Self.sideBandPack
        check(exchange, pkt("shallow \(oidA)") + pkt("unshallow \(oidB)\n") + flush + end, nil)
        check(exchange, flush + end, nil)
        check(exchange, end, .malformed)
        check(exchange, pkt("unshallow \(oidA)") + flush + end, .malformed)
        check(exchange, pkt("shallow \(oidA)") + end, .malformed)
        check(exchange, pkt("shallow \(oidA)"), .truncated)
    }

    @Test func versionZeroRoundsFollowTheirGrammar() throws {
        let detailed = try Self.v0("multi_ack_detailed side-band-64k", negotiating)
        let common = pkt("ACK \(oidB) common\n")
        let ready = pkt("ACK \(oidC) ready\n")
        let last = pkt("ACK \(oidC)\n")
        let end = pkt("NAK\n")
        check(detailed, end, nil)
        check(detailed, common + ready + end, nil)
        check(detailed, common, .truncated)
        check(detailed, end + end, .malformed)
        check(detailed, end + Self.sideBandPack, .malformed)
        check(detailed, last, .malformed)
        check(detailed, pkt("ACK \(oidB) continue"), .malformed)
        check(detailed, pkt("ACK \(oidA) common"), .malformed)
        check(detailed, pkt("ACK \(oidB)common"), .malformed)
        check(detailed, pkt("ACK \(oidB) commonly"), .malformed)
        check(detailed, pkt("ACK "), .malformed)
        check(detailed, common + ready + end + last + Self.sideBandPack, .malformed)

        let noDone = try Self.v0("multi_ack_detailed no-done side-band-64k", negotiating)
        check(noDone, common + end, nil)
        check(noDone, common + ready + end + last + Self.sideBandPack, nil)
        check(noDone, common + ready + end, .truncated)
        check(noDone, common + ready + end + ready, .malformed)
        check(noDone, common + end + last + Self.sideBandPack, .malformed)

        let plain = try Self.v0("multi_ack side-band-64k", negotiating)
        check(plain, pkt("ACK \(oidB) continue") + end, nil)
        check(plain, common + end, .malformed)
        check(plain, ready + end, .malformed)

        let everything = try Self.v0("side-band-64k", negotiating)
        #expect(everything.body == (try Self.v0("side-band-64k")).body)
        check(everything, end + Self.sideBandPack, nil)
        check(everything, last + Self.sideBandPack, .malformed)

        #expect(try Answer(detailed, ready + end).outcome == .continues(isReady: true))
        #expect(try Answer(detailed, common + common + end).common == [oidB, oidB])
    }

    @Test func keepsItsLimitOfLines() throws {
        let exchange = try Self.v0("multi_ack_detailed", negotiating)
        var limits = WireLimits()
        limits.responseLines = 10
        let lines = Array(repeating: pkt("ACK \(oidB) common"), count: 11).joined()
        #expect(
            code { () throws(WireError) in
                _ = try Answer(exchange, Array(lines), limits: limits)
            } == .limit)
    }

    // MARK: requests

    @Test func aVersionZeroCloneLooksLikeGits() throws {
        var request = FetchRequest(wants: [oidA, oidB, oidA])
        request.agent = "apus/1"
        let exchange = try request.encoded(
            for: .v0("multi_ack_detailed side-band side-band-64k ofs-delta agent=git/2 no-done"))
        #expect(
            String(decoding: exchange.body, as: UTF8.self)
                == "006awant \(oidA) multi_ack_detailed side-band-64k ofs-delta agent=apus/1\n"
                + "0032want \(oidB)\n00000009done\n")
    }

    @Test func aVersionTwoCloneLooksLikeGits() throws {
        var request = FetchRequest(wants: [oidA])
        request.includeTag = true
        request.agent = "apus/1"
        request.serverOptions = ["a=b"]
        let exchange = try request.encoded(
            for: .v2(others: ["agent=git/2", "object-format=sha1", "server-option"]))
        #expect(
            String(decoding: exchange.body, as: UTF8.self)
                == "0012command=fetch\n0011agent=apus/1\n0017object-format=sha1\n"
                + "0016server-option=a=b\n00010010include-tag\n000eofs-delta\n"
                + "0032want \(oidA)\n0009done\n0000")
    }

    @Test func whatTheServerDoesNotSupportIsNotAsked() throws {
        let changes: [(inout FetchRequest) -> Void] = [
            { $0.filter = "blob:none" }, { $0.deepen = .to(depth: 1) }, { $0.shallow = [oidB] },
            { $0.deepen = .by(depth: 1) }, { $0.deepen = .cut(since: 1, excluding: []) },
            { $0.wantRefs = [.head] }, { $0.sidebandAll = true }, { $0.waitForDone = true },
            { $0.packfileURIProtocols = ["https"] }, { $0.serverOptions = ["x"] },
        ]
        for change in changes {
            var request = FetchRequest(wants: [oidA])
            change(&request)
            for server in [try Advertisement.v2(), try .v0("thin-pack")] {
                #expect(
                    code { () throws(WireError) in _ = try request.encoded(for: server) }
                        == .unsupported)
            }
        }
    }

    @Test func aRequestWithoutSenseIsInvalid() throws {
        let changes: [(inout FetchRequest) -> Void] = [
            { $0.wants = [] }, { $0.isDone = false }, { $0.deepen = .to(depth: 0) },
            { $0.deepen = .by(depth: -1) }, { $0.deepen = .cut(since: nil, excluding: []) },
            { $0.wants = [.zero(.sha1)] }, { $0.wants = [.zero(.sha256)] },
            { $0.filter = "blob:none\n" }, { $0.agent = "a b" },
        ]
        for change in changes {
            var request = FetchRequest(wants: [oidA])
            change(&request)
            for server in [
                try Advertisement.v2(fetch: "shallow filter", others: ["agent=x"]),
                try .v0("shallow filter deepen-relative agent=x"),
            ] {
                #expect(
                    code { () throws(WireError) in _ = try request.encoded(for: server) }
                        == .invalid)
            }
        }
    }
}
