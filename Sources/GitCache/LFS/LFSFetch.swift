import GitClient
import GitCore
import GitServer

/// Fetches an LFS object from where upstream said that it is, and holds it against its name.
struct LFSFetch {
    /// It was answered with something else than the object.
    struct Refused: Error, CustomStringConvertible {
        let response: GitClient.HTTPResponse
        var description: String { "the object was asked for, and the answer is \(response.status)" }
    }

    /// Bytes of the last piece that nobody gets before the whole is known to be right.
    private static let heldBytes = 4 << 10

    private let grant: LFSGrant
    private let sender: UpstreamSender

    init(_ grant: LFSGrant, _ sender: UpstreamSender) {
        self.grant = grant
        self.sender = sender
    }

    /// Asks for one byte of it: whether it is there, and for this client.
    ///
    /// - Throws: ``Refused``, ``UpstreamFailure``, `ClientError`.
    func ask(isGone: () -> Bool) throws {
        var request = request
        request.headers.append(("range", "bytes=0-0"))
        let response = try send(request, isGone)
        // An object of no bytes has no first one.
        guard
            [200, 206].contains(response.status)
                || (response.status == 416 && grant.download.size == 0)
        else { throw Refused(response: response) }
    }

    /// Hands the object to the writer, the last of it only when all of it is known to be right; does not end it.
    ///
    /// - Throws: ``Refused``; ``UpstreamFailure``; `ClientError`; ``CacheError/Code/damaged`` where it is not what its name says;
    ///   ``CacheError/Code/cancelled`` where nobody wants it any more.
    func run(_ writer: AnswerWriter, _ metrics: CacheMetrics) throws {
        let isGone = { writer.abandonIfUnwanted() }
        let response = try send(request, isGone)
        guard response.status == 200 else { throw Refused(response: response) }
        let download = grant.download
        let wrong = CacheError(.damaged, "the object that came is not the one that was asked for")
        guard response.headers["content-encoding"].map({ $0 == "identity" }) ?? true,
            response.headers["content-length"].map({ $0 == ByteString("\(download.size)") }) ?? true
        else { throw wrong }
        var hasher = PlainHasher(.sha256)
        var left = download.size
        var held: [UInt8] = []
        while let piece = try Blocking.run(isGone: isGone, { try await response.body.next() }) {
            guard UInt64(piece.count) <= left else { throw wrong }
            left -= UInt64(piece.count)
            metrics.receive(piece.count)
            hasher.update(piece)
            writer.append(held)
            held = Array(piece.suffix(Self.heldBytes))
            piece.withUnsafeBytes {
                writer.append(UnsafeRawBufferPointer(rebasing: $0.dropLast(held.count)))
            }
        }
        guard left == 0, hasher.finalize() == download.oid else { throw wrong }
        writer.append(held)
    }

    /// Another server than upstream may be there while that is away.
    private func send(
        _ request: HTTPRequest, _ isGone: () -> Bool
    ) throws -> GitClient.HTTPResponse {
        let (host, client) = (grant.address.host, grant.client)
        if grant.isAtUpstream { try sender.admit(host, client) }
        return try Blocking.run(isGone: isGone) { [sender, isAtUpstream = grant.isAtUpstream] in
            isAtUpstream
                ? try await sender.send(request, to: host, of: client)
                : try await sender.transport.send(request)
        }
    }

    private var request: HTTPRequest {
        let download = grant.download
        var headers = download.headers
        if grant.isAtUpstream {
            // As an LFS client does it: what comes with the URL is the login, if one does.
            let names = Set(headers.map(\.name))
            headers += grant.credentials.filter { !names.contains($0.name) }
        }
        headers.append(("accept-encoding", "identity"))
        if !headers.contains(where: { $0.name == "user-agent" }) {
            headers.append(("user-agent", options.userAgent))
        }
        var request = HTTPRequest(.get, download.url, headers: headers, options: options)
        request.isPassedOn = true
        return request
    }

    /// What an upstream names besides itself is a server in the Internet, and gets nothing that is set for the
    /// upstream alone, its certificates included.
    private var options: HTTPOptions {
        let own = grant.address.host.options
        if grant.isAtUpstream { return own }
        var options = HTTPOptions()
        options.refusesPrivateAddresses = true
        options.proxy = own.proxy
        options.userAgent = own.userAgent
        options.connectTimeout = own.connectTimeout
        options.lowSpeedLimit = own.lowSpeedLimit
        options.lowSpeedTime = own.lowSpeedTime
        options.version = own.version
        return options
    }
}
