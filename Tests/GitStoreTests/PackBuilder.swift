import GitCore

@testable import GitStore

/// Builds packs by hand, right ones and wrong ones.
struct PackBuilder {
    private(set) var bytes: [UInt8]
    private(set) var count: UInt32 = 0
    /// Where each entry begins.
    private(set) var offsets: [UInt64] = []
    let format: ObjectFormat

    init(version: UInt32 = 2, _ format: ObjectFormat = .sha1) {
        self.format = format
        bytes = Array("PACK".utf8) + Self.bigEndian(version) + Self.bigEndian(0 as UInt32)
    }

    static func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    // MARK: Entries

    /// Adds an object in full; says where its entry begins.
    @discardableResult
    mutating func whole(
        _ kind: ObjectKind, _ content: [UInt8], declared: UInt64? = nil
    ) -> UInt64 {
        entry(
            type: kind.rawValue, size: declared ?? UInt64(content.count), stream: zlib(content))
    }

    @discardableResult
    mutating func blob(_ text: String) -> UInt64 { whole(.blob, Array(text.utf8)) }

    /// Adds a delta on the entry that begins at `base`.
    @discardableResult
    mutating func delta(on base: UInt64, _ delta: [UInt8], declared: UInt64? = nil) -> UInt64 {
        self.delta(distance: UInt64(bytes.count) - base, delta, declared: declared)
    }

    /// Adds a delta on whatever begins `distance` bytes before it.
    @discardableResult
    mutating func delta(
        distance: UInt64, _ delta: [UInt8], declared: UInt64? = nil
    ) -> UInt64 {
        entry(
            type: 6, size: declared ?? UInt64(delta.count), base: Self.distance(distance),
            stream: zlib(delta))
    }

    /// Adds a delta on an object that its id names.
    @discardableResult
    mutating func delta(
        on base: ObjectID, _ delta: [UInt8], declared: UInt64? = nil
    ) -> UInt64 {
        entry(
            type: 7, size: declared ?? UInt64(delta.count), base: base.rawBytes,
            stream: zlib(delta))
    }

    @discardableResult
    mutating func entry(
        type: UInt8, size: UInt64, base: [UInt8] = [], stream: [UInt8]
    ) -> UInt64 {
        raw(Self.header(type: type, size: size) + base + stream)
    }

    /// Adds an entry of any bytes.
    @discardableResult
    mutating func raw(_ entry: [UInt8]) -> UInt64 {
        let offset = UInt64(bytes.count)
        offsets.append(offset)
        bytes += entry
        count += 1
        return offset
    }

    /// The pack: its count and its trailer are right unless given.
    func finished(count: UInt32? = nil, trailer: [UInt8]? = nil) -> [UInt8] {
        var out = bytes
        out.replaceSubrange(8 ..< 12, with: Self.bigEndian(count ?? self.count))
        return trailer.map { out + $0 } ?? Self.sealed(out, format)
    }

    /// Bytes with their hash at the end.
    static func sealed(_ body: [UInt8], _ format: ObjectFormat = .sha1) -> [UInt8] {
        var hasher = PlainHasher(format)
        hasher.update(body)
        return body + hasher.finalize().rawBytes
    }

    /// A pack's bytes with the trailer that they should have.
    static func resealed(_ pack: [UInt8], _ format: ObjectFormat = .sha1) -> [UInt8] {
        sealed(Array(pack.dropLast(format.byteCount)), format)
    }

    // MARK: Parts of entries

    /// Type and size as an entry begins.
    static func header(type: UInt8, size: UInt64) -> [UInt8] {
        var rest = size >> 4
        var out = [type << 4 | UInt8(size & 15)]
        while rest > 0 {
            out[out.count - 1] |= 0x80
            out.append(UInt8(rest & 0x7f))
            rest >>= 7
        }
        return out
    }

    /// The distance back to a base.
    static func distance(_ distance: UInt64) -> [UInt8] {
        var out = [UInt8(distance & 0x7f)]
        var rest = distance >> 7
        while rest > 0 {
            rest -= 1
            out.insert(UInt8(rest & 0x7f) | 0x80, at: 0)
            rest >>= 7
        }
        return out
    }
}

extension PackBuilder {
    /// A zlib stream of at least so many zeros, made without holding them, and their number.
    ///
    /// One block of fixed codes: a literal, then copies of 258 bytes from one byte back, of 13 bits
    /// each; eight of these take 13 bytes, whatever bit they begin at.
    static func zeros(atLeast count: Int) -> (count: Int, stream: [UInt8]) {
        let rounds = max(1, (count - 1 + 8 * 258 - 1) / (8 * 258))
        var bits = BitWriter()
        bits.append(1, 1)
        bits.append(1, 2)
        bits.appendCode(0b0011_0000, 8)
        func appendRound() {
            for _ in 0 ..< 8 {
                bits.appendCode(0b1100_0101, 8)
                bits.appendCode(0, 5)
            }
        }
        // What 13 bytes of a later round hold is the same for each.
        appendRound()
        appendRound()
        let period = Array(bits.bytes.suffix(13))
        for _ in 2 ..< max(2, rounds) { bits.bytes += period }
        bits.appendCode(0, 7)
        bits.flush()
        let size = 1 + max(2, rounds) * 8 * 258
        let adler = UInt32(size % 65_521) << 16 | 1
        return (size, [0x78, 0x01] + bits.bytes + bigEndian(adler))
    }
}

/// Bits as deflate packs them.
private struct BitWriter {
    var bytes: [UInt8] = []
    private var current: UInt32 = 0
    private var count: UInt32 = 0

    /// A number, its lowest bit first.
    mutating func append(_ value: UInt32, _ width: UInt32) {
        current |= value << count
        count += width
        while count >= 8 {
            bytes.append(UInt8(truncatingIfNeeded: current))
            current >>= 8
            count -= 8
        }
    }

    /// A Huffman code, its highest bit first.
    mutating func appendCode(_ code: UInt32, _ width: UInt32) {
        for bit in (0 ..< width).reversed() { append(code >> bit & 1, 1) }
    }

    mutating func flush() { if count > 0 { append(0, 8 - count) } }
}

/// A zlib stream of some bytes.
func zlib(_ content: [UInt8], level: Int32 = 1) -> [UInt8] {
    let deflater = Deflater(level: level)
    let stream = content.withUnsafeBytes { bytes in try? deflater.deflate(bytes) }
    return stream ?? []
}

/// Builds deltas by hand.
struct DeltaBuilder {
    private(set) var bytes: [UInt8]

    init(base: UInt64, result: UInt64) {
        bytes = Self.size(base) + Self.size(result)
    }

    static func size(_ size: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        var rest = size
        while rest > 0x7f {
            out.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return out + [UInt8(rest)]
    }

    func copying(_ offset: UInt32, _ size: UInt32) -> DeltaBuilder {
        var opcode: UInt8 = 0x80
        var arguments: [UInt8] = []
        for index in 0 ..< 4 {
            let byte = UInt8(truncatingIfNeeded: offset >> UInt32(8 * index))
            if byte != 0 { opcode |= 1 << UInt8(index); arguments.append(byte) }
        }
        for index in 0 ..< 3 where size != 0x10000 {
            let byte = UInt8(truncatingIfNeeded: size >> UInt32(8 * index))
            if byte != 0 { opcode |= 0x10 << UInt8(index); arguments.append(byte) }
        }
        return adding([opcode] + arguments)
    }

    func inserting(_ literal: [UInt8]) -> DeltaBuilder {
        adding([UInt8(literal.count)] + literal)
    }

    func adding(_ more: [UInt8]) -> DeltaBuilder {
        var copy = self
        copy.bytes += more
        return copy
    }

    /// A delta without instructions yet whose sizes are spelled as given.
    func replacingSizes(_ base: [UInt8], _ result: [UInt8]) -> DeltaBuilder {
        var copy = self
        copy.bytes = base + result
        return copy
    }

    /// A delta that appends `text` to a base of `count` bytes.
    static func appending(_ text: String, to count: Int) -> [UInt8] {
        DeltaBuilder(base: UInt64(count), result: UInt64(count + text.utf8.count))
            .copying(0, UInt32(count)).inserting(Array(text.utf8)).bytes
    }
}

/// The id of an object.
func oid(_ kind: ObjectKind, _ content: [UInt8], _ format: ObjectFormat = .sha1) -> ObjectID {
    (try? ObjectHasher.hash(kind, content, format)) ?? .zero(format)
}

func oid(blob text: String) -> ObjectID { oid(.blob, Array(text.utf8)) }
