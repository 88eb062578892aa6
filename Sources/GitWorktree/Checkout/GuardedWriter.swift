import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Writes into the work tree; nothing else does.
///
/// A path goes through ``PathRules`` before it comes here. Here its directories are opened one by one,
/// none through a symbolic link; a file is always a new one, so that no link can lead it elsewhere; and
/// its permissions are what the process's umask leaves of 0666 or 0777.
struct GuardedWriter: ~Copyable {
    /// What to do with a file that has the name of one to be written.
    enum Existing: Sendable {
        /// An error. In a directory that was empty it can only be one of the same tree, whose name the
        /// file system takes for the same (case, Unicode).
        case refused
        case replaced
    }

    private var directory: DirectoryPath
    private let existing: Existing

    init(root: Int32, existing: Existing) {
        directory = DirectoryPath(root: root)
        self.existing = existing
    }

    /// Makes an empty file, to be written to.
    mutating func createFile(
        _ path: ByteString, executable: Bool
    ) throws(WorktreeError) -> File {
        let descriptor = try create(path, "create") { directory, name in
            openat(
                directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                executable ? 0o777 : 0o666)
        }
        return File(adopting: descriptor, path: path)
    }

    mutating func createLink(
        _ path: ByteString, to target: [UInt8]
    ) throws(WorktreeError) -> IndexStat {
        let result = try create(path, "create symbolic link") { directory, name in
            ByteString(target).withCString { symlinkat($0, directory, name) }
        }
        assert(result == 0)
        return try status(path)
    }

    /// Makes a directory unless it is there: the place of a submodule.
    mutating func createDirectory(_ path: ByteString) throws(WorktreeError) -> IndexStat {
        _ = try directory.enter(path, create: true)
        return try status(path)
    }

    private mutating func status(_ path: ByteString) throws(WorktreeError) -> IndexStat {
        let parent = try enterParent(of: path)
        return try withName(nameBytes(path)) { name throws(WorktreeError) in
            var status = stat()
            guard fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw .system("stat", path)
            }
            return IndexStat(status)
        }
    }

    private mutating func create(
        _ path: ByteString, _ operation: String,
        _ make: (Int32, UnsafePointer<CChar>) -> Int32
    ) throws(WorktreeError) -> Int32 {
        let parent = try enterParent(of: path)
        let existing = existing
        return try withName(nameBytes(path)) { name throws(WorktreeError) in
            var result = retrying { make(parent, name) }
            if result < 0, errno == EEXIST {
                guard existing == .replaced else {
                    throw WorktreeError(
                        .conflict,
                        "'\(path)' is there already, or this file system takes its name for another's",
                        systemError: EEXIST)
                }
                guard unlinkat(parent, name, 0) == 0 else { throw .system("replace", path) }
                result = retrying { make(parent, name) }
            }
            guard result >= 0 else { throw .system(operation, path) }
            return result
        }
    }

    private mutating func enterParent(of path: ByteString) throws(WorktreeError) -> Int32 {
        try directory.enter(parent(of: path), create: true)
    }
}

/// The last component of `path`.
func nameBytes(_ path: ByteString) -> ArraySlice<UInt8> {
    path.bytes[((path.bytes.lastIndex(of: 0x2f) ?? -1) + 1)...]
}
