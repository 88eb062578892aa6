import CSHA1
import Testing

/// The conditions, in each kernel, on blocks that are made to meet them or nearly.
@Suite struct HashingConditionTests {
    /// In every lane a block that meets all conditions of the vector, or all but one; the lanes
    /// between have any block.
    @Test(arguments: 0 ..< 32)
    func everyConditionOfAVectorCountsInEveryLane(_ number: Int) throws {
        var generator = SplitMix()
        let equations = try #require(HashingEquations(vector: number))
        let each = (0 ..< equations.count).map { UInt32(1) << UInt32($0) }
        for broken in [0] + each {
            for turn in 0 ..< 4 {
                var blocks = HashingBlocks()
                for lane in 0 ..< HashingBlocks.count {
                    let isMade = lane % 2 == turn % 2
                    let block =
                        isMade
                        ? HashingEquations.bytes(equations.block(breaking: broken, &generator))
                        : randomBytes(64, &generator)
                    blocks.set(lane, block)
                    let isMet = blocks.reference(lane) >> UInt32(number) & 1 == 1
                    #expect(!isMade || isMet == (broken == 0))
                }
                let expected = (0 ..< HashingBlocks.count).map(blocks.reference)
                for kernel in hashingKernels {
                    #expect(blocks.candidates(single: kernel) == expected, "kernel \(kernel)")
                    guard let found = blocks.candidates(lanes: kernel) else { continue }
                    #expect(found == expected, "kernel \(kernel)")
                }
            }
        }
    }

    /// A kernel's table has other conditions than the reference, of the same meaning if both refuse
    /// the same blocks. Whether one refuses depends only on which of the reference's conditions
    /// are broken: here is every set of them.
    @Test(arguments: 0 ..< 32)
    func everySetOfBrokenConditionsRefutesTheVector(_ number: Int) throws {
        var generator = SplitMix()
        let equations = try #require(HashingEquations(vector: number))
        let first = HashingEquations.bytes(equations.block(&generator))
        let turns = equations.turns.map { HashingBlocks.packed(HashingEquations.bytes($0)) }
        var block = HashingBlocks.packed(first)
        var blocks = HashingBlocks()
        // Gray's code: from one set to the next, one condition is turned over.
        for step in 0 ..< 1 << equations.count {
            if step > 0 { block ^= turns[step.trailingZeroBitCount] }
            let lane = step % HashingBlocks.count
            blocks.set(lane, block)
            guard lane == HashingBlocks.count - 1 else { continue }
            let expected = (0 ... lane).map { step - lane + $0 == 0 }
            for kernel in hashingKernels {
                let found = blocks.candidates(lanes: kernel) ?? blocks.candidates(single: kernel)
                let isMet = found.map { $0 >> UInt32(number) & 1 == 1 }
                if isMet != expected {
                    Issue.record("kernel \(kernel), step \(step) from \(first)")
                    return
                }
            }
        }
    }

    @Test func theLastBlocksOfAttacksAreCandidates() {
        for attack in HashingCollisionTests.attacks {
            var blocks = HashingBlocks()
            for lane in 0 ..< HashingBlocks.count { blocks.set(lane, Array(attack.suffix(64))) }
            let expected = (0 ..< HashingBlocks.count).map(blocks.reference)
            #expect(expected[0] != 0)
            for kernel in hashingKernels {
                #expect(blocks.candidates(single: kernel) == expected)
                if let found = blocks.candidates(lanes: kernel) { #expect(found == expected) }
            }
        }
    }

    @Test(arguments: 0 ..< 32)
    func triesTheOtherBlockOfTheDefinition(_ number: Int) {
        var generator = SplitMix()
        for _ in 0 ..< 20 {
            let words = HashingReference.expand(randomBytes(64, &generator)[...])
            let before = (0 ..< 5).map { _ in generator.next() as UInt32 }
            let after = HashingReference.compress(before, words)
            var other: [UInt32] = [0, 0, 0, 0, 0]
            csha1_counterpart(UInt32(number), before, after, words.reversed(), &other)
            #expect(other == HashingReference.counterpart(number, before, words))
        }
    }
}
