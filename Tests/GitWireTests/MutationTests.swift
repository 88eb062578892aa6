import GitCore
import Testing

@testable import GitWire

/// Real answers with a few bytes changed: whatever comes of them, it is no crash.
@Suite struct MutationTests {
    @Test(arguments: ProtocolVersion.allCases)
    func advertisements(_ version: ProtocolVersion) throws {
        let bytes = try GitFixture().infoRefs(version)
        let got = mutate(bytes, seed: 1) { (bytes, feeding) throws(WireError) in
            _ = try decodeAdvertisement(bytes, feeding)
        }
        #expect(got.taken > 0 && got.refused > 0)
    }

    @Test func refs() throws {
        let fixture = try GitFixture()
        let server = try fixture.advertisement(.v2)
        let bytes = try fixture.uploadPack(try LsRefsRequest().encoded(for: server), .v2)
        let got = mutate(bytes, seed: 2) { (bytes, feeding) throws(WireError) in
            _ = try decodeLsRefs(bytes, server, feeding)
        }
        #expect(got.taken > 0 && got.refused > 0)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func answers(_ version: ProtocolVersion) throws {
        let fixture = try GitFixture()
        var request = FetchRequest(wants: [try fixture.oid("dev")])
        request.haves = [try fixture.oid("main~1")]
        request.deepen = .to(depth: 1)
        request.shallow = [try fixture.oid("main~1")]
        request.isDone = false
        let exchange = try request.encoded(for: try fixture.advertisement(version))
        let bytes = try fixture.uploadPack(exchange.body, version)
        let got = mutate(bytes, seed: 3) { (bytes, feeding) throws(WireError) in
            _ = try Answer(exchange, bytes, feeding)
        }
        #expect(got.taken > 0 && got.refused > 0)
    }
}

/// Random numbers that are the same in every run.
struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

/// Calls `body` with mutations of `bytes`, and says how many it took and refused.
func mutate(
    _ bytes: [UInt8], seed: UInt64, _ body: ([UInt8], Feeding) throws(WireError) -> Void
) -> (taken: Int, refused: Int) {
    var generator = Generator(state: seed)
    var taken = 0
    var refused = 0
    for round in 0 ..< 1_500 {
        var mutated = bytes
        for _ in 0 ... Int.random(in: 0 ..< 4, using: &generator) where !mutated.isEmpty {
            let place = Int.random(in: 0 ..< mutated.count, using: &generator)
            switch Int.random(in: 0 ..< 5, using: &generator) {
            case 0: mutated[place] = UInt8.random(in: 0 ... 255, using: &generator)
            case 1: mutated[place] ^= 1 << UInt8.random(in: 0 ..< 8, using: &generator)
            case 2: mutated.remove(at: place)
            case 3: mutated.insert(0x30, at: place)
            default: mutated.removeSubrange(place ..< min(place + 40, mutated.count))
            }
        }
        do {
            try body(mutated, round % 4 == 0 ? .bySevens : .whole)
            taken += 1
        } catch {
            #expect(!error.message.utf8.contains { $0 < 0x20 || $0 == 0x7f }, "\(error)")
            refused += 1
        }
    }
    return (taken, refused)
}
