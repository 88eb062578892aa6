/// SHA-1 and the detection of collisions from their definitions, one bit at a time: slow, and
/// written down apart from the kernels, whose tables are arranged by step instead of by vector.
enum HashingReference {
    enum Kind { case one, two }

    /// A disturbance vector of Manuel's classes: I(k, b) or II(k, b).
    struct Vector: Hashable {
        let kind: Kind, k: Int, b: Int

        /// The vectors by the number that the kernels give them.
        static let all: [Vector] =
            (43 ... 52).map { Vector(kind: .one, k: $0, b: 0) }
            + (46 ... 51).map { Vector(kind: .one, k: $0, b: 2) }
            + (45 ... 56).map { Vector(kind: .two, k: $0, b: 0) }
            + [46, 49, 50, 51].map { Vector(kind: .two, k: $0, b: 2) }

        /// The words of the vector from step -5 to 79.
        var disturbances: [Int: UInt32] {
            var words: [Int: UInt32] = [:]
            for step in k ... k + 15 { words[step] = 0 }
            words[k + 15] = 1 << UInt32(b)
            if kind == .two {
                words[k + 1] = 1 << UInt32((b + 31) % 32)
                words[k + 3] = 1 << UInt32((b + 31) % 32)
            }
            func word(_ step: Int) -> UInt32 { words[step] ?? 0 }
            for t in stride(from: k + 16, to: 80, by: 1) {
                words[t] = rotate(word(t - 3) ^ word(t - 8) ^ word(t - 14) ^ word(t - 16), 1)
            }
            for t in stride(from: k - 1, through: -5, by: -1) {
                words[t] = rotate(word(t + 16), 31) ^ word(t + 13) ^ word(t + 8) ^ word(t + 2)
            }
            return words
        }

        /// The differences of the 80 words: each disturbance and its five corrections.
        var differences: [UInt32] {
            var result = [UInt32](repeating: 0, count: 80)
            for (step, word) in disturbances {
                for (after, turn) in [0, 5, 0, 30, 30, 30].enumerated()
                where (0 ..< 80).contains(step + after) {
                    result[step + after] ^= rotate(word, turn)
                }
            }
            return result
        }

        /// A step at which the states of the two blocks are equal, as the published program has it.
        var meeting: Int { k < 50 ? 58 : 65 }
    }

    /// For the vectors (kind, k, b) with k in `range`: bit `first.bit` of W[k + first.step] against
    /// bit `second.bit` of W[k + second.step].
    struct Rule {
        let kind: Kind, b: Int, range: ClosedRange<Int>
        let first, second: (step: Int, bit: Int)
        let differs: Bool

        init(
            _ kind: Kind, _ b: Int, _ range: ClosedRange<Int>, _ first: (Int, Int),
            _ second: (Int, Int), _ differs: Bool
        ) {
            self.kind = kind
            self.b = b
            self.range = range
            self.first = first
            self.second = second
            self.differs = differs
        }

        func holds(_ words: [UInt32], _ k: Int) -> Bool {
            let one = words[k + first.step] >> UInt32(first.bit) & 1
            let other = words[k + second.step] >> UInt32(second.bit) & 1
            return (one != other) == differs
        }
    }

    private static let equal = false, differ = true

    static let rules: [Rule] = [
        // I(K, 0)
        Rule(.one, 0, 51 ... 51, (-16, 3), (-12, 28), equal),
        Rule(.one, 0, 50 ... 52, (-14, 4), (-13, 4), differ),
        Rule(.one, 0, 48 ... 52, (-13, 4), (-9, 29), equal),
        Rule(.one, 0, 45 ... 52, (-10, 4), (-6, 29), equal),
        Rule(.one, 0, 48 ... 52, (-8, 29), (-7, 29), equal),
        Rule(.one, 0, 47 ... 52, (-7, 29), (-6, 29), equal),
        Rule(.one, 0, 43 ... 52, (-6, 4), (-4, 4), differ),
        Rule(.one, 0, 43 ... 52, (-6, 4), (-3, 29), equal),
        Rule(.one, 0, 43 ... 52, (-4, 4), (-2, 4), differ),
        Rule(.one, 0, 44 ... 52, (-4, 29), (-3, 29), equal),
        Rule(.one, 0, 43 ... 52, (-3, 29), (-1, 29), differ),
        Rule(.one, 0, 43 ... 52, (-1, 29), (1, 29), differ),
        Rule(.one, 0, 43 ... 52, (0, 4), (3, 29), equal),
        Rule(.one, 0, 43 ... 52, (1, 29), (3, 29), differ),
        Rule(.one, 0, 43 ... 52, (3, 29), (4, 29), equal),
        Rule(.one, 0, 43 ... 48, (15, 0), (16, 5), differ),
        Rule(.one, 0, 43 ... 44, (16, 5), (20, 30), equal),
        Rule(.one, 0, 43 ... 45, (18, 1), (19, 6), differ),
        // I(K, 2)
        Rule(.one, 2, 51 ... 51, (-16, 5), (-12, 30), equal),
        Rule(.one, 2, 51 ... 51, (-14, 1), (-14, 6), equal),
        Rule(.one, 2, 49 ... 51, (-14, 1), (-13, 6), differ),
        Rule(.one, 2, 46 ... 51, (-11, 1), (-10, 6), differ),
        Rule(.one, 2, 49 ... 51, (-10, 6), (-9, 1), equal),
        Rule(.one, 2, 46 ... 51, (-7, 1), (-6, 6), differ),
        Rule(.one, 2, 46 ... 51, (-6, 6), (-4, 6), equal),
        Rule(.one, 2, 46 ... 51, (-4, 6), (-2, 6), equal),
        Rule(.one, 2, 46 ... 51, (-2, 6), (0, 6), equal),
        Rule(.one, 2, 46 ... 51, (0, 6), (1, 1), equal),
        Rule(.one, 2, 46 ... 48, (15, 2), (16, 7), differ),
        // II(K, 0)
        Rule(.two, 0, 54 ... 56, (-18, 4), (-16, 4), differ),
        Rule(.two, 0, 55 ... 56, (-18, 4), (-15, 29), equal),
        Rule(.two, 0, 52 ... 56, (-16, 4), (-14, 4), differ),
        Rule(.two, 0, 53 ... 56, (-16, 4), (-13, 29), equal),
        Rule(.two, 0, 56 ... 56, (-16, 29), (-15, 29), equal),
        Rule(.two, 0, 48 ... 52, (-13, 30), (-8, 28), differ),
        Rule(.two, 0, 47 ... 56, (-12, 3), (-8, 28), equal),
        Rule(.two, 0, 47 ... 56, (-12, 4), (-8, 29), equal),
        Rule(.two, 0, 45 ... 56, (-9, 4), (-5, 29), equal),
        Rule(.two, 0, 47 ... 56, (-7, 29), (-6, 29), equal),
        Rule(.two, 0, 46 ... 56, (-6, 29), (-5, 29), equal),
        Rule(.two, 0, 45 ... 56, (-4, 4), (-1, 29), equal),
        Rule(.two, 0, 45 ... 56, (-2, 29), (-1, 29), equal),
        Rule(.two, 0, 45 ... 56, (-1, 29), (0, 29), equal),
        Rule(.two, 0, 45 ... 55, (2, 4), (4, 29), equal),
        Rule(.two, 0, 45 ... 56, (4, 4), (8, 29), equal),
        Rule(.two, 0, 45 ... 54, (4, 29), (5, 29), equal),
        Rule(.two, 0, 45 ... 53, (5, 29), (8, 29), differ),
        Rule(.two, 0, 45 ... 52, (7, 29), (8, 29), equal),
        Rule(.two, 0, 45 ... 48, (15, 0), (16, 5), differ),
        Rule(.two, 0, 45 ... 45, (18, 1), (19, 6), differ),
        // II(K, 2)
        Rule(.two, 2, 49 ... 51, (-13, 0), (-8, 30), differ),
        Rule(.two, 2, 49 ... 51, (-12, 5), (-8, 30), equal),
        Rule(.two, 2, 46 ... 51, (-10, 1), (-9, 6), differ),
        Rule(.two, 2, 49 ... 51, (-9, 6), (-8, 1), equal),
        Rule(.two, 2, 46 ... 51, (-5, 1), (-4, 6), differ),
        Rule(.two, 2, 46 ... 51, (-4, 6), (-3, 1), equal),
        Rule(.two, 2, 46 ... 51, (1, 1), (5, 1), differ),
        Rule(.two, 2, 46 ... 51, (2, 6), (4, 6), equal),
        Rule(.two, 2, 46 ... 51, (4, 6), (5, 1), equal),
        Rule(.two, 2, 46 ... 46, (15, 2), (16, 7), differ),
    ]

    static let rulesByVector: [[Rule]] = Vector.all.map { vector in
        rules.filter { $0.kind == vector.kind && $0.b == vector.b && $0.range.contains(vector.k) }
    }

    private static let differencesByVector = Vector.all.map(\.differences)

    /// The vectors whose conditions the expanded block meets, one bit each.
    static func candidates(_ words: [UInt32]) -> UInt32 {
        var result: UInt32 = 0
        for (number, vector) in Vector.all.enumerated()
        where rulesByVector[number].allSatisfy({ $0.holds(words, vector.k) }) {
            result |= 1 << UInt32(number)
        }
        return result
    }

    static func rotate(_ x: UInt32, _ n: Int) -> UInt32 { x << UInt32(n) | x >> UInt32(32 - n) }

    static func expand(_ block: ArraySlice<UInt8>) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: 80)
        for (index, byte) in block.enumerated() {
            words[index / 4] = words[index / 4] << 8 | UInt32(byte)
        }
        for t in 16 ..< 80 {
            words[t] = rotate(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1)
        }
        return words
    }

    private static func mix(_ t: Int, _ b: UInt32, _ c: UInt32, _ d: UInt32) -> UInt32 {
        switch t / 20 {
        case 0: (b & c | ~b & d) &+ 0x5A82_7999
        case 1: (b ^ c ^ d) &+ 0x6ED9_EBA1
        case 2: (b & c | b & d | c & d) &+ 0x8F1B_BCDC
        default: (b ^ c ^ d) &+ 0xCA62_C1D6
        }
    }

    /// The state before step `end`.
    private static func run(_ state: [UInt32], _ words: [UInt32], to end: Int) -> [UInt32] {
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for t in 0 ..< end {
            let next = rotate(a, 5) &+ mix(t, b, c, d) &+ e &+ words[t]
            (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
        }
        return [a, b, c, d, e]
    }

    static func compress(_ state: [UInt32], _ words: [UInt32]) -> [UInt32] {
        zip(state, run(state, words, to: 80)).map { $0 &+ $1 }
    }

    /// The chaining value that the other block of a vector leads to.
    static func counterpart(_ number: Int, _ before: [UInt32], _ words: [UInt32]) -> [UInt32] {
        let other = zip(words, differencesByVector[number]).map { $0 ^ $1 }
        let meeting = Vector.all[number].meeting
        let common = run(before, words, to: meeting)
        var start = common
        for t in stride(from: meeting - 1, through: 0, by: -1) {
            let b = rotate(start[2], 2)
            let e = start[0] &- rotate(start[1], 5) &- mix(t, b, start[3], start[4]) &- other[t]
            start = [start[1], b, start[3], start[4], e]
        }
        return compress(start, other)
    }

    static let initial: [UInt32] = [
        0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0,
    ]

    static func sha1(_ bytes: [UInt8]) -> [UInt8] {
        var padded = bytes + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        padded += (0 ..< 8).map { UInt8(truncatingIfNeeded: (bytes.count * 8) >> (56 - 8 * $0)) }
        var state = initial
        for start in stride(from: 0, to: padded.count, by: 64) {
            state = compress(state, expand(padded[start ..< start + 64]))
        }
        return digest(state)
    }

    static func digest(_ state: [UInt32]) -> [UInt8] {
        state.flatMap { word in
            (0 ..< 4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) }
        }
    }
}
