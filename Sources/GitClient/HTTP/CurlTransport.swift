import CCurl
import GitCore
import Synchronization

/// ``HTTPTransport`` on libcurl.
///
/// All transfers of one `CurlTransport` run on a thread of its own and share connections (on another one
/// those that refuse addresses of the own network, so that they are never given a connection to one): HTTP/2
/// over TLS, or HTTP/1.1 with keep-alive. Certificates are verified, only http and https are spoken,
/// nothing is redirected, proxies come from the environment unless the options name one, and
/// `~/.netrc` is looked up where a request carries no credentials.
public final class CurlTransport: HTTPTransport {
    /// By whether their connections lead to addresses of the own network never, or perhaps.
    private let loops = Mutex<[Bool: CurlLoop]>([:])

    public init() {}

    public func send(_ request: HTTPRequest) async throws(ClientError) -> HTTPResponse {
        try request.url.requireHTTP()
        let loop = try runningLoop(request.options.refusesPrivateAddresses)
        let transfer = CurlTransfer(request)
        // Whoever stops waiting drops the body, and with it the transfer.
        let body = CurlBody(transfer, on: loop)
        if case .upload(let upload) = request.body {
            upload.whenReady { [weak loop] in loop?.resume(transfer) }
        }
        loop.start(transfer)
        let head = try await body.head()
        return HTTPResponse(status: head.status, headers: head.headers, body: body)
    }

    private func runningLoop(_ refusesPrivate: Bool) throws(ClientError) -> CurlLoop {
        let running = loops.withLock { loops in
            if loops[refusesPrivate] == nil { loops[refusesPrivate] = CurlLoop() }
            return loops[refusesPrivate]
        }
        guard let running else {
            throw ClientError(
                .system, "could not start libcurl: out of memory, threads or file descriptors")
        }
        return running
    }
}

/// The reader's end of a transfer.
final class CurlBody: HTTPBodyStream {
    private let transfer: CurlTransfer
    private let loop: CurlLoop

    init(_ transfer: CurlTransfer, on loop: CurlLoop) {
        self.transfer = transfer
        self.loop = loop
    }

    deinit { giveUp() }

    func head() async throws(ClientError) -> HTTPHead {
        try await withTaskCancellationHandler {
            await transfer.head()
        } onCancel: {
            giveUp()
        }.get()
    }

    func next() async throws(ClientError) -> [UInt8]? {
        let read = await withTaskCancellationHandler {
            await transfer.read()
        } onCancel: {
            giveUp()
        }
        if read.hasRoom { loop.resume(transfer) }
        return try read.bytes.get()
    }

    /// Wakes whoever waits at once; the connection is closed on the loop's thread.
    private func giveUp() {
        if transfer.finish(.failure(.cancelled)) { loop.remove(transfer) }
    }
}
