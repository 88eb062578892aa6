/// The hash function that names a repository's objects (gitformat-… "extensions.objectFormat").
public enum ObjectFormat: UInt8, Sendable, CaseIterable {
    case sha1
    case sha256

    /// Bytes of an id: 20 or 32.
    @inlinable public var byteCount: Int { self == .sha1 ? 20 : 32 }
    /// Hex digits of an id: 40 or 64.
    @inlinable public var hexCount: Int { byteCount &* 2 }
    /// As the configuration and the wire spell it.
    public var name: String { self == .sha1 ? "sha1" : "sha256" }

    public init?(name: some StringProtocol) {
        switch name {
        case "sha1": self = .sha1
        case "sha256": self = .sha256
        default: return nil
        }
    }
}

/// The name of an object: the hash of its header and content.
///
/// Kept as four words, the first byte of the id highest in the first word, so that order is that of
/// the bytes and a comparison takes one or two instructions.
public struct ObjectID: Hashable, Sendable {
    @usableFromInline let words: (UInt64, UInt64, UInt64, UInt64)
    public let format: ObjectFormat

    @usableFromInline
    init(words: (UInt64, UInt64, UInt64, UInt64), _ format: ObjectFormat) {
        self.words = words
        self.format = format
    }

    /// From `format.byteCount` raw bytes.
    ///
    /// - Precondition: `raw` has that many.
    @inlinable public init(raw: Span<UInt8>, _ format: ObjectFormat) {
        precondition(raw.count == format.byteCount)
        self = raw.withUnsafeBufferPointer { ObjectID(raw: UnsafeRawBufferPointer($0), format) }
    }

    /// From the first `format.byteCount` bytes of `raw`.
    ///
    /// - Precondition: `raw` has at least that many.
    @inlinable public init(raw: UnsafeRawBufferPointer, _ format: ObjectFormat) {
        precondition(raw.count >= format.byteCount)
        // SAFETY: byteCount, checked above, is at least 20; sha256 has 32.
        let base = raw.baseAddress.unsafelyUnwrapped
        func word(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        let third =
            format == .sha256
            ? word(16)
            : UInt64(UInt32(bigEndian: base.loadUnaligned(fromByteOffset: 16, as: UInt32.self)))
                << 32
        self.init(words: (word(0), word(8), third, format == .sha256 ? word(24) : 0), format)
    }

    /// From `format.hexCount` hex digits, of either case; nil for anything else.
    public init?(hex: Span<UInt8>, _ format: ObjectFormat) {
        guard hex.count == format.hexCount else { return nil }
        var faults: UInt8 = 0
        let words = (
            Self.word(hex, 0 ..< 16, &faults), Self.word(hex, 16 ..< 32, &faults),
            format == .sha256
                ? Self.word(hex, 32 ..< 48, &faults) : Self.word(hex, 32 ..< 40, &faults) << 32,
            format == .sha256 ? Self.word(hex, 48 ..< 64, &faults) : 0
        )
        guard faults == 0 else { return nil }
        self.init(words: words, format)
    }

    /// From hex digits; the format is known by their number.
    public init?(hex: some StringProtocol) {
        self.init(hex: ByteString(String(hex)))
    }

    /// From hex digits; the format is known by their number.
    public init?(hex: ByteString) {
        guard let format = ObjectFormat.allCases.first(where: { $0.hexCount == hex.count }) else {
            return nil
        }
        self.init(hex: hex.bytes.span, format)
    }

    /// The id of all zeros, which stands for "no object" on the wire and in reflogs.
    public static func zero(_ format: ObjectFormat) -> ObjectID {
        ObjectID(words: (0, 0, 0, 0), format)
    }

    @inlinable public var isZero: Bool { words.0 | words.1 | words.2 | words.3 == 0 }

    /// The first byte, which chooses the fan-out slot and the loose object's folder.
    @inlinable public var firstByte: UInt8 { UInt8(truncatingIfNeeded: words.0 >> 56) }

    /// The first eight bytes, highest first: the sort key of most tables.
    @inlinable public var prefix: UInt64 { words.0 }

    /// The raw bytes: 20 or 32.
    public var rawBytes: [UInt8] {
        Array(unsafeUninitializedCapacity: format.byteCount) { buffer, count in
            write(to: UnsafeMutableRawBufferPointer(buffer))
            count = format.byteCount
        }
    }

    /// Writes the raw bytes at the start of `buffer`.
    ///
    /// - Precondition: `buffer` has room for `format.byteCount`.
    @inlinable public func write(to buffer: UnsafeMutableRawBufferPointer) {
        precondition(buffer.count >= format.byteCount)
        // SAFETY: the count was checked above.
        let base = buffer.baseAddress.unsafelyUnwrapped
        base.storeBytes(of: words.0.bigEndian, toByteOffset: 0, as: UInt64.self)
        base.storeBytes(of: words.1.bigEndian, toByteOffset: 8, as: UInt64.self)
        if format == .sha256 {
            base.storeBytes(of: words.2.bigEndian, toByteOffset: 16, as: UInt64.self)
            base.storeBytes(of: words.3.bigEndian, toByteOffset: 24, as: UInt64.self)
        } else {
            let last = UInt32(truncatingIfNeeded: words.2 >> 32)
            base.storeBytes(of: last.bigEndian, toByteOffset: 16, as: UInt32.self)
        }
    }

    /// The id in lower-case hex, as bytes.
    public var hexBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(format.hexCount)
        appendHex(to: &bytes)
        return bytes
    }

    /// Appends the id in lower-case hex.
    public func appendHex(to bytes: inout [UInt8]) {
        let digits = (
            Self.digits(words.0 >> 32), Self.digits(words.0), Self.digits(words.1 >> 32),
            Self.digits(words.1), Self.digits(words.2 >> 32), Self.digits(words.2),
            Self.digits(words.3 >> 32), Self.digits(words.3)
        )
        withUnsafeBytes(of: digits) { bytes.append(contentsOf: $0.prefix(format.hexCount)) }
    }

    /// The lower four bytes of `word` as eight hex digits, the first of them first in memory.
    private static func digits(_ word: UInt64) -> UInt64 {
        // A nibble to a byte, in three steps.
        var nibbles = word & 0xffff_ffff
        nibbles = (nibbles << 16 | nibbles) & 0x0000_ffff_0000_ffff
        nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff
        nibbles = (nibbles << 4 | nibbles) & 0x0f0f_0f0f_0f0f_0f0f
        // 1 in each byte that is to be a letter.
        let letters = (nibbles &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).bigEndian
    }

    /// The id in lower-case hex.
    public var hex: String { String(decoding: hexBytes, as: UTF8.self) }

    /// The number that hex digits spell; `faults` becomes other than 0 where one is none.
    ///
    /// Without a branch a digit: those of a hash are random, and half of the guesses would be wrong.
    private static func word(
        _ hex: Span<UInt8>, _ digits: Range<Int>, _ faults: inout UInt8
    ) -> UInt64 {
        var word: UInt64 = 0
        for index in digits {
            let ascii = hex[index]
            let isNoDigit: UInt8 = ascii &- 0x30 < 10 ? 0 : 1
            let isNoLetter: UInt8 = (ascii | 0x20) &- 0x61 < 6 ? 0 : 1
            faults |= isNoDigit & isNoLetter
            // The lower four bits of a letter count from 1.
            word = word << 4 | UInt64((ascii & 15) &+ (1 &- isNoLetter) &* 9)
        }
        return word
    }

    @inlinable public static func == (a: ObjectID, b: ObjectID) -> Bool {
        a.words == b.words && a.format == b.format
    }

    /// Feeds every byte: ids come from trees and peers that can name what does not exist, and choose
    /// ids by the thousand that agree in part.
    @inlinable public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        if format == .sha256 { hasher.combine(words.3) }
    }
}

extension ObjectID: Comparable {
    @inlinable public static func < (a: ObjectID, b: ObjectID) -> Bool { a.words < b.words }
}

extension ObjectID: CustomStringConvertible {
    public var description: String { hex }
}
