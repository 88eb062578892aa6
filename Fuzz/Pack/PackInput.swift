import FuzzSupport
import GitCore

@testable import GitStore

/// One input: a pack and how it is to be read.
///
/// The last 20 bytes say how; the trailer, which stands there in a pack of SHA-1, is made anew. So a
/// pack of SHA-1 is an input as it is, and what is mutated is not lost at the trailer's check.
struct PackInput {
    let format: ObjectFormat
    /// With a right trailer unless the input asks for a wrong one.
    let pack: [UInt8]
    let choices: [UInt8]

    static let choiceCount = 20

    init(_ input: [UInt8]) {
        var body = Array(input.dropLast(Self.choiceCount))
        var choices = Array(input.suffix(Self.choiceCount))
        choices += [UInt8](repeating: 1, count: Self.choiceCount - choices.count)
        self.choices = choices
        format = choices[9] == 0 ? .sha256 : .sha1
        if choices[0] == 0 {
            pack = body + choices
        } else {
            if choices[8] & 31 == 0 { Self.widen(&body, by: Int(choices[10])) }
            var hasher = PlainHasher(format)
            hasher.update(body)
            pack = body + hasher.finalize().rawBytes
        }
    }

    /// Puts the entries between two large ones, which makes the pack so wide that threads look ahead;
    /// so many bytes before the second mebibyte, where one of them begins to look.
    private static func widen(_ body: inout [UInt8], by count: Int) {
        guard body.count >= 12 else { return }
        let number = body[8 ..< 12].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        body.replaceSubrange(8 ..< 12, with: bigEndian(number &+ 2))
        body.insert(contentsOf: stored((1 << 20) - count), at: 12)
        body += stored((1 << 20) + 50_000)
    }

    /// An entry of so many bytes, more than a few: a blob of zeros that is not compressed.
    private static func stored(_ length: Int) -> [UInt8] {
        // Header, zlib's two bytes and its checksum take ten; each block of the stream takes five.
        let most = 0xffff
        let blocks = (length - 10) / (most + 5) + 1
        let size = length - 10 - 5 * blocks
        var out: [UInt8] = [
            0xb0 | UInt8(size & 15), 0x80 | UInt8(size >> 4 & 0x7f),
            0x80 | UInt8(size >> 11 & 0x7f),
            UInt8(size >> 18), 0x78, 0x01,
        ]
        for block in 0 ..< blocks {
            let count = min(most, size - block * most)
            let number = [UInt8(count & 255), UInt8(count >> 8)]
            out += [block == blocks - 1 ? 1 : 0] + number + number.map { ~$0 }
            out += [UInt8](repeating: 0, count: count)
        }
        return out + bigEndian(UInt32(size % 65_521) << 16 | 1)
    }

    private static func bigEndian(_ number: UInt32) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    /// How to cut it into pieces, at the first and the second time.
    var waysOfFeeding: (UInt8, UInt8) { isWide ? (0, 0) : (choices[1], ~choices[1]) }
    private var isWide: Bool { choices[0] != 0 && choices[8] & 31 == 0 }
    /// Whether to read it a second time, in another way, for the same verdict.
    var readsTwice: Bool { isWide || choices[2] & 3 == 0 }
    var isThin: Bool { choices[6] & 1 != 0 }
    var hasSmallLimits: Bool { !isWide && choices[7] & 7 == 0 }

    func options(_ store: ObjectDatabase?) -> PackIndexer.Options {
        var options = PackIndexer.Options()
        options.threads = isWide || choices[3] & 7 == 0 ? 2 : 1
        options.memory = choices[4] & 1 == 0 ? 0 : 256 << 20
        options.findsMissingLinks = choices[5] & 3 != 0
        options.thinBases = isThin ? store : nil
        options.limits = limits
        return options
    }

    /// Small enough that what takes more memory than it may is noticed.
    private var limits: PackLimits {
        var limits = PackLimits()
        limits.packSize = 1 << 22
        limits.objectSize = 8 << 20
        limits.deltaObjectSize = 6 << 20
        limits.rebuildMemory = 48 << 20
        limits.linkedObjectSize = 6 << 20
        limits.inflatedSize = 64 << 20
        guard hasSmallLimits else { return limits }
        limits.packSize = 1 << 12
        limits.objectSize = 1 << 10
        limits.deltaObjectSize = 1 << 9
        limits.rebuildMemory = 1 << 18
        limits.linkedObjectSize = 1 << 9
        limits.inflatedSize = 1 << 13
        return limits
    }

    /// The same pack, read in another way.
    func otherOptions(_ store: ObjectDatabase?) -> PackIndexer.Options {
        var other = options(store)
        other.threads = 3 - other.threads
        other.memory = other.memory == 0 ? 256 << 20 : 0
        return other
    }
}
