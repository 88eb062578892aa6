internal import CMicroHTTPD
internal import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// libmicrohttpd's daemon, and all that it is handed.
///
/// SAFETY: `daemon` is used to stop it alone, once; what `settings` points to lives as long as this.
final class MicroDaemon: @unchecked Sendable {
    private let daemon: OpaquePointer
    private let settings: UnsafeMutablePointer<apus_mhd_settings>
    private let core: Unmanaged<ServerCore>
    private let texts: [UnsafeMutablePointer<CChar>]

    init(
        _ socket: consuming ListeningSocket, _ options: HTTPServerOptions, _ core: ServerCore
    ) throws(ServerError) {
        var texts: [UnsafeMutablePointer<CChar>] = []
        if let certificate = options.certificate {
            texts = [Self.text(certificate.key), Self.text(certificate.chain)]
        }
        let settings = UnsafeMutablePointer<apus_mhd_settings>.allocate(capacity: 1)
        let context = Unmanaged.passRetained(core)
        settings.initialize(
            to: apus_mhd_settings(
                listen_socket: socket.descriptor, threads: UInt32(max(2, options.threads)),
                connections: UInt32(options.maximumConnections),
                connections_per_address: UInt32(options.maximumConnectionsPerAddress),
                idle_seconds: UInt32(options.headTime.components.seconds),
                connection_memory: options.connectionMemory, tls_key: texts.first,
                tls_certificate: texts.last, handle: handleRequest, begin: beginRequest,
                complete: completeRequest, connection_changed: changeConnection,
                log: { _, _ in }, context: context.toOpaque()))
        // libmicrohttpd closes it where it cannot start, too.
        socket.keepOpen()
        guard let daemon = apus_mhd_start(settings) else {
            context.release()
            for text in texts { text.deallocate() }
            settings.deallocate()
            throw ServerError(
                .invalid,
                options.certificate == nil
                    ? "could not start to serve" : "the certificate or its key cannot be used")
        }
        self.daemon = daemon
        self.settings = settings
        self.core = context
        self.texts = texts
    }

    /// Takes no more connections.
    func quiesce() {
        let descriptor = MHD_quiesce_daemon(daemon)
        if descriptor >= 0 { closeDescriptor(descriptor) }
    }

    /// Closes all connections; none may be suspended.
    func stop() { MHD_stop_daemon(daemon) }

    deinit {
        settings.deallocate()
        core.release()
        for text in texts { text.deallocate() }
    }

    private static func text(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar> {
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
        for (index, byte) in bytes.enumerated() { copy[index] = CChar(bitPattern: byte) }
        copy[bytes.count] = 0
        return copy
    }
}

// MARK: What libmicrohttpd calls. SAFETY: each pointer is one that was handed to it, retained, before;
// it calls no more once the connection, request or response that the pointer belongs to is over.

/// A request from its first line on.
private final class RequestContext {
    let target: RawTarget
    let began = ContinuousClock.now
    var head: RequestHead?
    var exchange: HTTPExchange?
    /// What is answered without an exchange, once all of the request is read.
    var refusal: HTTPResponse?
    var status = 0

    init(_ target: RawTarget) { self.target = target }
}

private func core(_ context: UnsafeMutableRawPointer?) -> ServerCore? {
    context.map { Unmanaged<ServerCore>.fromOpaque($0).takeUnretainedValue() }
}

private func httpConnection(_ connection: OpaquePointer) -> HTTPConnection? {
    apus_mhd_connection_context(connection).map {
        Unmanaged<HTTPConnection>.fromOpaque($0).takeUnretainedValue()
    }
}

private let changeConnection: MHD_NotifyConnectionCallback = { context, connection, place, code in
    guard let core = core(context), let connection, let place else { return }
    if apus_mhd_is_start(code) != 0 {
        let opened = HTTPConnection(connection)
        place.pointee = Unmanaged.passRetained(opened).toOpaque()
        core.connections.withLock { $0[ObjectIdentifier(opened)] = opened }
    } else if let opaque = place.pointee {
        let closed = Unmanaged<HTTPConnection>.fromOpaque(opaque).takeRetainedValue()
        place.pointee = nil
        _ = core.connections.withLock { $0.removeValue(forKey: ObjectIdentifier(closed)) }
    }
}

private let beginRequest:
    @convention(c) (
        UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?
    ) -> UnsafeMutableRawPointer? = { _, target, _ in
        Unmanaged.passRetained(RequestContext(RawTarget(target))).toOpaque()
    }

private let handleRequest: MHD_AccessHandlerCallback = {
    context, connection, _, method, version, data, dataCount, place in
    guard let core = core(context), let connection, let method, let version,
        let opaque = place?.pointee
    else { return apus_mhd_no }
    let request = Unmanaged<RequestContext>.fromOpaque(opaque).takeUnretainedValue()
    if let refusal = request.refusal {
        guard let dataCount, dataCount.pointee > 0 else {
            return queue(refusal, nil, connection)
        }
        dataCount.pointee = 0
        return apus_mhd_yes
    }
    guard let exchange = request.exchange else {
        return begin(request, core, connection, method, version)
    }
    if let data, let dataCount, dataCount.pointee > 0 {
        let bytes = UnsafeRawBufferPointer(start: data, count: dataCount.pointee)
        dataCount.pointee = 0
        return exchange.receive(bytes) ? apus_mhd_yes : apus_mhd_no
    }
    guard let response = exchange.receivedAll() else { return apus_mhd_yes }
    return queue(response, exchange, connection)
}

/// The first call for a request: only its head is there.
private func begin(
    _ request: RequestContext, _ core: ServerCore, _ connection: OpaquePointer,
    _ method: UnsafePointer<CChar>, _ version: UnsafePointer<CChar>
) -> MHD_Result {
    // An answer before the body is read ends the connection: a short body is read first, unless the
    // client waits to hear whether it is welcome.
    func refuse(_ response: HTTPResponse, after head: RequestHead? = nil) -> MHD_Result {
        request.status = response.status
        guard let head, !response.closes, head.isShort, !head.expectsContinue else {
            return queue(response.closing, nil, connection)
        }
        request.refusal = response
        return apus_mhd_yes
    }
    guard let opened = httpConnection(connection) else { return apus_mhd_no }
    let head: RequestHead
    do throws(HeadFault) {
        head = try HeadReader.read(
            connection, method: method, target: request.target, version: version, peer: opened.peer,
            allowsSlash: core.handler.allowsEncodedSlash)
    } catch {
        if error == .badLength, apus_mhd_refuses_bad_heads == 0 {
            request.status = 400
            return apus_mhd_no
        }
        return refuse(HTTPResponse(fault: error))
    }
    request.head = head
    if core.isStopping.load(ordering: .acquiring) {
        return refuse(HTTPResponse.busy.closing)
    }
    if let response = core.handler.refuse(head) { return refuse(response, after: head) }
    let exchange = HTTPExchange(head, connection) { core.start($0) }
    request.exchange = exchange
    opened.begin(exchange)
    return apus_mhd_yes
}

private let completeRequest: MHD_RequestCompletedCallback = {
    context, connection, place, code in
    guard let opaque = place?.pointee else { return }
    place?.pointee = nil
    let request = Unmanaged<RequestContext>.fromOpaque(opaque).takeRetainedValue()
    let isWhole = apus_mhd_is_complete(code) != 0
    request.exchange?.finish(isWhole: isWhole)
    if let connection { httpConnection(connection)?.finishExchange() }
    let moved = request.exchange?.transferred
    core(context)?.handler.finished(
        HTTPRecord(
            head: request.head, status: request.exchange?.status ?? request.status,
            sent: moved?.sent ?? 0, received: moved?.received ?? 0,
            duration: ContinuousClock.now - request.began, isWhole: isWhole,
            notes: request.exchange?.notes ?? []))
}

private let readResponse: MHD_ContentReaderCallback = { context, _, buffer, count in
    guard let context, let buffer else { return apus_mhd_end_with_error }
    let exchange = Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
    return exchange.produce(UnsafeMutableRawBufferPointer(start: buffer, count: count))
}

private let releaseResponse: MHD_ContentReaderFreeCallback = { context in
    guard let context else { return }
    Unmanaged<HTTPExchange>.fromOpaque(context).release()
}

// MARK: Answers

/// Bytes that an answer which is streamed is asked for at once.
private let block = 64 << 10

private func queue(
    _ response: HTTPResponse, _ exchange: HTTPExchange?, _ connection: OpaquePointer
) -> MHD_Result {
    let made: OpaquePointer?
    switch response.body {
    case .bytes(let bytes):
        made = bytes.withUnsafeBufferPointer {
            apus_mhd_bytes($0.baseAddress, $0.count)
        }
    case .file(let descriptor, let offset, let count):
        made = MHD_create_response_from_fd_at_offset64(count, descriptor, offset)
        if made == nil { closeDescriptor(descriptor) }
    case .stream(let count):
        guard let exchange else { return apus_mhd_no }
        let context = Unmanaged.passRetained(exchange)
        made = apus_mhd_stream(
            count ?? apus_mhd_size_unknown, block, readResponse, context.toOpaque(), releaseResponse
        )
        if made == nil { context.release() }
    }
    guard let made else { return apus_mhd_no }
    defer { MHD_destroy_response(made) }
    let closing = response.closes ? [(name: "Connection", value: "close")] : []
    for (name, value) in response.headers + closing {
        guard MHD_add_response_header(made, name, value) == apus_mhd_yes else { return apus_mhd_no }
    }
    return MHD_queue_response(connection, UInt32(response.status), made)
}

extension RequestHead {
    /// Whether so little body follows that it is read whatever becomes of the request.
    fileprivate var isShort: Bool {
        switch bodyLength {
        case .none: true
        case .known(let count): count <= 64 << 10
        case .open: false
        }
    }
}

extension HTTPResponse {
    fileprivate init(fault: HeadFault) {
        switch fault {
        case .badRequest, .badLength, .badTarget:
            self = HTTPResponse(400, text: "Bad request.").closing
        case .versionNotSupported:
            self = HTTPResponse(505, text: "Only HTTP/1.1 and 1.0 are spoken here.").closing
        }
    }

    /// The same, after which the connection is closed.
    var closing: HTTPResponse {
        var response = self
        response.closes = true
        return response
    }
}
