/// Bytes were hashed with SHA-1 that are one half of a collision attack: other bytes with the same
/// id exist, so the id names nothing.
public struct CollisionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The SHA-1 of the bytes, which the other half shares.
    public let oid: ObjectID

    public var description: String { "SHA-1 appears to be part of a collision attack: \(oid)" }
}

/// The hash that gives objects their ids, over bytes that arrive in pieces.
///
/// In the sha1 format it detects every known kind of collision attack, as Git does, at no change of
/// the ids of other bytes; in the sha256 format it is plain SHA-256. The bytes are those of the
/// header (`ObjectKind.header`) and the content.
public struct ObjectHasher: Sendable {
    private var hasher: FormatHasher

    public init(_ format: ObjectFormat) {
        hasher = FormatHasher(format, detects: true)
    }

    /// Adds bytes, in pieces of any size.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hasher.update(bytes) }

    /// Adds bytes, in pieces of any size.
    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { hasher.update($0) }
    }

    /// The id of all bytes added. Call once, last.
    ///
    /// - Throws: `CollisionError` when the bytes are part of a collision attack.
    public mutating func finalize() throws(CollisionError) -> ObjectID {
        let (oid, attacked) = hasher.finalize()
        if attacked { throw CollisionError(oid: oid) }
        return oid
    }

    /// The id of an object whose content is in memory. Nothing is copied or allocated.
    public static func hash(
        _ kind: ObjectKind, _ content: UnsafeRawBufferPointer, _ format: ObjectFormat
    ) throws(CollisionError) -> ObjectID {
        var hasher = ObjectHasher(format)
        hasher.updateHeader(kind, size: UInt64(content.count))
        hasher.update(content)
        return try hasher.finalize()
    }

    /// The id of an object whose content is in memory.
    public static func hash(
        _ kind: ObjectKind, _ content: [UInt8], _ format: ObjectFormat
    ) throws(CollisionError) -> ObjectID {
        var hasher = ObjectHasher(format)
        hasher.updateHeader(kind, size: UInt64(content.count))
        hasher.update(content)
        return try hasher.finalize()
    }

    /// Adds what is hashed before the content: `blob 12\0`.
    public mutating func updateHeader(_ kind: ObjectKind, size: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: ObjectKind.longestHeader, alignment: 1) { room in
            hasher.update(kind.writeHeader(size: size, in: room))
        }
    }
}

extension ObjectKind {
    /// Bytes of the longest header: "commit", a space, 20 digits, a zero.
    static let longestHeader = 28

    /// Writes an object's header to the end of `room`, which has ``longestHeader`` bytes; says where.
    func writeHeader(
        size: UInt64, in room: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        var start = room.count
        func prepend(_ byte: UInt8) {
            start -= 1
            room[start] = byte
        }
        prepend(0)
        var rest = size
        repeat {
            prepend(0x30 + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        prepend(0x20)
        for byte in name.utf8.reversed() { prepend(byte) }
        return UnsafeRawBufferPointer(rebasing: room[start...])
    }
}
