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
        var durations = DurationCounts()
    }

    private let state = Mutex(State())

    func add(_ record: HTTPRecord, service: String) {
        state.withLock { state in
            state.requests[Kind(service: service, status: record.status), default: 0] += 1
            state.received += record.received
            state.sent += record.sent
            if !record.isWhole { state.broken += 1 }
            state.durations.add(record.duration)
        }
    }

    var sentBytes: UInt64 { state.withLock { $0.sent } }

    /// Adds all of it to the page that Prometheus reads.
    func tell(_ page: inout MetricsPage, active: Int, connections: Int) {
        let state = state.withLock { $0 }
        page.add(
            "apus_requests_total", .counter, "Requests that are over.",
            state.requests.sorted {
                ($0.key.service, $0.key.status) < ($1.key.service, $1.key.status)
            }.map { "{service=\"\($0.key.service)\",status=\"\($0.key.status)\"} \($0.value)" })
        page.add(
            "apus_broken_requests_total", .counter,
            "Requests whose answer did not get to its end.", state.broken)
        page.add(
            "apus_received_bytes_total", .counter, "Bytes of requests' bodies.", state.received)
        page.add("apus_sent_bytes_total", .counter, "Bytes of answers' bodies.", state.sent)
        page.add(
            "apus_request_seconds", .histogram, "Time from a request's head to its answer's end.",
            state.durations.lines())
        page.add("apus_active_requests", .gauge, "Requests being answered.", active)
        page.add("apus_connections", .gauge, "Open connections.", connections)
        page.add(
            "process_resident_memory_bytes", .gauge, "Resident memory.", Self.residentBytes)
        page.add(
            "apus_build_info", .gauge, "The version that runs.",
            ["{version=\"\(Server.agent.printable)\"} 1"])
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
