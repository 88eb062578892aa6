internal import GitCore

/// The answer of a service over HTTP: its head goes out with the first bytes.
final class HTTPAnswer: ServiceOutput {
    private let exchange: HTTPExchange
    private let head: HTTPResponse

    init(_ exchange: HTTPExchange, contentType: String) {
        self.exchange = exchange
        head = HTTPResponse(
            200, headers: [("Content-Type", contentType)] + HTTPResponse.noCache, body: .stream())
    }

    func send(_ bytes: [UInt8]) throws(ExchangeEnded) {
        guard !bytes.isEmpty else { return }
        exchange.respond(head)
        try exchange.write(bytes)
    }

    func sendNow(_ bytes: [UInt8]) {
        exchange.respond(head)
        exchange.writeNow(bytes)
    }

    func onCancel(_ body: (@Sendable () -> Void)?) { exchange.onCancel(body) }

    var isCancelled: Bool { exchange.isCancelled }

    /// Ends it. An answer without a byte is one, too, of a length that is said: where the end of the
    /// connection would be its end (HTTP/1.0), libmicrohttpd may leave it open.
    func end() {
        var empty = head
        empty.body = .bytes([])
        exchange.respond(empty)
        exchange.end()
    }

    func fail() { exchange.fail() }
}
