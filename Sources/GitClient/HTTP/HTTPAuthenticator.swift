import GitCore

/// Who this client is to a server: which credential goes to which origin, and what became of it.
actor HTTPAuthenticator {
    private let provider: any CredentialProvider
    private let givenOrigin: GitURL.Origin
    private let givenUsername: ByteString?
    private var held: Held?

    private struct Held {
        let credential: Credential
        let origin: GitURL.Origin
        /// Who is to be told how it went; nil for what stood in the URL.
        let request: CredentialRequest?
        var isApproved = false
    }

    /// A password in `url` is tried first; a user name alone is what the provider is asked about.
    init(_ url: GitURL, _ provider: any CredentialProvider) {
        self.provider = provider
        givenOrigin = url.origin
        givenUsername = url.username
        guard let password = url.password else { return }
        let credential = Credential(username: url.username ?? "", password: password)
        held = Held(credential: credential, origin: url.origin, request: nil)
    }

    /// The request with the credential that is held for its origin, if there is one. An
    /// `Authorization` among the extra headers takes its place.
    func authorized(_ request: HTTPRequest) -> HTTPRequest {
        var request = request
        if request.hasAuthorizationOfItsOwn { return request }
        guard let held, held.origin == request.url.origin else {
            // Someone who said which user it is does not want another's password.
            request.usesNetrc = givenUsername == nil || request.url.origin != givenOrigin
            return request
        }
        request.headers.append(("Authorization", held.credential.basicAuthorization))
        return request
    }

    /// Whether a credential could change the server's mind.
    nonisolated func canAuthenticate(_ response: HTTPResponse, _ request: HTTPRequest) -> Bool {
        if request.hasAuthorizationOfItsOwn { return false }
        let challenges = response.headers.all("www-authenticate")
        return challenges.isEmpty || challenges.contains { $0.offersBasic }
    }

    /// After a 401 to `refused`, for the repository at `place`: gets a credential for its origin.
    /// False where the one that was shown is what was refused, or there is none to be had.
    func obtain(after refused: HTTPRequest, at place: GitURL) async throws(ClientError) -> Bool {
        let origin = refused.url.origin
        if let held, held.origin == origin {
            // Another request may have obtained it in the meantime.
            guard refused.shows(held.credential) else { return true }
            self.held = nil
            if let request = held.request { await provider.reject(held.credential, for: request) }
            return false
        }
        let username = origin == givenOrigin ? givenUsername : nil
        let request = CredentialRequest(url: place, username: username)
        guard let credential = try await ask(request) else { return false }
        held = Held(credential: credential, origin: origin, request: request)
        return true
    }

    /// Asks the provider; its failure is told together with the URL that it was for.
    private func ask(_ request: CredentialRequest) async throws(ClientError) -> Credential? {
        do throws(ClientError) { return try await provider.credential(for: request) } catch {
            guard error.code == .authentication else { throw error }
            throw ClientError(
                .authentication, "unable to access '\(request.url.redacted)': \(error.message)",
                cause: error)
        }
    }

    /// The server at `origin` answered: what it was shown is good.
    func approve(_ origin: GitURL.Origin) async {
        guard var now = held, now.origin == origin, !now.isApproved else { return }
        now.isApproved = true
        held = now
        if let request = now.request { await provider.approve(now.credential, for: request) }
    }
}

extension HTTPRequest {
    fileprivate func shows(_ credential: Credential) -> Bool {
        headers.contains {
            $0.name == "Authorization" && $0.value == credential.basicAuthorization
        }
    }

    fileprivate var hasAuthorizationOfItsOwn: Bool {
        options.extraHeaders.contains {
            $0.bytes.prefix(14).map(\.lowercased).elementsEqual("authorization:".utf8)
        }
    }
}

extension ByteString {
    /// Whether a `WWW-Authenticate` value has the scheme "Basic" among its challenges.
    fileprivate var offersBasic: Bool {
        bytes.split { $0 == UInt8(ascii: ",") || $0.isWhiteSpace }.contains {
            $0.map(\.lowercased).elementsEqual("basic".utf8)
        }
    }
}
