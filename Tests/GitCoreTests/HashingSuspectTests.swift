import CSHA1
import Testing

/// The trial of the other block in lanes, on suspects that are made to be found guilty or not.
///
/// No collision can be made for each vector. But the state between the two chaining values decides
/// what the other block leads to, and that is the difference of the two: so any difference does,
/// with the chaining values chosen last.
@Suite struct HashingSuspectTests {
    private struct Suspect {
        let vector: Int
        let block: [UInt8]
        let before, after: [UInt32]
        let isGuilty: Bool

        /// Guilty; or, with a bit that is turned over in the chaining value after the block, not.
        init(vector: Int, turning bit: Int?, _ generator: inout some RandomNumberGenerator) {
            self.vector = vector
            block = randomBytes(64, &generator)
            let words = HashingReference.expand(block[...])
            let start = (0 ..< 5).map { _ in generator.next() as UInt32 }
            let end = HashingReference.compress(start, words)
            var after = HashingReference.counterpart(vector, start, words)
            if let bit { after[bit / 32] ^= 1 << UInt32(bit % 32) }
            self.after = after
            before = (0 ..< 5).map { after[$0] &- (end[$0] &- start[$0]) }
            isGuilty = bit == nil
        }
    }

    /// Which of the suspects are found guilty when they come in this order.
    private static func found(_ suspects: [Suspect], kernel: UInt8) -> [Bool]? {
        guard let lanes = csha1_lanes_new(kernel) else { return nil }
        defer { csha1_lanes_free(lanes) }
        // Numbers up to the largest, in another order than the suspects.
        let numbers = suspects.indices.map { UInt32(CSHA1_MESSAGES - 1) - UInt32($0 * 7 % 1_000) }
        for (number, suspect) in zip(numbers, suspects) {
            csha1_lanes_suspect(
                lanes, number, UInt32(suspect.vector), suspect.block, suspect.before, suspect.after)
        }
        let isAny = csha1_lanes_confirm(lanes)
        let result = numbers.map { csha1_lanes_attacked(lanes, $0) }
        #expect(isAny == result.contains(true))
        // What was said is forgotten.
        #expect(!csha1_lanes_confirm(lanes))
        return result
    }

    private static let parallelKernels = hashingKernels.filter { csha1_lane_count($0) > 0 }

    @Test(arguments: 0 ..< 32)
    func findsTheGuiltyOfAVectorInEveryLane(_ vector: Int) {
        var generator = SplitMix()
        let others = (0 ..< 32).map {
            Suspect(vector: $0, turning: Int.random(in: 0 ..< 160, using: &generator), &generator)
        }
        for kernel in Self.parallelKernels {
            let lanes = Int(csha1_lane_count(kernel))
            for before in 0 ..< lanes {
                for after in [0, 1, lanes - 1 - before, lanes] {
                    // The others are of both queues, in proportion.
                    var suspects = others.shuffled()[..<(before + after)]
                    suspects.insert(
                        Suspect(vector: vector, turning: nil, &generator), at: before)
                    let expected = suspects.map(\.isGuilty)
                    #expect(
                        Self.found(Array(suspects), kernel: kernel) == expected,
                        "kernel \(kernel), after \(before), before \(after)")
                }
            }
        }
    }

    /// One bit of the 160 is enough to be let go.
    @Test(arguments: 0 ..< 32)
    func acquitsWhateverIsNotEqual(_ vector: Int) {
        var generator = SplitMix()
        let suspects = (0 ..< 160).map { Suspect(vector: vector, turning: $0, &generator) }
        for kernel in Self.parallelKernels {
            #expect(Self.found(suspects, kernel: kernel) == suspects.map { _ in false })
        }
    }

    @Test func tellsManyOfAllVectorsApart() {
        var generator = SplitMix()
        for count in 1 ... 100 {
            let suspects = (0 ..< count).map { _ in
                Suspect(
                    vector: Int.random(in: 0 ..< 32, using: &generator),
                    turning: Bool.random(using: &generator)
                        ? Int.random(in: 0 ..< 160, using: &generator) : nil, &generator)
            }
            for kernel in Self.parallelKernels {
                #expect(Self.found(suspects, kernel: kernel) == suspects.map(\.isGuilty))
            }
        }
    }

    /// What the suspects rest on: the single trial finds the same.
    @Test(arguments: 0 ..< 32)
    func theGuiltyAreGuiltyInTheSingleTrialToo(_ vector: Int) {
        var generator = SplitMix()
        for bit in [nil, 0, 159] {
            let suspect = Suspect(vector: vector, turning: bit, &generator)
            var other: [UInt32] = [0, 0, 0, 0, 0]
            csha1_counterpart(
                UInt32(vector), suspect.before, suspect.after,
                HashingReference.expand(suspect.block[...]).reversed(), &other)
            #expect((other == suspect.after) == suspect.isGuilty)
        }
    }
}
