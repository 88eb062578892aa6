// A pack (gitformat-pack, "pack-*.pack files have the following format"):
//
//     4 bytes   "PACK"
//     4 bytes   version, 2 or 3, big-endian
//     4 bytes   number of entries, big-endian
//     entries, one after the other, each
//         1..10 bytes   type and inflated size: bit 7 "more follows", bits 6-4 the type, bits 3-0
//                       the lowest bits of the size; each further byte adds seven higher bits
//         OFS_DELTA     distance back to the base: seven bits a byte, highest first, bit 7 "more
//                       follows", one added for each further byte
//         REF_DELTA     the base's id, 20 or 32 bytes
//         a zlib stream of the content, or of the delta
//     20 or 32 bytes    hash of all that comes before

internal import GitCore

/// Named limits on what is believed of a pack. Of what is said to be held in memory, allow no more than
/// the machine has: memory that cannot be had ends the process.
public struct PackLimits: Sendable {
    /// Most bytes of a pack, trailer included.
    public var packSize: UInt64 = 1 << 42
    /// Largest object, inflated, in bytes.
    public var objectSize: UInt64 = 1 << 40
    /// Largest object that is rebuilt from a delta, and so held in memory with its base, in bytes.
    /// Git makes no deltas of objects over 512 MiB (core.bigFileThreshold).
    public var deltaObjectSize: UInt64 = 1 << 29
    /// Most bytes of objects that are held at once to rebuild others from, by all threads together.
    public var rebuildMemory: UInt64 = 1 << 31
    /// Largest commit, tree or tag, in bytes: these are held in memory.
    public var linkedObjectSize: UInt64 = 1 << 27
    /// Most bytes that all objects and deltas may have together, inflated and rebuilt.
    public var inflatedSize: UInt64 = 1 << 46

    public init() {}
}

/// What comes before an entry's zlib stream.
struct PackEntryHeader {
    enum Base {
        /// An object in full.
        case none(ObjectKind)
        /// The base begins this many bytes before the entry; never 0.
        case distance(UInt64)
        case oid(ObjectID)
    }

    let base: Base
    /// Bytes that the zlib stream inflates to.
    let size: UInt64
    /// Bytes of the header itself.
    let length: Int

    /// Most bytes that a header may have: 10 for the size and 32 for an id, or 10 for a distance.
    static let maximumLength = 10 + 32

    /// Parses the header at the start of `bytes`.
    ///
    /// - Throws: ``ParseError`` whose reason is ``truncated`` where `bytes` ends too early.
    init(
        parsing bytes: UnsafeRawBufferPointer, _ format: ObjectFormat
    ) throws(ParseError) {
        var position = 0
        let first = try Self.byte(bytes, &position)
        var size = UInt64(first & 15)
        if first & 0x80 != 0 { try Self.addSize(bytes, &position, to: &size) }
        switch first >> 4 & 7 {
        case 6: base = .distance(try Self.distance(bytes, &position))
        case 7:
            guard bytes.count - position >= format.byteCount else {
                throw ParseError(Self.truncated, at: position)
            }
            base = .oid(ObjectID(raw: UnsafeRawBufferPointer(rebasing: bytes[position...]), format))
            position += format.byteCount
        case let type:
            guard let kind = ObjectKind(rawValue: type) else {
                throw ParseError("unknown object type \(type)", at: 0)
            }
            base = .none(kind)
        }
        self.size = size
        length = position
    }

    static let truncated = "truncated entry header"

    @inline(__always)
    private static func byte(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int
    ) throws(ParseError) -> UInt8 {
        guard position < bytes.count else { throw ParseError(truncated, at: position) }
        defer { position += 1 }
        return bytes[position]
    }

    /// Adds the bits of the size that are not in the first byte.
    private static func addSize(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int, to size: inout UInt64
    ) throws(ParseError) {
        var shift: UInt64 = 4
        while true {
            let byte = try byte(bytes, &position)
            let bits = UInt64(byte & 0x7f)
            guard shift < 64, (bits << shift) >> shift == bits else {
                throw ParseError("object size does not fit 64 bits", at: 0)
            }
            size |= bits << shift
            if byte & 0x80 == 0 { return }
            shift += 7
        }
    }

    private static func distance(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int
    ) throws(ParseError) -> UInt64 {
        var byte = try byte(bytes, &position)
        var value = UInt64(byte & 0x7f)
        while byte & 0x80 != 0 {
            byte = try self.byte(bytes, &position)
            guard value < (1 << 56) else { throw ParseError("delta base offset overflows", at: 0) }
            value = (value + 1) << 7 | UInt64(byte & 0x7f)
        }
        guard value > 0 else { throw ParseError("delta is its own base", at: 0) }
        return value
    }

    /// The header of an entry that holds an object in full.
    static func encode(_ kind: ObjectKind, size: UInt64) -> [UInt8] {
        encode(type: kind.rawValue, size: size)
    }

    /// The header of a delta of `size` bytes on the entry that begins so many bytes before; not 0.
    static func encode(deltaAt distance: UInt64, size: UInt64) -> [UInt8] {
        var rest = distance
        var bytes = [UInt8(rest & 0x7f)]
        while rest >> 7 > 0 {
            rest = rest >> 7 - 1
            bytes.append(0x80 | UInt8(rest & 0x7f))
        }
        return encode(type: 6, size: size) + bytes.reversed()
    }

    /// The header of a delta of `size` bytes on an object that is anywhere.
    static func encode(deltaOn base: ObjectID, size: UInt64) -> [UInt8] {
        encode(type: 7, size: size) + base.rawBytes
    }

    private static func encode(type: UInt8, size: UInt64) -> [UInt8] {
        var rest = size >> 4
        var out = [type << 4 | UInt8(size & 15)]
        while rest > 0 {
            out[out.count - 1] |= 0x80
            out.append(UInt8(rest & 0x7f))
            rest >>= 7
        }
        return out
    }
}

/// The 12 bytes at the front of a pack.
struct PackHeader {
    static let length = 12
    let version: UInt32
    let entryCount: UInt32

    init(parsing bytes: Span<UInt8>) throws(ParseError) {
        var cursor = ByteCursor(bytes)
        guard cursor.skip("PACK") else { throw ParseError("not a pack: no PACK signature", at: 0) }
        version = try cursor.readUInt32()
        guard version == 2 || version == 3 else {
            throw ParseError("unsupported pack version \(version)", at: 4)
        }
        entryCount = try cursor.readUInt32()
    }

    static func encode(entryCount: UInt32) -> [UInt8] {
        Array("PACK".utf8) + [0, 0, 0, 2] + withUnsafeBytes(of: entryCount.bigEndian) { Array($0) }
    }
}
