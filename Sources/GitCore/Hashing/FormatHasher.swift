import CSHA1

/// The hash of an object format, over the C kernels; what `ObjectHasher` and `PlainHasher` share.
///
/// Only the context of its own format is started and used.
struct FormatHasher {
    private var sha1 = csha1_context()
    private var sha256 = csha256_context()
    private let format: ObjectFormat

    /// With `detects`, SHA-1 looks for collision attacks.
    init(_ format: ObjectFormat, detects: Bool) {
        self.format = format
        switch format {
        case .sha1: csha1_init(&sha1, detects)
        case .sha256: csha256_init(&sha256)
        }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        // SAFETY: the kernels read `count` bytes from `baseAddress`, and keep no pointer.
        switch format {
        case .sha1: csha1_update(&sha1, bytes.baseAddress, bytes.count)
        case .sha256: csha256_update(&sha256, bytes.baseAddress, bytes.count)
        }
    }

    /// The id, and whether SHA-1 noticed an attack. Nothing may be added afterwards.
    mutating func finalize() -> (oid: ObjectID, attacked: Bool) {
        withUnsafeTemporaryAllocation(byteCount: format.byteCount, alignment: 8) { digest in
            var attacked = false
            // SAFETY: the allocation has exactly the bytes of a digest of the format.
            let start = digest.baseAddress?.assumingMemoryBound(to: UInt8.self)
            switch format {
            case .sha1: attacked = csha1_final(&sha1, start)
            case .sha256: csha256_final(&sha256, start)
            }
            return (ObjectID(raw: UnsafeRawBufferPointer(digest), format), attacked)
        }
    }
}
