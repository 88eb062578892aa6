public import GitCore

/// One request to an HTTP server.
public struct HTTPRequest: Sendable {
    /// `GET`, `POST` and so on: a token (RFC 9110, 5.6.2), which tells capitals from small letters.
    public struct Method: Hashable, Sendable {
        public let name: String

        public static let get = Method(name: "GET")
        public static let post = Method(name: "POST")
        public static let head = Method(name: "HEAD")

        public init(name: String) { self.name = name }
    }

    public enum Body: Sendable {
        case bytes([UInt8])
        /// One that is sent while it is still being made. It is sent once, so on a connection that was not
        /// used before: a server may close one that it has kept long enough just when a request begins.
        case upload(HTTPUpload)
    }

    public var method: Method
    /// An http or https URL.
    public var url: GitURL
    /// Names and values, without the headers that `options` ask for.
    public var headers: [(name: String, value: ByteString)]
    /// What is sent, but with a HEAD.
    public var body: Body
    /// Whether `~/.netrc` may give the user and password for the URL's host.
    public var usesNetrc = false
    /// Whether this is somebody else's request: it goes with `headers` and no others but those that the
    /// connection needs, and the body of the answer stays compressed if it came so.
    public var isPassedOn = false
    /// Whether nothing else goes over its connection. It is so from the start where the headers have a login
    /// that is the connection's (NTLM, Negotiate): whoever used it next would be let in by that.
    public var hasOwnConnection = false
    public var options: HTTPOptions

    public init(
        _ method: Method, _ url: GitURL, headers: [(name: String, value: ByteString)] = [],
        body: [UInt8] = [], options: HTTPOptions = HTTPOptions()
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = .bytes(body)
        self.options = options
        hasOwnConnection =
            headers.contains {
                $0.name.lowercased() == "authorization" && Self.isOfConnection($0.value.bytes[...])
            }
            || options.extraHeaders.contains { line in
                let name = line.bytes.prefix { $0 != UInt8(ascii: ":") }
                return name.map(\.lowercased) == Array("authorization".utf8)
                    && Self.isOfConnection(line.bytes.dropFirst(name.count + 1))
            }
    }

    private static func isOfConnection(_ authorization: ArraySlice<UInt8>) -> Bool {
        let scheme = authorization.drop(while: \.isWhiteSpace).prefix { $0.isLetter }
        return ["ntlm", "negotiate"].contains(ByteString(scheme.map(\.lowercased)))
    }
}

/// The start of the answer to a request, and the way to the rest.
public struct HTTPResponse: Sendable {
    public let status: Int
    public let headers: HTTPHeaders
    public let body: any HTTPBodyStream

    public init(status: Int, headers: HTTPHeaders, body: any HTTPBodyStream) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The bytes of an answer, as they arrive and no faster than they are asked for.
///
/// One task at a time reads. Whoever drops the stream before its end gives up the transfer.
public protocol HTTPBodyStream: Sendable, AnyObject {
    /// The next bytes, at least one; nil after the last. Nothing beyond a bounded buffer is taken
    /// from the network until this is called. Throws when the connection fails or ends too early,
    /// and promptly when the task is cancelled.
    func next() async throws(ClientError) -> [UInt8]?
}

/// What sends requests: ``CurlTransport``, or what a program puts in its place.
///
/// A transport sends one request and gives its answer. It follows no redirects, keeps no cookies, and
/// asks for no passwords: that is decided above it.
public protocol HTTPTransport: Sendable {
    /// Returns once the answer's headers are there, whatever its status.
    func send(_ request: HTTPRequest) async throws(ClientError) -> HTTPResponse
}

/// The headers of an answer: names in lower case, values as bytes.
public struct HTTPHeaders: Sendable {
    public private(set) var fields: [(name: String, value: ByteString)] = []

    public init(_ fields: [(name: String, value: ByteString)] = []) {
        for field in fields { append(field.name, field.value) }
    }

    public mutating func append(_ name: String, _ value: ByteString) {
        fields.append((name.lowercased(), value))
    }

    /// The first field of this name, in any case.
    public subscript(_ name: String) -> ByteString? {
        let name = name.lowercased()
        return fields.first { $0.name == name }?.value
    }

    public func all(_ name: String) -> [ByteString] {
        let name = name.lowercased()
        return fields.filter { $0.name == name }.map(\.value)
    }

    /// The media type without its parameters, white space removed, in lower case, as Git takes it.
    public var contentType: ByteString {
        let value = self["content-type"]?.bytes.prefix { $0 != UInt8(ascii: ";") } ?? []
        return ByteString(value.filter { !$0.isWhiteSpace }.map(\.lowercased))
    }
}
