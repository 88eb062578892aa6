/// A bitmap in memory as it is written to a file (EWAH.swift).
struct CompressedBitmap: Sendable {
    private var groups: [UInt64] = []
    /// Where the last head is.
    private var last = 0
    /// The highest number in it, and one.
    private let bits: Int

    init(_ bitmap: Bitmap) {
        let words = bitmap.words
        let end = (words.lastIndex { $0 != 0 } ?? -1) + 1
        bits = end == 0 ? 0 : end * 64 - words[end - 1].leadingZeroBitCount
        var index = 0
        repeat {
            let bit: UInt64 = index < end && words[index] == ~0 ? 1 : 0
            let repeated: UInt64 = bit == 1 ? ~0 : 0
            var run: UInt64 = 0
            while index < end, words[index] == repeated, run < EWAH.longestRun {
                (run, index) = (run + 1, index + 1)
            }
            last = groups.count
            groups.append(0)
            var literals: UInt64 = 0
            while index < end, words[index] != 0, words[index] != ~0, literals < EWAH.mostLiterals {
                groups.append(words[index])
                (literals, index) = (literals + 1, index + 1)
            }
            groups[last] = bit | run << 1 | literals << 33
        } while index < end
    }

    /// Adds it to `bitmap`, which has as many numbers as the one that it was made of.
    func union(into bitmap: inout Bitmap) {
        _ = bitmap.change { target in
            var (place, position) = (0, 0)
            while place < groups.count {
                let head = groups[place]
                let (run, literals) = (Int(head >> 1 & EWAH.longestRun), Int(head >> 33))
                if head & 1 != 0 {
                    for index in position ..< position + run { target[index] = ~0 }
                }
                position += run
                for number in 0 ..< literals {
                    target[position + number] |= groups[place + 1 + number]
                }
                position += literals
                place += 1 + literals
            }
        }
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(bigEndian: UInt32(truncatingIfNeeded: bits))
        bytes.append(bigEndian: UInt32(truncatingIfNeeded: groups.count))
        for word in groups { bytes.append(bigEndian: word) }
        bytes.append(bigEndian: UInt32(truncatingIfNeeded: last))
    }

    /// About how many words the symmetric difference of two bitmaps would take.
    static func cost(of first: Bitmap, against second: Bitmap) -> Int {
        first.words.withUnsafeBufferPointer { first in
            second.words.withUnsafeBufferPointer { second in
                var cost = 0
                // 0: zeros, 1: ones, 2: literals
                var state = -1
                for index in 0 ..< min(first.count, second.count) {
                    let word = first[index] ^ second[index]
                    let next = word == 0 ? 0 : word == ~0 ? 1 : 2
                    cost += next == 2 ? (state == -1 ? 2 : 1) : next != state ? 1 : 0
                    state = next
                }
                return cost
            }
        }
    }
}
