package import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// `<path>.lock`, held: the way in which Git's programs keep out of each other's way and replace a file
/// at once.
///
/// Letting go without ``commit()`` removes the lock and leaves the old file.
package struct LockFile: ~Copyable {
    package let path: ByteString
    private let lockPath: ByteString
    private let file: File
    private var isCommitted = false

    /// Takes the lock, or throws ``StoreError/Code/conflict`` if another holds it.
    package init(_ path: ByteString) throws(StoreError) {
        self.path = path
        lockPath = path + ".lock"
        do {
            file = try File(lockPath, O_WRONLY | O_CREAT | O_EXCL)
        } catch  where error.systemError == EEXIST {
            throw StoreError(
                .conflict,
                "'\(lockPath)' exists: another process holds it; remove it if none does",
                cause: error)
        }
    }

    package func write(_ bytes: [UInt8]) throws(StoreError) { try file.write(bytes) }

    /// Puts what was written in the file's place.
    package mutating func commit() throws(StoreError) {
        try FileSystem.rename(lockPath, to: path)
        isCommitted = true
    }

    deinit {
        if !isCommitted { _ = lockPath.withCString { unlink($0) } }
    }
}
