/// An answer, but for the bytes of one that is streamed.
package struct HTTPResponse: Sendable {
    package enum Body: Sendable {
        case bytes([UInt8])
        /// A part of an open file, which is closed once it is sent.
        case file(descriptor: Int32, offset: UInt64, count: UInt64)
        /// What ``HTTPExchange/write(_:)`` gives. Where the count is known it is told, and an end before
        /// that breaks the answer off.
        case stream(count: UInt64? = nil)
    }

    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: Body
    /// Whether the connection is of no more use.
    package var closes = false

    package init(
        _ status: Int, headers: [(name: String, value: String)] = [], body: Body = .bytes([])
    ) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A line of text for a person.
    package init(
        _ status: Int, text: String, headers: [(name: String, value: String)] = []
    ) {
        self.init(
            status, headers: [("Content-Type", "text/plain; charset=utf-8")] + headers,
            body: .bytes(Array((text + "\n").utf8)))
    }
}

extension HTTPResponse {
    /// For answers that no cache may keep, as `git http-backend` sends them.
    package static let noCache = [
        (name: "Expires", value: "Fri, 01 Jan 1980 00:00:00 GMT"),
        (name: "Pragma", value: "no-cache"),
        (name: "Cache-Control", value: "no-cache, max-age=0, must-revalidate"),
    ]
}

extension HTTPResponse {
    static let busy = HTTPResponse(
        503, text: "The server is busy.", headers: [("Retry-After", "5")])

    /// Bytes of a body that is there from the start.
    var ownCount: UInt64 {
        switch body {
        case .bytes(let bytes): UInt64(bytes.count)
        case .file(_, _, let count): count
        case .stream: 0
        }
    }

    var isStreamed: Bool { if case .stream = body { true } else { false } }

    /// Closes what it would have sent.
    func discard() {
        if case .file(let descriptor, _, _) = body { closeDescriptor(descriptor) }
    }
}
