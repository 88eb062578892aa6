import GitCore
import Testing

@testable import GitWire

/// Requests with a few bytes changed: whatever comes of them, it is no crash.
@Suite struct ServingMutationTests {
    private let offer = UploadPackOffer.all()

    private func asked(_ version: ProtocolVersion) throws -> [UInt8] {
        var request = FetchRequest(wants: [oidA, oidB])
        request.haves = [oidC]
        request.isDone = false
        request.deepen = .cut(since: 17, excluding: ["x"])
        request.filter = "blob:none"
        request.shallow = [oidC]
        let server =
            version == .v2
            ? try offer.shown() : try Advertisement.v0(try offer.list(symrefs: []).printable)
        return try request.encoded(for: server).body
    }

    @Test func fetches() throws {
        let new = mutate(try asked(.v2), seed: 4) { (bytes, feeding) throws(WireError) in
            _ = try decodeCommand(bytes, .all(), feeding)
        }
        #expect(new.taken > 0 && new.refused > 0)
        let old = mutate(try asked(.v0), seed: 5) { (bytes, feeding) throws(WireError) in
            _ = try decodeFetchV0(bytes, .all(), feeding)
        }
        #expect(old.taken > 0 && old.refused > 0)
    }

    @Test func lists() throws {
        let body = try LsRefsRequest(prefixes: ["refs/", "HEAD"], agent: "x")
            .encoded(for: try offer.shown())
        let got = mutate(body, seed: 6) { (bytes, feeding) throws(WireError) in
            _ = try decodeCommand(bytes, .all(), feeding)
        }
        #expect(got.taken > 0 && got.refused > 0)
    }

    @Test func pushes() throws {
        var offer = ReceivePackOffer(.sha1)
        offer.pushOptions = true
        let body =
            pkt("shallow \(oidA)\n")
            + pkt("\(oidA) \(oidB) refs/heads/x\0report-status push-options atomic quiet\n")
            + pkt("\(oidA) \(ObjectID.zero(.sha1)) refs/heads/y\n") + flush + pkt("option\n")
            + flush + Array("PACK\0\0\0\u{02}".utf8)
        let got = mutate(body, seed: 7) { [offer] (bytes, feeding) throws(WireError) in
            _ = try decodePush(bytes, offer, feeding)
        }
        #expect(got.taken > 0 && got.refused > 0)
    }
}
