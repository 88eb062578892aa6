import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What stands at a path of the work tree.
enum WorktreeItem: ~Copyable {
    case missing
    case file(File, stat)
    case link(target: [UInt8], stat)
    case directory
    /// A device, a socket: nothing that a repository holds.
    case other
}

/// Reads from the work tree, never through a symbolic link.
struct GuardedReader: ~Copyable {
    private var directory: DirectoryPath

    /// - Parameter root: the top of the work tree, open for as long as this value lives.
    init(root: Int32) { directory = DirectoryPath(root: root) }

    mutating func item(_ path: ByteString) throws(WorktreeError) -> WorktreeItem {
        let parent: Int32
        do throws(WorktreeError) {
            parent = try directory.enter(GitWorktree.parent(of: path), create: false)
        } catch {
            if error.systemError == ENOENT { return .missing }
            throw error
        }
        let name = nameBytes(path)
        var status = stat()
        let result = try withName(name) { fstatat(parent, $0, &status, AT_SYMLINK_NOFOLLOW) }
        guard result == 0 else {
            if errno == ENOENT { return .missing }
            throw .system("stat", path)
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .directory
        case S_IFLNK: return .link(target: try target(parent, name, path), status)
        case S_IFREG: return try open(parent, name, path)
        default: return .other
        }
    }

    private func open(
        _ parent: Int32, _ name: ArraySlice<UInt8>, _ path: ByteString
    ) throws(WorktreeError) -> WorktreeItem {
        // O_NONBLOCK: should it have become a FIFO since.
        let descriptor = try withName(name) { name in
            retrying { openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        }
        guard descriptor >= 0 else { throw .system("open", path) }
        let file = File(adopting: descriptor, path: path)
        let status = try storing { () throws(StoreError) in try file.status() }
        return status.st_mode & S_IFMT == S_IFREG ? .file(file, status) : .other
    }

    private func target(
        _ parent: Int32, _ name: ArraySlice<UInt8>, _ path: ByteString
    ) throws(WorktreeError) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: WorktreeLimits.linkTargetLength + 1)
        let count = try withName(name) { name in
            target.withUnsafeMutableBytes { buffer in
                // SAFETY: the array is not empty, so it has a base address.
                readlinkat(
                    parent, name,
                    buffer.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped,
                    buffer.count)
            }
        }
        guard count >= 0 else { throw .system("read symbolic link", path) }
        return Array(target[..<count])
    }
}
