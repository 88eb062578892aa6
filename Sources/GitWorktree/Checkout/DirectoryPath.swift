import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The directory of the work tree that is being worked in, held open together with those above it.
///
/// Each was opened from the one above it, by its own name, without following a symbolic link; nothing is
/// ever opened by a longer path. Whatever takes a directory's place later, what is written through this
/// goes into the directory that was opened.
struct DirectoryPath: ~Copyable {
    private struct Level {
        /// Where its name ends in ``path``.
        let end: Int
        /// -1 where it was closed to spare descriptors.
        var descriptor: Int32
    }

    private let root: Int32
    private var path = ByteString()
    private var levels: [Level] = []

    /// Levels that are held open, besides the last.
    private static let heldLevels = 64

    /// - Parameter root: the top of the work tree, open for as long as this value lives.
    init(root: Int32) { self.root = root }

    deinit { for level in levels where level.descriptor >= 0 { close(level.descriptor) } }

    /// The descriptor of `directory`, valid until the next call.
    ///
    /// - Parameter create: makes the directories that are missing.
    mutating func enter(_ directory: ByteString, create: Bool) throws(WorktreeError) -> Int32 {
        if directory != path {
            leave(to: commonLevels(with: directory))
            while (levels.last?.end ?? 0) < directory.count {
                try descend(into: directory, create: create)
            }
            path = directory
        }
        return levels.last?.descriptor ?? root
    }

    /// How many of the levels `directory` shares.
    private func commonLevels(with directory: ByteString) -> Int {
        var count = 0
        for level in levels {
            let isShared =
                level.end <= directory.count
                && (level.end == directory.count || directory.bytes[level.end] == 0x2f)
                && directory.bytes[..<level.end] == path.bytes[..<level.end]
            guard isShared else { break }
            count += 1
        }
        return count
    }

    /// Closes all but the first `count` levels, and of them those whose last is closed already.
    private mutating func leave(to count: Int) {
        while let last = levels.last, levels.count > count || last.descriptor < 0 {
            if last.descriptor >= 0 { close(last.descriptor) }
            levels.removeLast()
        }
        path = ByteString(path.bytes[..<(levels.last?.end ?? 0)])
    }

    private mutating func descend(
        into directory: ByteString, create: Bool
    ) throws(WorktreeError) {
        let start = levels.last.map { $0.end + 1 } ?? 0
        let end = directory.bytes[start...].firstIndex(of: 0x2f) ?? directory.count
        let parent = levels.last?.descriptor ?? root
        let part = ByteString(directory.bytes[..<end])
        let descriptor = try withName(directory.bytes[start ..< end]) {
            name throws(WorktreeError) in
            if create, mkdirat(parent, name, 0o777) != 0, errno != EEXIST {
                throw .system("create directory", part)
            }
            let descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else { throw Self.notEntered(part) }
            return descriptor
        }
        levels.append(Level(end: end, descriptor: descriptor))
        path = part
        let spared = levels.count - 2
        if spared >= Self.heldLevels {
            close(levels[spared].descriptor)
            levels[spared].descriptor = -1
        }
    }

    private static func notEntered(_ directory: ByteString) -> WorktreeError {
        switch errno {
        case ELOOP, ENOTDIR:
            WorktreeError(
                .conflict, "'\(directory)' is not a directory, or is a symbolic link",
                systemError: ENOTDIR)
        default: .system("open directory", directory)
        }
    }
}

/// Calls `body` with one component of a path as a C string.
func withName<Result>(
    _ name: ArraySlice<UInt8>, _ body: (UnsafePointer<CChar>) throws(WorktreeError) -> Result
) throws(WorktreeError) -> Result {
    var bytes = ContiguousArray<CChar>()
    bytes.reserveCapacity(name.count + 1)
    for byte in name { bytes.append(CChar(bitPattern: byte)) }
    bytes.append(0)
    return try bytes.withUnsafeBufferPointer { buffer throws(WorktreeError) in
        // SAFETY: there is at least the NUL, so there is a base address.
        try body(buffer.baseAddress.unsafelyUnwrapped)
    }
}
