internal import CMicroHTTPD
internal import GitStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What a server does with its requests.
package protocol HTTPHandler: Sendable {
    /// Whether a component of a path may hold an encoded slash, which is a slash in
    /// ``RequestTarget/path``; no, unless the handler says so. A path with one could mean two things to
    /// all that joins its components.
    var allowsEncodedSlash: Bool { get }
    /// Refuses a request by its head; nil to have it answered. Must not wait: it is called on a thread
    /// that serves other connections too.
    func refuse(_ head: RequestHead) -> HTTPResponse?
    /// Answers a request, on a thread that nothing else needs.
    func answer(_ exchange: HTTPExchange)
    /// Is told of every request that is over.
    func finished(_ record: HTTPRecord)
}

extension HTTPHandler {
    package var allowsEncodedSlash: Bool { false }
}

/// What is to be told of a request that is over.
package struct HTTPRecord: Sendable {
    package let head: RequestHead?
    package let status: Int
    package let sent: UInt64
    package let received: UInt64
    /// From the head's arrival to the last byte sent.
    package let duration: Duration
    /// Whether the answer went out to its end.
    package let isWhole: Bool
    /// What was noted while it was answered.
    package let notes: [(name: String, value: String)]
}

/// An HTTP/1.1 server on libmicrohttpd: some threads that move bytes for all connections, and a thread
/// for each request that is being answered.
package final class HTTPServer: Sendable {
    package let options: HTTPServerOptions
    package let port: UInt16
    private let daemon: MicroDaemon
    private let core: ServerCore

    /// Binds the address and begins to serve.
    package init(_ options: HTTPServerOptions, _ handler: any HTTPHandler) throws(ServerError) {
        self.options = options
        apus_keep_memory_together()
        let socket = try ListeningSocket(options.address, options.port, options.backlog)
        port = socket.port
        core = ServerCore(options, handler)
        daemon = try MicroDaemon(socket, options, core)
        try core.watch()
    }

    /// Requests that are being answered.
    package var activeRequests: Int { core.active.load(ordering: .sequentiallyConsistent) }
    /// Connections that are open, idle ones too.
    package var connections: Int { core.connections.withLock { $0.count } }

    /// Breaks off the requests that run now and that `isMeant` says so of: their clients see answers that are
    /// not whole.
    package func breakOff(where isMeant: (RequestHead) -> Bool) {
        let exchanges = core.connections.withLock { connections in
            connections.values.compactMap { connection -> HTTPExchange? in
                guard let exchange = connection.exchange, isMeant(exchange.head) else { return nil }
                connection.cut()
                return exchange
            }
        }
        for exchange in exchanges { exchange.cancel() }
    }

    /// Takes no new request, waits until those that run are done or `grace` is over, then ends all.
    /// Once; blocks the calling thread.
    package func stop(grace: Duration) {
        core.isStopping.store(true, ordering: .releasing)
        daemon.quiesce()
        let deadline = ContinuousClock.now + grace
        while activeRequests > 0, ContinuousClock.now < deadline { usleep(20_000) }
        core.isClosed.store(true, ordering: .sequentiallyConsistent)
        core.cancelAll()
        while activeRequests > 0 { usleep(5_000) }
        core.endWatch()
        daemon.stop()
    }
}

/// What libmicrohttpd's callbacks share.
final class ServerCore: Sendable {
    let options: HTTPServerOptions
    let handler: any HTTPHandler
    let isStopping = Atomic(false)
    /// Nothing is begun any more: libmicrohttpd must not be stopped with connections suspended.
    let isClosed = Atomic(false)
    let active = Atomic(0)
    let connections = Mutex<[ObjectIdentifier: HTTPConnection]>([:])
    private let hasEnded = Monitor(false)
    private let watcher = Mutex<SystemThread?>(nil)

    init(_ options: HTTPServerOptions, _ handler: any HTTPHandler) {
        self.options = options
        self.handler = handler
    }

    /// Runs the handler on a thread of its own; false where there is none to be had.
    func start(_ exchange: HTTPExchange) -> Bool {
        let count = active.add(1, ordering: .sequentiallyConsistent).newValue
        guard count <= options.maximumRequests,
            !isClosed.load(ordering: .sequentiallyConsistent)
        else {
            active.subtract(1, ordering: .relaxed)
            return false
        }
        do throws(StoreError) {
            try SystemThread { [self] in
                handler.answer(exchange)
                // Whatever it did, an answer that was begun has an end, and none is an answer too.
                exchange.respond(HTTPResponse(500, text: "No answer."))
                exchange.end()
                active.subtract(1, ordering: .releasing)
            }.detach()
            return true
        } catch {
            active.subtract(1, ordering: .relaxed)
            return false
        }
    }

    // MARK: Watching connections

    func watch() throws(ServerError) {
        do throws(StoreError) {
            let thread = try SystemThread { [self] in
                var wasActive = false
                while !hasEnded.wait(milliseconds: 1_000, until: { $0 }) {
                    inspectAll()
                    // What answers have freed is given back to the system once there are none.
                    let isActive = active.load(ordering: .relaxed) > 0
                    if wasActive, !isActive { apus_give_back_memory() }
                    wasActive = isActive
                }
            }
            watcher.withLock { $0 = thread }
        } catch { throw ServerError(error) }
    }

    func endWatch() {
        hasEnded.change { $0 = true }
        watcher.withLock { $0.take() }?.join()
    }

    private func inspectAll() {
        // Under the lock a connection's socket stays open: it is taken out before it is closed.
        connections.withLock { connections in
            for connection in connections.values { connection.inspect(options) }
        }
    }

    func cancelAll() {
        let exchanges = connections.withLock { $0.values.compactMap(\.exchange) }
        for exchange in exchanges { exchange.cancel() }
    }
}

/// A connection, as long as libmicrohttpd has it open.
final class HTTPConnection: Sendable {
    let peer: String
    private let descriptor: Int32

    private struct State {
        var exchange: HTTPExchange?
        /// Since when a request is waited for.
        var waitingSince = ContinuousClock.now
    }
    private let state = Mutex(State())

    init(_ connection: OpaquePointer) {
        descriptor = apus_mhd_socket(connection)
        peer = SocketAddress.text(apus_mhd_peer(connection)) ?? "unknown"
    }

    var exchange: HTTPExchange? { state.withLock { $0.exchange } }

    func begin(_ exchange: HTTPExchange) { state.withLock { $0.exchange = exchange } }

    func finishExchange() {
        state.withLock { state in
            state.exchange = nil
            state.waitingSince = .now
        }
    }

    /// Ends the connection where its client is gone, or holds it without using it.
    func inspect(_ options: HTTPServerOptions) {
        let (exchange, since) = state.withLock { ($0.exchange, $0.waitingSince) }
        guard let exchange else {
            if ContinuousClock.now - since > options.headTime { cut() }
            return
        }
        switch exchange.inspect(isHungUp: isHungUp, isAtEnd: isAtEnd, options) {
        case .fine: break
        case .slow, .brokenOff: cut()
        case .gone: exchange.cancel()
        }
    }

    /// To be called with the lock of the connections, under which its socket stays open.
    func cut() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func isHungUp() -> Bool {
        apus_socket_is_hung_up(descriptor) != 0
    }

    private func isAtEnd() -> Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 0
    }
}
