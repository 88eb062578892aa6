import CSHA1
import Foundation
import Testing

/// The conditions and the trial of the other block, in each kernel, against `HashingReference`.
@Suite struct HashingConditionTests {
    typealias Rule = HashingReference.Rule

    /// Megabytes to compare: APUS_TEST_HASHING_MEGABYTES in the environment for more.
    private static let megabytes =
        ProcessInfo.processInfo.environment["APUS_TEST_HASHING_MEGABYTES"].flatMap { Int($0) } ?? 2

    @Test func everyKernelExpandsAndJudgesBlocksAsTheDefinitionDoes() {
        var generator = SystemRandomNumberGenerator()
        var met: UInt32 = 0
        for _ in 0 ..< Self.megabytes {
            let bytes = randomBytes(1 << 20, &generator)
            for start in stride(from: 0, to: bytes.count, by: 64) {
                let block = bytes[start ..< start + 64]
                let words = HashingReference.expand(block)
                let expected = HashingReference.candidates(words)
                met |= expected
                for kernel in hashingKernels {
                    var schedule = [UInt32](repeating: 0, count: 80)
                    let ran = block.withUnsafeBufferPointer {
                        csha1_expand(kernel, $0.baseAddress, &schedule)
                    }
                    if !ran || schedule != words.reversed()
                        || csha1_candidates(kernel, schedule) != expected
                    {
                        Issue.record("kernel \(kernel): \(block)")
                        return
                    }
                }
            }
        }
        #expect(met != 0)
    }

    /// Words made to meet all conditions of a vector, then all but one, for each one.
    @Test(arguments: 0 ..< 32)
    func everyConditionOfAVectorCounts(_ number: Int) {
        var generator = SystemRandomNumberGenerator()
        let rules = HashingReference.rulesByVector[number]
        let k = HashingReference.Vector.all[number].k
        for broken in [nil] + rules.indices.map(Optional.some) {
            for _ in 0 ..< 4 {
                let words = Self.words(meeting: rules, breaking: broken, k, &generator)
                let expected = HashingReference.candidates(words)
                #expect(expected >> UInt32(number) & 1 == (broken == nil ? 1 : 0))
                for kernel in hashingKernels {
                    #expect(csha1_candidates(kernel, words.reversed()) == expected)
                }
            }
        }
    }

    private struct Bit: Hashable {
        let step, bit: Int
    }

    /// Random words in which all rules hold but the one of index `broken`.
    ///
    /// The rules are the edges of a forest over the bits: from any bit of a tree, each edge decides
    /// the next one.
    private static func words(
        meeting rules: [Rule], breaking broken: Int?, _ k: Int,
        _ generator: inout some RandomNumberGenerator
    ) -> [UInt32] {
        var edges: [Bit: [(to: Bit, differs: Bool)]] = [:]
        for (index, rule) in rules.enumerated() {
            let first = Bit(step: k + rule.first.step, bit: rule.first.bit)
            let second = Bit(step: k + rule.second.step, bit: rule.second.bit)
            let differs = rule.differs != (index == broken)
            edges[first, default: []].append((second, differs))
            edges[second, default: []].append((first, differs))
        }
        var words = (0 ..< 80).map { _ in generator.next() as UInt32 }
        var decided: Set<Bit> = []
        for start in edges.keys where decided.insert(start).inserted {
            var reached = [start]
            while let from = reached.popLast() {
                let value = words[from.step] >> UInt32(from.bit) & 1
                for edge in edges[from] ?? [] where decided.insert(edge.to).inserted {
                    let next = edge.differs ? 1 - value : value
                    words[edge.to.step] &= ~(1 << UInt32(edge.to.bit))
                    words[edge.to.step] |= next << UInt32(edge.to.bit)
                    reached.append(edge.to)
                }
            }
        }
        return words
    }

    @Test func theLastBlocksOfAttacksAreCandidates() {
        for attack in HashingCollisionTests.attacks {
            let words = HashingReference.expand(attack[(attack.count - 64)...])
            let expected = HashingReference.candidates(words)
            #expect(expected != 0)
            for kernel in hashingKernels {
                #expect(csha1_candidates(kernel, words.reversed()) == expected)
            }
        }
    }

    @Test(arguments: 0 ..< 32)
    func triesTheOtherBlockOfTheDefinition(_ number: Int) {
        var generator = SystemRandomNumberGenerator()
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
