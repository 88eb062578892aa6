internal import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Counts what is served, and tells it in Prometheus's text format.
final class Metrics: Sendable {
    private struct Kind: Hashable {
        let service: String
        let status: Int
    }

    private struct State {
        var requests: [Kind: Int] = [:]
        var received: UInt64 = 0
        var sent: UInt64 = 0
        var broken = 0
        var buckets = [Int](repeating: 0, count: Metrics.bounds.count)
        var seconds = 0.0
        var count = 0
    }

    /// Upper bounds of the durations that are counted together, in seconds.
    private static let bounds = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300]

    private let state = Mutex(State())

    func add(_ record: HTTPRecord, service: String) {
        let (whole, atto) = record.duration.components
        let seconds = Double(whole) + Double(atto) / 1e18
        state.withLock { state in
            state.requests[Kind(service: service, status: record.status), default: 0] += 1
            state.received += record.received
            state.sent += record.sent
            if !record.isWhole { state.broken += 1 }
            for (index, bound) in Self.bounds.enumerated() where seconds <= bound {
                state.buckets[index] += 1
            }
            state.seconds += seconds
            state.count += 1
        }
    }

    /// The page that Prometheus reads.
    func page(active: Int, connections: Int) -> String {
        let state = state.withLock { $0 }
        var text = ""
        func family(_ name: String, _ type: String, _ help: String, _ lines: [String]) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for line in lines { text += name + line + "\n" }
        }
        family(
            "apus_requests_total", "counter", "Requests that are over.",
            state.requests.sorted {
                ($0.key.service, $0.key.status) < ($1.key.service, $1.key.status)
            }.map { "{service=\"\($0.key.service)\",status=\"\($0.key.status)\"} \($0.value)" })
        family(
            "apus_broken_requests_total", "counter",
            "Requests whose answer did not get to its end.",
            [" \(state.broken)"])
        family(
            "apus_received_bytes_total", "counter", "Bytes of requests' bodies.",
            [" \(state.received)"])
        family("apus_sent_bytes_total", "counter", "Bytes of answers' bodies.", [" \(state.sent)"])
        family(
            "apus_request_seconds", "histogram", "Time from a request's head to its answer's end.",
            zip(Self.bounds, state.buckets).map { "_bucket{le=\"\($0)\"} \($1)" } + [
                "_bucket{le=\"+Inf\"} \(state.count)", "_sum \(state.seconds)",
                "_count \(state.count)",
            ])
        family("apus_active_requests", "gauge", "Requests being answered.", [" \(active)"])
        family("apus_connections", "gauge", "Open connections.", [" \(connections)"])
        family(
            "process_resident_memory_bytes", "gauge", "Resident memory.",
            [" \(Self.residentBytes)"])
        family(
            "apus_build_info", "gauge", "The version that runs.",
            ["{version=\"\(Server.agent.printable)\"} 1"])
        return text
    }

    private static var residentBytes: Int {
        var bytes = [UInt8](repeating: 0, count: 128)
        let file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        let count = max(0, read(file, &bytes, bytes.count))
        let words = bytes.prefix(count).split(separator: 0x20)
        guard words.count > 1, let pages = Int(String(decoding: words[1], as: UTF8.self)) else {
            return 0
        }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }
}
