import GitStore
import TestSupport

@testable import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A thread that is waited for.
final class BackgroundThread: Sendable {
    private let thread: SystemThread

    init(_ body: @escaping () -> Void) throws {
        nonisolated(unsafe) let body = body
        thread = try SystemThread { body() }
    }

    func join() { thread.join() }
}

/// What this process has in memory, in KiB.
func residentKilobytes() -> Int {
    let words = String(decoding: readFile("/proc/self/statm") ?? [], as: UTF8.self).split(
        separator: " ")
    return (words.count > 1 ? Int(words[1]) ?? 0 : 0) * 4
}

/// How many descriptors, or threads, this process has.
func countOfEntries(_ directory: String) -> Int {
    guard let stream = opendir(directory) else { return 0 }
    defer { closedir(stream) }
    var count = 0
    while readdir(stream) != nil { count += 1 }
    return count
}

extension String {
    /// Without the newline at its end.
    var trimmed: String { hasSuffix("\n") ? String(dropLast()) : self }
}
