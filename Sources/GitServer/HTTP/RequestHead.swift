package import GitCore

/// The head of a request that was found good.
package struct RequestHead: Sendable {
    package let method: String
    /// As it was sent.
    package let rawTarget: ByteString
    package let target: RequestTarget
    package let headers: RequestHeaders
    /// The address of who asks, without the port: `192.0.2.1`, `2001:db8::1`.
    package let peer: String

    /// How much body follows.
    package enum BodyLength: Hashable, Sendable {
        case none
        case known(UInt64)
        /// In chunks.
        case open
    }
    package let bodyLength: BodyLength
    /// Whether the client waits for `100 Continue` before it sends the body.
    package let expectsContinue: Bool
    /// Whether it speaks HTTP/1.0: where an answer has no length, the end of the connection is its end.
    let isOld: Bool
}

/// The fields of a head, in their order.
package struct RequestHeaders: Sendable {
    private let fields: [(name: ByteString, value: ByteString)]

    init(_ fields: [(name: ByteString, value: ByteString)]) {
        self.fields = fields.map { (ByteString($0.name.bytes.map(\.lowercased)), $0.value) }
    }

    /// - Parameter name: in lower case.
    package func values(_ name: ByteString) -> [ByteString] {
        fields.compactMap { $0.name == name ? $0.value : nil }
    }

    /// The value of a field that may be there once; ``HeadFault`` has seen to that.
    package func value(_ name: ByteString) -> ByteString? { values(name).first }

    package var all: [(name: ByteString, value: ByteString)] { fields }
}

/// Why a head is refused: a proxy in front may read it differently, and see other requests than these.
enum HeadFault: Error {
    case badRequest
    /// libmicrohttpd has seen it too, and has answered.
    case badLength
    case versionNotSupported
    case badTarget
}

extension RequestHead {
    /// Fields that, if they came twice, could mean two things.
    private static let single: [ByteString] = [
        "host", "content-length", "transfer-encoding", "content-type", "content-encoding",
        "authorization", "git-protocol", "expect", "range", "if-range",
    ]

    init(
        method: ByteString, target: ByteString, version: ByteString, headers: RequestHeaders,
        peer: String, allowsSlash: Bool = false
    ) throws(HeadFault) {
        guard version == "HTTP/1.1" || version == "HTTP/1.0" else { throw .versionNotSupported }
        let isOld = version == "HTTP/1.0"
        for (name, value) in headers.all {
            guard !name.isEmpty, name.bytes.allSatisfy(\.isTokenByte),
                !value.bytes.contains(where: { $0.isControl && $0 != 0x09 })
            else { throw .badRequest }
        }
        guard Self.single.allSatisfy({ headers.values($0).count <= 1 }),
            isOld || headers.values("host").count == 1,
            !method.isEmpty, method.bytes.allSatisfy(\.isTokenByte)
        else { throw .badRequest }
        guard let parsed = RequestTarget(parsing: target, allowsSlash: allowsSlash) else {
            throw .badTarget
        }
        bodyLength = try Self.bodyLength(headers, isOld: isOld)
        let expectation = headers.value("expect").map { ByteString($0.bytes.map(\.lowercased)) }
        guard expectation == nil || expectation == "100-continue" else { throw .badRequest }
        expectsContinue = expectation != nil && !isOld
        self.isOld = isOld
        self.method = method.printable
        rawTarget = target
        self.target = parsed
        self.headers = headers
        self.peer = peer
    }

    private static func bodyLength(
        _ headers: RequestHeaders, isOld: Bool
    ) throws(HeadFault) -> BodyLength {
        let length = headers.value("content-length")
        if let coding = headers.value("transfer-encoding") {
            guard length == nil, !isOld, coding.bytes.map(\.lowercased) == Array("chunked".utf8)
            else { throw .badRequest }
            return .open
        }
        guard let length else { return .none }
        guard !length.isEmpty, length.bytes.allSatisfy(\.isDigit),
            let count = UInt64(length.printable)
        else { throw .badLength }
        return count == 0 ? .none : .known(count)
    }
}

extension UInt8 {
    /// What the names of methods and fields are made of (RFC 9110, "token").
    var isTokenByte: Bool { isLetter || isDigit || "!#$%&'*+-.^_`|~".utf8.contains(self) }
}
