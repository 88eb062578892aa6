import GitCore
import Testing

@testable import GitWire

@Suite struct NegotiationTests {
    private struct Numbers: IteratorProtocol {
        var count = 0
        mutating func next() -> ObjectID? {
            count += 1
            let raw = (0 ..< 20).map { UInt8(truncatingIfNeeded: count >> ($0 * 8 % 32)) }
            return ObjectID(raw: raw.span, .sha1)
        }
    }

    @Test func roundsDoubleUpToTheLargeOneAndThenGrowByATenth() {
        var negotiation = Negotiation()
        var numbers = Numbers()
        let sizes = (0 ..< 13).map { _ in negotiation.nextRound(&numbers).haves.count }
        #expect(sizes.prefix(4) == [16, 32, 64, 128])
        #expect(sizes[10] == 16_384)
        #expect(sizes[11] == 18_018)
    }

    @Test func isDoneWhenThereAreNoMoreCandidates() {
        var negotiation = Negotiation()
        var few = [oidA, oidB].makeIterator()
        #expect(negotiation.nextRound(&few) == .init(haves: [oidA, oidB], isDone: true))
    }

    @Test func sendsAgainWhatIsCommon() {
        var negotiation = Negotiation()
        var numbers = Numbers()
        _ = negotiation.nextRound(&numbers)
        negotiation.acknowledge(oidA)
        negotiation.acknowledge(oidA)
        let round = negotiation.nextRound(&numbers)
        #expect(round.haves.first == oidA)
        #expect(round.haves.count == 33)
        negotiation.end()
        #expect(negotiation.nextRound(&numbers) == .init(haves: [oidA], isDone: true))
    }

    @Test func givesUpAfterTooManyInVainOnceSomethingIsCommon() {
        var negotiation = Negotiation()
        var numbers = Numbers()
        negotiation.acknowledge(oidA)
        var rounds = 0
        while !negotiation.nextRound(&numbers).isDone { rounds += 1 }
        #expect(rounds == 5)  // 16 + 32 + 64 + 128 + 256 is past 256
        for _ in 0 ..< 2_000 { #expect(negotiation.nextRound(&numbers).isDone) }
    }
}
