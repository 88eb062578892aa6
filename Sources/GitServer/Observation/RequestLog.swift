internal import GitCore
internal import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A line of JSON for each request that is over (docs/Serving.md lists the fields). No field has anything
/// of a credential: of the target only the path is told.
struct RequestLine {
    let text: String

    private static let longestText = 512

    init(_ record: HTTPRecord, at time: time_t) {
        var fields: [(String, String)] = [("time", Self.quoted(Self.iso8601(time)))]
        func add(_ name: String, _ text: String) { fields.append((name, Self.quoted(text))) }
        if let head = record.head {
            add("peer", head.peer)
            add("method", head.method)
            add("path", "/" + head.target.path.map(\.printable).joined(separator: "/"))
            if let agent = head.headers.value("user-agent") { add("agent", agent.printable) }
        }
        for (name, value) in record.notes { add(name, value) }
        fields += [
            ("status", "\(record.status)"), ("received", "\(record.received)"),
            ("sent", "\(record.sent)"), ("ms", "\(Self.milliseconds(record.duration))"),
            ("whole", "\(record.isWhole)"),
        ]
        text = "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}\n"
    }

    /// Something that no request is about.
    init(event: String, at time: time_t) {
        text = "{\"time\":\(Self.quoted(Self.iso8601(time))),\"event\":\(Self.quoted(event))}\n"
    }

    private static func milliseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }

    /// `2026-11-21T10:32:24Z`
    private static func iso8601(_ time: time_t) -> String {
        var time = time
        var parts = tm()
        gmtime_r(&time, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars.prefix(longestText) {
            switch scalar {
            case "\"", "\\":
                quoted += "\\"
                quoted.unicodeScalars.append(scalar)
            case "\0" ..< " ": quoted += " "
            // What some readers take for the end of a line, or a terminal obeys.
            case "\u{7f}" ... "\u{9f}", "\u{2028}", "\u{2029}":
                quoted += scalar.value < 0x100 ? "\\u00" : "\\u"
                quoted += String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// Writes lines on a thread of its own, so that whoever has one never waits; drops them when they come
/// faster than they can be written.
final class LogWriter: Sendable {
    private let queue = BoundedQueue<String>(capacity: 10_000)
    private let thread: SystemThread

    init(_ write: @escaping @Sendable (String) -> Void) throws(StoreError) {
        let queue = queue
        thread = try SystemThread { while let line = queue.pop() { write(line) } }
    }

    func add(_ line: String) { queue.pushIfRoom(line) }

    /// Writes what is left, and ends.
    func finish() {
        queue.close()
        thread.join()
    }
}
