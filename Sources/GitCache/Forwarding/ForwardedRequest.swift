import GitClient
import GitCore
import GitServer

/// A client's request, made anew for upstream from what was understood of it.
struct ForwardedRequest {
    let url: GitURL
    /// Whether the body goes without the encoding that it came in.
    var isDecoded = false
    /// Whether the answer is to be read here, so that it has to come as it is.
    var isRead = false
    private let head: RequestHead
    private let host: UpstreamHost

    /// Bodies up to this many bytes are read before upstream is asked, so that they can be sent again when
    /// upstream has just closed an idle connection.
    static let smallBody: UInt64 = 64 << 10

    /// - Parameter path: below the host's base, decoded.
    /// - Throws: where it makes no URL: it is too long.
    init(_ head: RequestHead, _ host: UpstreamHost, _ path: [ByteString]) throws(ClientError) {
        let parts = head.rawTarget.bytes.split(
            separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        let endsInSlash = parts.first?.last == UInt8(ascii: "/") && !path.isEmpty
        let query = parts.count > 1 ? "?" + ByteString(parts[1]) : ByteString()
        url = try host.url(of: path).appending((endsInSlash ? "/" : "") + query)
        self.head = head
        self.host = host
    }

    /// The body, where it is streamed; nil where it is small, there is none, or it is a HEAD's, which says
    /// nothing.
    var upload: HTTPUpload? {
        if head.method == "HEAD" { return nil }
        switch head.bodyLength {
        case .open: return HTTPUpload()
        case .known(let count) where count > Self.smallBody: return HTTPUpload(length: count)
        case .known, .none: return nil
        }
    }

    func request(_ body: HTTPRequest.Body) -> HTTPRequest {
        let headers =
            ForwardedHeaders.request(head.headers).filter {
                !(isDecoded && $0.name == "content-encoding")
                    && !(isRead && $0.name == "accept-encoding")
            } + (isRead ? [("accept-encoding", "identity")] : [])
        var request = HTTPRequest(
            HTTPRequest.Method(name: head.method), url, headers: headers, options: host.options)
        request.body = body
        request.isPassedOn = true
        return request
    }
}
