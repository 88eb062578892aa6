/// A hash of paths in which the last sixteen characters count, the last one most: files of one name,
/// and of like endings, are then near one another.
struct PathHash {
    private let directory: UInt32

    /// - Parameter hash: that of the directory's own path; 0 at the top.
    init(ofDirectory hash: UInt32) {
        directory = hash == 0 ? 0 : Self.step(hash, UInt8(ascii: "/"))
    }

    /// Of the path of an entry in the directory.
    func appending(_ name: UnsafeRawBufferPointer) -> UInt32 {
        var hash = directory
        for byte in name where byte != 0x20 && byte &- 9 > 4 { hash = Self.step(hash, byte) }
        return hash
    }

    private static func step(_ hash: UInt32, _ byte: UInt8) -> UInt32 {
        (hash >> 2) &+ UInt32(byte) << 24
    }
}
