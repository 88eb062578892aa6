/// A set of numbers under ``count``, a bit for each.
struct Bitmap: Sendable, Equatable {
    /// The number n is bit n % 64 of word n / 64. Bits from ``count`` on are 0.
    private(set) var words: [UInt64]
    let count: Int

    init(count: Int) {
        self.count = count
        words = Array(repeating: 0, count: (count + 63) / 64)
    }

    @inline(__always)
    func contains(_ number: Int) -> Bool {
        words[number >> 6] >> UInt64(truncatingIfNeeded: number & 63) & 1 != 0
    }

    @inline(__always)
    mutating func insert(_ number: Int) {
        precondition(number >= 0 && number < count)
        words[number >> 6] |= 1 << UInt64(truncatingIfNeeded: number & 63)
    }

    mutating func remove(_ number: Int) {
        words[number >> 6] &= ~(1 << UInt64(truncatingIfNeeded: number & 63))
    }

    /// The same of its numbers under `count`.
    func prefix(_ count: Int) -> Bitmap {
        var part = Bitmap(count: min(count, self.count))
        for index in part.words.indices { part.words[index] = words[index] }
        if part.count & 63 != 0 {
            part.words[part.words.count - 1] &= 1 << UInt64(truncatingIfNeeded: part.count & 63) - 1
        }
        return part
    }

    mutating func removeAll(under count: Int) {
        for index in 0 ..< min(count, self.count) >> 6 { words[index] = 0 }
        if count < self.count, count & 63 != 0 {
            words[count >> 6] &= ~0 << UInt64(truncatingIfNeeded: count & 63)
        } else if count >= self.count, let last = words.indices.last {
            words[last] = 0
        }
    }

    /// - Precondition: both are of one ``count``, here and below.
    mutating func formUnion(_ other: Bitmap) {
        precondition(words.count == other.words.count)
        for index in words.indices { words[index] |= other.words[index] }
    }

    mutating func subtract(_ other: Bitmap) {
        precondition(words.count == other.words.count)
        for index in words.indices { words[index] &= ~other.words[index] }
    }

    mutating func formIntersection(_ other: Bitmap) {
        precondition(words.count == other.words.count)
        for index in words.indices { words[index] &= other.words[index] }
    }

    mutating func formSymmetricDifference(_ other: Bitmap) {
        precondition(words.count == other.words.count)
        for index in words.indices { words[index] ^= other.words[index] }
    }

    /// How many numbers are in it.
    var population: Int { words.reduce(0) { $0 &+ $1.nonzeroBitCount } }

    var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// The first number from `start` on that is in it.
    func first(from start: Int) -> Int? {
        guard start < count else { return nil }
        var index = start >> 6
        var word = words[index] & (~0 << UInt64(truncatingIfNeeded: start & 63))
        while word == 0 {
            index += 1
            guard index < words.count else { return nil }
            word = words[index]
        }
        return index << 6 + word.trailingZeroBitCount
    }

    /// Its numbers in order.
    @inline(__always)
    func forEach<Failure: Error>(_ body: (Int) throws(Failure) -> Void) throws(Failure) {
        for index in words.indices {
            var word = words[index]
            while word != 0 {
                try body(index << 6 + word.trailingZeroBitCount)
                word &= word &- 1
            }
        }
    }

    /// Gives `body` the words, to change; false where that set bits from ``count`` on.
    mutating func change<Failure: Error>(
        _ body: (inout MutableSpan<UInt64>) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        var span = words.mutableSpan
        try body(&span)
        guard count & 63 != 0, let last = words.last else { return true }
        return last >> UInt64(truncatingIfNeeded: count & 63) == 0
    }
}
