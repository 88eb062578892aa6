import GitCore

/// A Git service of a server, by the name that its HTTP protocol has for it.
public enum GitService: String, Sendable {
    case uploadPack = "git-upload-pack"
    case receivePack = "git-receive-pack"
}

/// What is worth telling the person in passing.
public enum RemoteNotice: Sendable, Hashable {
    /// Something of this side's: certificates that are not verified, a redirect.
    case warning(String)
    /// A line that the server sent, safe to print.
    case remote(String)
}

/// A repository on a server that speaks Git's HTTP protocol (gitprotocol-http): the two kinds of
/// request that there are, with redirects, user names and passwords, and failures taken care of.
///
///     let remote = try HTTPRemote(url, transport: CurlTransport(), …)
///     let refs = try await remote.discover(.uploadPack, protocolVersion: 2)   // GET info/refs
///     let answer = try await remote.post(.uploadPack, request, protocolVersion: 2)
///
/// What a body holds is for GitWire to read.
public actor HTTPRemote {
    public typealias OptionsOfURL = @Sendable (GitURL) throws(ClientError) -> HTTPOptions
    public typealias NoticeHandler = @Sendable (RemoteNotice) -> Void

    /// The repository's URL with a slash at its end; where the server redirected to, after
    /// ``discover(_:protocolVersion:)``.
    public private(set) var base: GitURL

    private let transport: any HTTPTransport
    private let options: OptionsOfURL
    private let notice: NoticeHandler
    /// The URL that was asked for, without its password.
    private let given: GitURL
    private let authenticator: HTTPAuthenticator
    private var hasWarnedOfTLS = false

    /// `url` is http or https; a user and password in it are used for its own host only. `options`
    /// says how to connect to a URL, `notice` is told what the person should see.
    public init(
        _ url: GitURL, transport: any HTTPTransport, credentials: any CredentialProvider,
        options: @escaping OptionsOfURL = { _ in HTTPOptions() },
        notice: @escaping NoticeHandler = { _ in }
    ) throws(ClientError) {
        try url.requireHTTP()
        base = try url.asBase()
        given = try url.asBase().withUsername(url.username)
        authenticator = HTTPAuthenticator(url, credentials)
        self.transport = transport
        self.options = options
        self.notice = notice
    }

    /// Asks for the advertisement of `service` (GET `info/refs`) and gives its bytes: pkt-lines that
    /// begin with `# service=…` or `version 2`.
    ///
    /// Throws where the answer is not a Git service's: an HTML page, or the file that servers of the
    /// old, "dumb" protocol have there.
    public func discover(
        _ service: GitService, protocolVersion: Int
    ) async throws(ClientError) -> any HTTPBodyStream {
        let mark: ByteString = base.query == nil ? "?" : "&"
        let tail = "info/refs" + mark + "service=" + ByteString(service.rawValue)
        let headers: Headers = [("Pragma", "no-cache"), ("Cache-Control", "no-cache")]
        let response = try await get(tail, headers + versionHeader(protocolVersion))
        let expected = ByteString("application/x-\(service.rawValue)-advertisement")
        guard response.headers.contentType == expected else {
            throw await response.failureOfDiscovery(at: base)
        }
        return response.body
    }

    /// Sends a request to `service` (POST) and gives the bytes of its answer as they arrive.
    ///
    /// A request of more than 1024 bytes is compressed. It is sent again only where the server wants
    /// to know who asks.
    public func post(
        _ service: GitService, _ body: [UInt8], protocolVersion: Int
    ) async throws(ClientError) -> any HTTPBodyStream {
        let name = service.rawValue
        var headers: Headers = [
            ("Content-Type", ByteString("application/x-\(name)-request")),
            ("Accept", ByteString("application/x-\(name)-result")),
        ]
        headers += versionHeader(protocolVersion)
        var sent = body
        if body.count > HTTPLimits.uncompressedRequest, let packed = body.gzipped {
            sent = packed
            headers.append(("Content-Encoding", "gzip"))
        }
        let url = try base.appending(ByteString(name))
        let response = try await answer(.post, url, at: base, headers, sent)
        guard response.status == 200 else { throw await response.failure(at: base, notice) }
        guard response.headers.contentType == ByteString("application/x-\(name)-result") else {
            throw ClientError(
                .protocolError,
                "unable to access '\(base.redacted)': the answer to \(name) has the content type"
                    + " '\(response.headers.contentType.printable)'")
        }
        return response.body
    }

    private typealias Headers = [(name: String, value: ByteString)]

    private func versionHeader(_ version: Int) -> Headers {
        version > 0 ? [("Git-Protocol", ByteString("version=\(version)"))] : []
    }

    // MARK: redirects

    /// Gets `tail` of the base, wherever the server redirects it; the base moves along.
    private func get(
        _ tail: ByteString, _ headers: Headers
    ) async throws(ClientError) -> HTTPResponse {
        let asked = try base.appending(tail)
        var url = asked
        var place = base
        for _ in 0 ... HTTPLimits.redirects {
            let response = try await answer(.get, url, at: place, headers)
            if [301, 302, 303, 307, 308].contains(response.status) {
                url = try redirection(of: response, from: url)
                await response.body.drain()
                if let moved = url.base(withoutTail: tail) { place = moved }
                continue
            }
            guard response.status == 200 else { throw await response.failure(at: base, notice) }
            if url != asked { try moveBase(to: url, tail, asked) }
            return response
        }
        throw ClientError(
            .redirect,
            "unable to access '\(base.redacted)': more than"
                + " \(HTTPLimits.redirects) redirects")
    }

    private func redirection(
        of response: HTTPResponse, from url: GitURL
    ) throws(ClientError) -> GitURL {
        let failed = "unable to access '\(base.redacted)': "
        guard let location = response.headers["location"] else {
            throw ClientError(.redirect, failed + "a redirect without a location")
        }
        guard try options(of: url).followRedirects == .initial else {
            throw ClientError(
                .redirect, failed + "it redirects, and http.followRedirects forbids to follow")
        }
        let target = try url.resolving(location: location)
        guard target.isHTTP, target.scheme == url.scheme || target.scheme == .https else {
            throw ClientError(
                .redirect, failed + "refused to follow a redirect to '\(target.redacted)'")
        }
        return target
    }

    private func moveBase(
        to url: GitURL, _ tail: ByteString, _ asked: GitURL
    ) throws(ClientError) {
        guard let moved = url.base(withoutTail: tail) else {
            throw ClientError(
                .redirect,
                "unable to update url base from redirection: asked for '\(asked.redacted)',"
                    + " redirected to '\(url.redacted)'")
        }
        base = moved
        notice(.warning("redirecting to \(base.redacted)"))
    }

    // MARK: one request

    /// The answer to a request, after a user name and password were given where it wants them:
    /// those for the repository at `place`.
    private func answer(
        _ method: HTTPRequest.Method, _ url: GitURL, at place: GitURL, _ headers: Headers,
        _ body: [UInt8] = []
    ) async throws(ClientError) -> HTTPResponse {
        let plain = HTTPRequest(
            method, url, headers: headers, body: body, options: try options(of: url))
        warnOfTLS(plain)
        while true {
            let request = await authenticator.authorized(plain)
            let response = try await sendPersistently(request)
            guard response.status == 401 else {
                if response.status < 300 { await authenticator.approve(url.origin) }
                return response
            }
            guard authenticator.canAuthenticate(response, request) else { return response }
            guard try await authenticator.obtain(after: request, at: place) else {
                return response
            }
            await response.body.drain()
        }
    }

    private func options(of url: GitURL) throws(ClientError) -> HTTPOptions {
        if url.origin == given.origin { return try options(url.withUsername(given.username)) }
        var options = try options(url)
        // What is meant for the host that was named is not sent to one it redirects to.
        options.extraHeaders = []
        return options
    }

    /// Sends a GET again after a failure that may pass.
    private func sendPersistently(_ request: HTTPRequest) async throws(ClientError) -> HTTPResponse
    {
        var retries = request.method == .get ? HTTPLimits.retries : 0
        while true {
            let wait: Int
            do throws(ClientError) {
                let response = try await transport.send(request)
                guard retries > 0, request.options.waitsForServer,
                    let seconds = response.secondsToRetry
                else { return response }
                wait = seconds
                await response.body.drain()
            } catch {
                guard retries > 0, error.isBeforeAnswer else { throw error }
                wait = 0
            }
            retries -= 1
            do { try await Task.sleep(for: .seconds(wait)) } catch { throw .cancelled }
        }
    }

    private func warnOfTLS(_ request: HTTPRequest) {
        guard request.url.scheme == .https, !request.options.verifiesTLS, !hasWarnedOfTLS else {
            return
        }
        hasWarnedOfTLS = true
        notice(
            .warning(
                "the server's certificate is NOT verified (http.sslVerify, GIT_SSL_NO_VERIFY):"
                    + " whoever is on the way to '\(base.redacted)' can read and change everything")
        )
    }
}
