import CSHA1
import Foundation
import Testing

/// Random blocks in every kernel against `HashingReference`.
@Suite struct HashingComparisonTests {
    /// Megabytes to compare: APUS_TEST_HASHING_MEGABYTES in the environment for more.
    private static let wanted =
        ProcessInfo.processInfo.environment["APUS_TEST_HASHING_MEGABYTES"].flatMap { Int($0) }

    /// Blocks of a message; there is a message for each lane.
    private static let depth = 8

    /// What the reference says of a message.
    private struct Verdict {
        /// The blocks expanded, and the vectors whose conditions they meet.
        let words: [[UInt32]]
        let candidates: [UInt32]
        /// The digest without padding, as lanes give it, and with it.
        let chained, digest: [UInt8]

        init(_ message: [UInt8]) {
            words = stride(from: 0, to: message.count, by: 64).map {
                HashingReference.expand(message[$0 ..< $0 + 64])
            }
            candidates = words.map(HashingReference.candidates)
            let state = words.reduce(HashingReference.initial, HashingReference.compress)
            chained = HashingReference.digest(state)
            digest = HashingReference.digest(HashingReference.compress(state, Self.padding))
        }

        private static let padding: [UInt32] = {
            var block = [0x80] + [UInt8](repeating: 0, count: 63)
            block[62] = UInt8((depth * 64 * 8) >> 8)
            return HashingReference.expand(block[...])
        }()
    }

    @Test func everyKernelHashesAndJudgesBlocksAsTheDefinitionDoes() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SplitMix(state: seed)
        let rounds = (Self.wanted ?? 2) * 1_000_000 / (HashingBlocks.count * Self.depth * 64)
        var met: UInt32 = 0
        var suspects = 0
        for round in 0 ..< rounds {
            let messages = (0 ..< HashingBlocks.count).map { _ in
                randomBytes(Self.depth * 64, &generator)
            }
            let verdicts = messages.map(Verdict.init)
            for candidates in verdicts.lazy.flatMap(\.candidates) where candidates != 0 {
                met |= candidates
                suspects += 1
            }
            for kernel in hashingKernels {
                guard
                    zip(messages, verdicts).allSatisfy({ Self.single(kernel, says: $1, of: $0) }),
                    Self.lanes(kernel, say: verdicts, of: messages)
                else {
                    Issue.record("kernel \(kernel), round \(round) from seed \(seed)")
                    return
                }
            }
        }
        #expect(met != 0)
        if Self.wanted != nil {
            let blocks = rounds * HashingBlocks.count * Self.depth
            print("\(blocks) blocks equal (seed \(seed)), of which \(suspects) meet conditions")
            #expect(met == .max)
        }
    }

    private static func single(
        _ kernel: UInt8, says verdict: Verdict, of message: [UInt8]
    ) -> Bool {
        // Kernels of lanes leave single messages to one of the others.
        guard csha1_lane_count(kernel) == 0 else { return true }
        let result = sha1([message[...]], kernel: kernel)
        guard result.digest == verdict.digest, !result.attacked else { return false }
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 80) { schedule in
            verdict.words.indices.allSatisfy { block in
                message.withUnsafeBufferPointer {
                    csha1_expand(
                        kernel, $0.baseAddress?.advanced(by: 64 * block), schedule.baseAddress)
                }
                    && csha1_candidates(kernel, schedule.baseAddress) == verdict.candidates[block]
                    && (0 ..< 80).allSatisfy { schedule[79 - $0] == verdict.words[block][$0] }
            }
        }
    }

    private static func lanes(
        _ kernel: UInt8, say verdicts: [Verdict], of messages: [[UInt8]]
    ) -> Bool {
        guard let lanes = csha1_lanes_new(kernel) else { return csha1_lane_count(kernel) == 0 }
        defer { csha1_lanes_free(lanes) }
        let count = Int(csha1_lane_count(kernel))
        let all = messages.flatMap { $0 }
        var digest = [UInt8](repeating: 0, count: 20)
        for first in stride(from: 0, to: messages.count, by: count) {
            let areEqual = all.withUnsafeBufferPointer { all in
                for lane in 0 ..< count {
                    csha1_lanes_start(lanes, UInt32(lane), UInt32(first + lane))
                    csha1_lanes_feed(
                        lanes, UInt32(lane),
                        all.baseAddress?.advanced(by: (first + lane) * depth * 64), UInt32(depth))
                }
                guard csha1_lanes_hash(lanes) == 1 << count - 1 else { return false }
                return (0 ..< count).allSatisfy { lane in
                    csha1_lanes_digest(lanes, UInt32(lane), &digest)
                    return digest == verdicts[first + lane].chained
                }
            }
            guard areEqual else { return false }
        }
        guard !csha1_lanes_confirm(lanes) else { return false }
        return (0 ..< depth).allSatisfy { block in
            var blocks = HashingBlocks()
            for lane in 0 ..< messages.count {
                blocks.set(lane, Array(messages[lane][64 * block ..< 64 * block + 64]))
            }
            return blocks.candidates(lanes: kernel) == verdicts.map { $0.candidates[block] }
        }
    }
}
