package import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What tells one state of a file or directory from another, as far as the file system says.
package struct FileStamp: Hashable, Sendable {
    private let device: UInt64
    private let number: UInt64
    private let size: Int64
    /// Last change of the content and of anything, in nanoseconds.
    private let modified: Int64
    private let changed: Int64
    /// When it was taken, in the same unit. Not part of what is compared.
    private let taken: Taken

    private struct Taken: Hashable, Sendable {
        let time: Int64
        static func == (a: Self, b: Self) -> Bool { true }
        func hash(into hasher: inout Hasher) {}
    }

    /// File systems note times no finer than this, in nanoseconds.
    private static let granularity: Int64 = 2_000_000_000

    /// nil where there is nothing.
    package init?(_ path: ByteString) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        guard let status = FileSystem.status(path) else { return nil }
        self.init(status, taken: now)
    }

    /// - Parameter now: a time before `status` was asked for.
    init(_ status: stat, taken now: timespec) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        number = UInt64(truncatingIfNeeded: status.st_ino)
        size = Int64(status.st_size)
        #if canImport(Darwin)
            modified = Self.nanoseconds(status.st_mtimespec)
            changed = Self.nanoseconds(status.st_ctimespec)
        #else
            modified = Self.nanoseconds(status.st_mtim)
            changed = Self.nanoseconds(status.st_ctim)
        #endif
        taken = Taken(time: Self.nanoseconds(now))
    }

    /// Whether a change after the stamp was taken would be seen by another stamp: false for a while
    /// after the last change.
    var isSettled: Bool { taken.time &- max(modified, changed) > Self.granularity }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
