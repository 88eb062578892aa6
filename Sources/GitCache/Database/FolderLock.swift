import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A folder of the cache, this process's alone until it lets go or ends, however it ends: flock(2) on
/// the file `lock` in it.
struct FolderLock: ~Copyable, Sendable {
    private let file: File

    init(_ folder: ByteString) throws(CacheError) {
        file = try Self.lock(folder)
    }

    // A program being started may have a copy of the descriptor for a moment, which would hold the lock.
    deinit { flock(file.descriptor, LOCK_UN) }

    private static func lock(_ folder: ByteString) throws(CacheError) -> File {
        do throws(StoreError) {
            let file = try File(folder / "lock", O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            if retrying({ flock(file.descriptor, LOCK_EX | LOCK_NB) }) == 0 { return file }
            guard errno == EWOULDBLOCK else { throw .system("lock", file.path) }
        } catch { throw CacheError(error) }
        throw CacheError(.locked, "another process has the cache's folder '\(folder)'")
    }
}
