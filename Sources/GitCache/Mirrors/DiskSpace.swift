import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What there is on a file system, in bytes.
struct DiskSpace: Sendable {
    /// For this user to write.
    let free: UInt64
    let total: UInt64

    private static let mostReserved: UInt64 = 1 << 30

    init(free: UInt64, total: UInt64) {
        self.free = free
        self.total = total
    }

    init?(_ path: ByteString) {
        var status = statvfs()
        guard path.withCString({ statvfs($0, &status) }) == 0 else { return nil }
        func bytes(_ blocks: UInt64) -> UInt64 {
            let (bytes, overflows) = blocks.multipliedReportingOverflow(
                by: UInt64(status.f_frsize))
            return overflows ? .max : bytes
        }
        self.init(free: bytes(UInt64(status.f_bavail)), total: bytes(UInt64(status.f_blocks)))
    }

    /// What is left for others: a twentieth, and no more than 1 GiB.
    var reserve: UInt64 { min(total / 20, Self.mostReserved) }
}
