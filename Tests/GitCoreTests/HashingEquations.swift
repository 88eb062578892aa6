/// Blocks made to meet the conditions of a vector, or all but some.
///
/// A condition compares two bits of the expanded block. Each is a sum over GF(2) of some of the
/// block's 512 bits, so the conditions are linear equations, which Gaussian elimination solves.
struct HashingEquations {
    /// 512 bits: bit b of word t of a block. As a sum, the bits that are added.
    typealias Bits = SIMD16<UInt32>

    /// For each condition, changes of a block that turn this one over and leave all others as they
    /// are.
    let turns: [Bits]
    private let conditions: [(sum: Bits, differs: Bool)]

    /// nil when some condition follows from others.
    init?(vector number: Int) {
        let k = HashingReference.Vector.all[number].k
        conditions = HashingReference.rulesByVector[number].map { rule in
            let first = Self.sums[k + rule.first.step][rule.first.bit]
            let second = Self.sums[k + rule.second.step][rule.second.bit]
            return (first ^ second, rule.differs)
        }
        // Each equation, and the conditions whose sum it is.
        var equations = conditions.enumerated().map { ($1.sum, from: UInt32(1) << UInt32($0)) }
        var pivots: [Bits] = []
        for row in equations.indices {
            guard let pivot = Self.lowestBit(equations[row].0) else { return nil }
            pivots.append(pivot)
            for other in equations.indices where other != row {
                guard equations[other].0 & pivot != Bits() else { continue }
                equations[other].0 ^= equations[row].0
                equations[other].from ^= equations[row].from
            }
        }
        // Now each pivot turns over one equation alone.
        turns = conditions.indices.map { condition in
            zip(pivots, equations).reduce(into: Bits()) { turn, row in
                if row.1.from >> UInt32(condition) & 1 == 1 { turn |= row.0 }
            }
        }
    }

    var count: Int { conditions.count }

    /// A random block that meets all conditions but those of `broken`, one bit each.
    func block(
        breaking broken: UInt32 = 0, _ generator: inout some RandomNumberGenerator
    ) -> Bits {
        var block = Bits()
        for word in 0 ..< 16 { block[word] = generator.next() }
        for (index, condition) in conditions.enumerated() {
            let isMet = Self.isOdd(block & condition.sum) == condition.differs
            if isMet == (broken >> UInt32(index) & 1 == 1) { block ^= turns[index] }
        }
        return block
    }

    /// The bytes of a block in memory, or of changes of it.
    static func bytes(_ block: Bits) -> [UInt8] {
        (0 ..< 64).map { UInt8(truncatingIfNeeded: block[$0 / 4] >> UInt32(24 - 8 * ($0 % 4))) }
    }

    /// The bits of the expanded words, as sums.
    private static let sums: [[Bits]] = {
        var sums = (0 ..< 16).map { word in
            (0 ..< 32).map { bit in
                var sum = Bits()
                sum[word] = 1 << UInt32(bit)
                return sum
            }
        }
        for t in 16 ..< 80 {
            sums.append(
                (0 ..< 32).map { bit in
                    let turned = (bit + 31) % 32
                    return sums[t - 3][turned] ^ sums[t - 8][turned] ^ sums[t - 14][turned]
                        ^ sums[t - 16][turned]
                })
        }
        return sums
    }()

    private static func lowestBit(_ bits: Bits) -> Bits? {
        for word in 0 ..< 16 where bits[word] != 0 {
            var result = Bits()
            result[word] = bits[word] & (~bits[word] &+ 1)
            return result
        }
        return nil
    }

    private static func isOdd(_ bits: Bits) -> Bool {
        (0 ..< 16).reduce(0) { $0 + bits[$1].nonzeroBitCount } % 2 == 1
    }
}
