import Testing

@testable import GitCore
@testable import GitStore

@Suite struct DeltaIndexTests {
    private func apply(_ delta: [UInt8], to base: [UInt8]) throws -> [UInt8] {
        try delta.withUnsafeBytes { bytes in
            let delta = try Delta(parsing: bytes)
            var result = [UInt8](repeating: 0, count: Int(delta.resultSize))
            try base.withUnsafeBytes { base in
                try result.withUnsafeMutableBytes { try delta.apply(to: base, into: $0) }
            }
            return result
        }
    }

    private func delta(_ base: [UInt8], _ target: [UInt8], limit: Int = .max) -> [UInt8]? {
        DeltaIndex(base).delta(to: DeltaTarget(target), limit: limit)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 31, 100, 1_000, 70_000, 300_000])
    func makesWhatItWasGiven(size: Int) throws {
        var random = PackRandom(state: UInt64(size))
        let base = PackRandom.bytes(size, seed: 5)
        for edits in [0, 1, 3, 20] {
            var target = base
            for _ in 0 ..< edits where !target.isEmpty {
                let place = Int.random(in: 0 ..< target.count, using: &random)
                switch Int.random(in: 0 ..< 4, using: &random) {
                case 0: target[place] ^= 1
                case 1: target.insert(contentsOf: PackRandom.bytes(200, seed: 9), at: place)
                case 2: target.removeSubrange(place ..< min(target.count, place + 50))
                default: target += target.prefix(place)
                }
            }
            guard let made = delta(base, target) else {
                #expect(target.count < 2)
                continue
            }
            #expect(try apply(made, to: base) == target)
        }
    }

    @Test func isSmallWhereLittleChanged() throws {
        let base = PackRandom.bytes(100_000)
        var target = base
        target[50_000] ^= 1
        target.removeSubrange(10 ..< 20)
        #expect(try #require(delta(base, target)).count < 60)
    }

    @Test func findsWhatMovedAndWhatRepeatsItself() throws {
        let (one, other) = (PackRandom.bytes(4_000, seed: 1), PackRandom.bytes(4_000, seed: 2))
        let made = try #require(delta(one + other, other + one + other))
        #expect(made.count < 40)
        #expect(try apply(made, to: one + other) == other + one + other)
    }

    @Test func stopsAtTheLimit() throws {
        let (base, target) = (PackRandom.bytes(1_000, seed: 1), PackRandom.bytes(1_000, seed: 2))
        #expect(delta(base, target, limit: 500) == nil)
        let whole = try #require(delta(base, target))
        #expect(delta(base, target, limit: whole.count) == whole)
        #expect(delta(base, target, limit: whole.count - 1) == nil)
    }

    /// Bases that put all blocks in one place of the table, and targets that meet them everywhere.
    @Test func isQuickOnRepetitions() throws {
        let zeros = [UInt8](repeating: 0, count: 300_000)
        let pattern = (0 ..< 300_000).map { UInt8($0 % 24 == 0 ? 1 : 0) }
        for (base, target) in [
            (zeros, zeros), (zeros, pattern), (pattern, zeros), (pattern, pattern),
        ] {
            let start = ContinuousClock.now
            let made = delta(base, target)
            #expect(ContinuousClock.now - start < .seconds(20))
            if let made {
                let result = try apply(made, to: base)
                #expect(result == target)
            }
        }
    }
}
