internal import GitCore

/// An id as it stands in memory, for tables of ids without order: words of the machine's own byte
/// order, which cost no conversion.
struct RawObjectID: Equatable {
    let words: (UInt64, UInt64, UInt64, UInt64)

    static let zero = RawObjectID(words: (0, 0, 0, 0))

    private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Reads `format.byteCount` bytes, which must be there.
    @inline(__always)
    init(_ bytes: UnsafeRawPointer, _ format: ObjectFormat) {
        // SAFETY: 20 bytes are the fewest that a format has; sha256 has 32.
        func word(_ offset: Int) -> UInt64 {
            bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        if format == .sha1 {
            let last = bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)
            words = (word(0), word(8), UInt64(last), 0)
        } else {
            words = (word(0), word(8), word(16), word(24))
        }
    }

    /// Writes `format.byteCount` bytes, for which there must be room.
    @inline(__always)
    func store(to bytes: UnsafeMutableRawPointer, _ format: ObjectFormat) {
        bytes.storeBytes(of: words.0, toByteOffset: 0, as: UInt64.self)
        bytes.storeBytes(of: words.1, toByteOffset: 8, as: UInt64.self)
        if format == .sha1 {
            let last = UInt32(truncatingIfNeeded: words.2)
            bytes.storeBytes(of: last, toByteOffset: 16, as: UInt32.self)
        } else {
            bytes.storeBytes(of: words.2, toByteOffset: 16, as: UInt64.self)
            bytes.storeBytes(of: words.3, toByteOffset: 24, as: UInt64.self)
        }
    }

    @inline(__always)
    var isZero: Bool { words.0 | words.1 | words.2 | words.3 == 0 }

    @inline(__always)
    static func == (a: RawObjectID, b: RawObjectID) -> Bool {
        a.words.0 == b.words.0
            && (a.words.1 ^ b.words.1) | (a.words.2 ^ b.words.2)
                | (a.words.3 ^ b.words.3) == 0
    }
}

/// Hashes ids with a random key, so that who chooses the ids cannot choose the hashes.
///
/// Two products of sums of id and key, added: for any two ids, the keys for which their 128 bits are
/// equal are 1 in 2^64 (the NH hash of Black, Halevi, Krawczyk, Krovetz and Rogaway, "UMAC", 1999). A
/// last multiplication brings them to the upper bits of 64.
struct ObjectIDKey {
    private let sums: (UInt64, UInt64, UInt64, UInt64)
    private let factor: UInt64

    init() {
        var random = SystemRandomNumberGenerator()
        sums = (random.next(), random.next(), random.next(), random.next())
        factor = random.next() | 1
    }

    @inline(__always)
    func hash(_ id: RawObjectID) -> UInt64 {
        let first = (id.words.0 &+ sums.0).multipliedFullWidth(by: id.words.1 &+ sums.1)
        let second = (id.words.2 &+ sums.2).multipliedFullWidth(by: id.words.3 &+ sums.3)
        let (low, carry) = first.low.addingReportingOverflow(second.low)
        let high = first.high &+ second.high &+ (carry ? 1 : 0)
        let product = (low ^ high).multipliedFullWidth(by: factor)
        return product.low ^ product.high
    }
}
