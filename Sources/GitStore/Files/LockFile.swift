package import GitCore

#if canImport(Glibc)
    package import Glibc
#elseif canImport(Darwin)
    package import Darwin
#elseif canImport(Musl)
    package import Musl
#endif

/// `<path>.lock`, held: the way in which Git's programs keep out of each other's way and replace a file
/// at once.
///
/// Letting go without ``commit()`` removes the lock and leaves the old file.
package struct LockFile: ~Copyable {
    package let path: ByteString
    private let lockPath: ByteString
    private var file: File?
    /// Whether the lock is there to be removed: not before it is taken, and not after it became the file.
    private var isHeld = false

    /// Takes the lock, or throws ``StoreError/Code/conflict`` if another holds it and does not let go
    /// within `patience` milliseconds.
    package init(_ path: ByteString, patience: Int = 0) throws(StoreError) {
        self.path = path
        lockPath = path + ".lock"
        file = try Self.open(lockPath, patience: patience)
        isHeld = true
    }

    private static func open(
        _ lockPath: ByteString, patience: Int
    ) throws(StoreError) -> File {
        var left = patience
        var pause = 1
        while true {
            do {
                return try File(lockPath, O_WRONLY | O_CREAT | O_EXCL)
            } catch  where error.systemError == EEXIST {
                guard left > 0 else {
                    throw StoreError(
                        .conflict,
                        "'\(lockPath)' exists: another process holds it; remove it if none does",
                        cause: error)
                }
                usleep(UInt32(clamping: min(pause, left) * 1_000))
                left -= pause
                pause *= 2
            }
        }
    }

    package func write(_ bytes: [UInt8]) throws(StoreError) {
        try opened { file throws(StoreError) in try file.write(bytes) }
    }

    /// Gives the new file these permissions, whatever the umask.
    package func setPermissions(_ mode: mode_t) throws(StoreError) {
        try opened { file throws(StoreError) in
            guard fchmod(file.descriptor, mode) == 0 else { throw .system("chmod", lockPath) }
        }
    }

    /// Puts what was written on the disk and closes the file; the lock stays. For who holds many.
    ///
    /// - Parameter isSynced: false where nothing was written, or where it is put on the disk otherwise.
    package mutating func finish(isSynced: Bool = true) throws(StoreError) {
        if isSynced { try opened { file throws(StoreError) in try file.sync() } }
        file = nil
    }

    /// Puts what was written in the file's place.
    package mutating func commit() throws(StoreError) {
        try FileSystem.rename(lockPath, to: path)
        isHeld = false
    }

    private func opened(
        _ body: (borrowing File) throws(StoreError) -> Void
    ) throws(StoreError) {
        switch file {
        case .some(let file): try body(file)
        case .none: throw StoreError(.invalid, "'\(lockPath)' is written already")
        }
    }

    deinit {
        if isHeld { _ = lockPath.withCString { unlink($0) } }
    }
}
