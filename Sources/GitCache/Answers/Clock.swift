#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

func millisecondsSince1970() -> UInt64 { UInt64(clamping: milliseconds(CLOCK_REALTIME)) }

/// Since some time in the past; nobody sets this clock.
func millisecondsSinceStart() -> Int { milliseconds(CLOCK_MONOTONIC) }

private func milliseconds(_ clock: clockid_t) -> Int {
    var now = timespec()
    clock_gettime(clock, &now)
    return Int(now.tv_sec) &* 1_000 &+ Int(now.tv_nsec / 1_000_000)
}
