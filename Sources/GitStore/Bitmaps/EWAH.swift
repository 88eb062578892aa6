// A compressed bitmap (gitformat-bitmap, "Serialization format for an EWAH bitmap"), all numbers
// big-endian:
//
//     4 bytes   bits of the bitmap
//     4 bytes   number of words, w
//     w × 8     groups, each a head and literal words: the head's bit 0 is repeated for as many words
//               of 64 bits as bits 1 to 32 say, then come as many literal words as bits 33 to 63 say
//     4 bytes   the word in which the last head is

internal import GitCore

/// A compressed bitmap where it stands in a file.
struct EWAH: Sendable {
    /// Where its words are in the file.
    private let words: Range<Int>

    static let longestRun: UInt64 = 1 << 32 - 1
    static let mostLiterals: UInt64 = 1 << 31 - 1

    /// - Parameter file: how much of it has been read before `cursor`'s start: nothing.
    @_lifetime(cursor: copy cursor)
    init(reading cursor: inout ByteCursor) throws(ParseError) {
        _ = try cursor.readUInt32()
        let count = Int(try cursor.readUInt32())
        let start = cursor.offset
        guard count <= cursor.remaining / 8 else { throw ParseError("unexpected end", at: start) }
        _ = try cursor.read(count * 8)
        words = start ..< start + count * 8
        let last = Int(try cursor.readUInt32())
        guard last < max(count, 1) else {
            throw ParseError("last group outside the bitmap", at: cursor.offset - 4)
        }
    }

    /// Bytes of its words.
    var size: Int { words.count }

    /// Adds, without carry, the bitmap to `bitmap`: what is in just one of the two is in it then.
    func symmetricDifference(
        into bitmap: inout Bitmap, _ file: MappedFile
    ) throws(ParseError) {
        let fits = try bitmap.change { target throws(ParseError) in
            var (place, position) = (words.lowerBound, 0)
            while place < words.upperBound {
                let head = file.largeNumber(at: place)
                place += 8
                let run = Int(head >> 1 & Self.longestRun)
                let literals = Int(head >> 33)
                guard literals <= (words.upperBound - place) / 8 else {
                    throw ParseError("bitmap's group is longer than it", at: place)
                }
                if head & 1 != 0 {
                    guard run <= target.count - position else { throw Self.tooLong(place) }
                    for index in position ..< position + run { target[index] = ~target[index] }
                }
                // Zeros may go on behind the end.
                position = min(position &+ run, target.count)
                for number in 0 ..< literals {
                    let word = file.largeNumber(at: place + number * 8)
                    if position < target.count {
                        target[position] ^= word
                        position += 1
                    } else if word != 0 {
                        throw Self.tooLong(place)
                    }
                }
                place += literals * 8
            }
        }
        guard fits else { throw Self.tooLong(words.upperBound) }
    }

    private static func tooLong(_ place: Int) -> ParseError {
        ParseError("bitmap has more bits than there are objects", at: place)
    }
}

extension [UInt8] {
    mutating func append<Number: FixedWidthInteger>(bigEndian number: Number) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }
}
