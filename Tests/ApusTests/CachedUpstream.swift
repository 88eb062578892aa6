import TestSupport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `apus cache` in front of a server that is no server: what goes through it, byte by byte.
struct CachedUpstream {
    let upstream: FakeUpstream
    let cache: ApusServer
    private let scratch: TemporaryDirectory

    init(
        path: String = "", options: [String] = [], environment: [String: String] = [:],
        _ handler: @escaping @Sendable (FakeUpstream.Call) -> Void
    ) throws {
        upstream = try FakeUpstream(handler)
        scratch = try TemporaryDirectory()
        cache = try ApusServer(
            cacheIn: scratch("store"), of: ["up=" + upstream.url + path], options,
            environment: environment)
    }

    /// Where the cache keeps what it has.
    var store: String { scratch("store") }

    /// The answer to a request on a connection of its own.
    func ask(_ line: String, _ headers: [String] = [], body: [UInt8] = []) throws -> String {
        let lines = ["\(line) HTTP/1.1", "Host: cache", "Connection: close"] + headers
        let head = Array((lines + ["", ""]).joined(separator: "\r\n").utf8)
        return String(
            decoding: try exchange(port: cache.port, sending: head + body), as: UTF8.self)
    }
}

extension String {
    /// The value of a header in an answer.
    func header(_ name: String) -> String? {
        let head = components("\r\n\r\n").first ?? ""
        return head.components("\r\n").first { $0.lowercased().hasPrefix(name + ": ") }
            .map { String($0.dropFirst(name.count + 2)) }
    }

    func components(_ separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }

    /// What follows the head of an answer.
    var body: String {
        components("\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
    }
}

/// Waits until something is so; says whether it is.
func eventually(_ isSo: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while try !isSo() {
        guard ContinuousClock.now < deadline else { return false }
        usleep(5_000)
    }
    return true
}
