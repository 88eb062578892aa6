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

/// `2026-11-21T10:32:24Z`, of milliseconds since 1970.
func iso8601(_ milliseconds: UInt64) -> String {
    var time = time_t(clamping: milliseconds / 1_000)
    var parts = tm()
    guard gmtime_r(&time, &parts) != nil else { return "" }
    var buffer = [CChar](repeating: 0, count: 32)
    let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
}

private func milliseconds(_ clock: clockid_t) -> Int {
    var now = timespec()
    clock_gettime(clock, &now)
    return Int(now.tv_sec) &* 1_000 &+ Int(now.tv_nsec / 1_000_000)
}
