/// The hash of an object format without collision detection, for checksums: the trailers of packs,
/// pack indexes and the index file, where an attacker gains nothing by a collision.
public struct PlainHasher: Sendable {
    private var hasher: FormatHasher

    public init(_ format: ObjectFormat) {
        hasher = FormatHasher(format, detects: false)
    }

    /// Adds bytes, in pieces of any size.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hasher.update(bytes) }

    /// Adds bytes, in pieces of any size.
    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { hasher.update($0) }
    }

    /// The checksum of all bytes added. Call once, last.
    public mutating func finalize() -> ObjectID { hasher.finalize().oid }
}
