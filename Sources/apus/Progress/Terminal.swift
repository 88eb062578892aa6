import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What is known of the terminal behind standard error.
struct Terminal: Sendable {
    /// Whether escape sequences are understood.
    let isTerminal: Bool
    let columns: @Sendable () -> Int
    /// False while the process is in the background, where drawing would disturb another.
    let isForeground: @Sendable () -> Bool

    static let standardError = Terminal(
        isTerminal: isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb",
        columns: {
            if let text = environment("COLUMNS"), let columns = parseNumber(text), columns > 0 {
                return columns
            }
            var size = winsize()
            let request = UInt(TIOCGWINSZ)
            return ioctl(STDERR_FILENO, request, &size) == 0 && size.ws_col > 0
                ? Int(size.ws_col) : 80
        },
        isForeground: {
            let group = tcgetpgrp(STDERR_FILENO)
            return group < 0 || group == getpgid(0)
        })

    /// Whether a person watches: progress is on by default only then.
    static var isWatched: Bool { isatty(STDERR_FILENO) == 1 }
}
