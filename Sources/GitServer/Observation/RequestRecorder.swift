package import GitCore
internal import GitStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Tells of the requests that are over: in a log, a line of JSON each, and in the pages under `/-/`.
package final class RequestRecorder: Sendable {
    private let metrics = Metrics()
    private let log: LogWriter?
    /// Requests being answered, and open connections.
    private let load = Mutex<@Sendable () -> (active: Int, connections: Int)>({ (0, 0) })
    private let others = Mutex<@Sendable (inout MetricsPage) -> Void>({ _ in })

    /// - Parameter write: is handed the lines, on a thread that nothing else needs.
    /// - Throws: ``ServerError`` where there is no thread to be had.
    package init(_ write: (@Sendable (String) -> Void)?) throws(ServerError) {
        do throws(StoreError) {
            log = if let write { try LogWriter(write) } else { nil }
        } catch { throw ServerError(error) }
    }

    /// What else is to be told on the page of metrics.
    package func tellMore(_ others: @escaping @Sendable (inout MetricsPage) -> Void) {
        self.others.withLock { $0 = others }
    }

    /// How the load is to be learnt.
    package func tellLoad(by load: @escaping @Sendable () -> (active: Int, connections: Int)) {
        self.load.withLock { $0 = load }
    }

    package func add(_ record: HTTPRecord) {
        let service = record.notes.first { $0.name == "service" }?.value ?? "other"
        metrics.add(record, service: service)
        log?.add(RequestLine(record, at: time(nil)).text)
    }

    /// Tells of something that no request is about; nothing secret.
    package func note(_ event: String) { log?.add(RequestLine(event: event, at: time(nil)).text) }

    /// Bytes of answers' bodies by now.
    package var sentBytes: UInt64 { metrics.sentBytes }

    /// Writes what is left of the log.
    package func finish() { log?.finish() }

    /// `/-/healthy`, `/-/ready`, `/-/metrics`.
    package func page(_ name: ByteString) -> HTTPResponse {
        switch name {
        case "healthy", "ready": return HTTPResponse(200, text: "ok")
        case "metrics":
            let load = load.withLock { $0 }()
            var page = MetricsPage()
            metrics.tell(&page, active: load.active, connections: load.connections)
            others.withLock { $0 }(&page)
            return HTTPResponse(
                200, headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")],
                body: .bytes(Array(page.text.utf8)))
        default: return HTTPResponse(404, text: "Not found.")
        }
    }
}
