public import GitCore
public import GitStore
public import GitWire

/// Asks a server for its refs, as `git ls-remote` does.
///
///     let refs = try await LsRemote("https://example.org/project.git").refs(prefixes: ["refs/tags/"])
public struct LsRemote: Sendable {
    /// What was asked for, without a password.
    public let url: GitURL

    private let config: Config
    private let environment: Environment
    private let transport: any HTTPTransport
    private let credentials: (any CredentialProvider)?
    private let notice: HTTPRemote.NoticeHandler

    /// - Parameters:
    ///   - url: http or https, once the settings `url.<base>.insteadOf` are applied.
    ///   - config: the settings; nil for the system's and the user's.
    ///   - transport: what sends the requests; nil for libcurl.
    ///   - credentials: who is asked where the server wants to know; nil for Git's credential helpers
    ///     and the terminal.
    ///   - notice: told what the person should see.
    public init(
        _ url: ByteString, config: Config? = nil, environment: Environment = .process,
        transport: (any HTTPTransport)? = nil, credentials: (any CredentialProvider)? = nil,
        notice: @escaping HTTPRemote.NoticeHandler = { _ in }
    ) throws(ClientError) {
        self.url = try GitURL(url)
        self.config =
            if let config { config } else {
                try storing { () throws(StoreError) in try Config.load(gitDirectory: nil) }
            }
        self.environment = environment
        self.transport = transport ?? CurlTransport()
        self.credentials = credentials
        self.notice = notice
    }

    /// The server's refs, HEAD among them, in the order of their names.
    ///
    /// - Parameter prefixes: beginnings of the names wanted; empty for all. A server of version 0 or 1
    ///   sends all in any case; they are sorted out here.
    public func refs(prefixes: [ByteString] = []) async throws(ClientError) -> AdvertisedRefs {
        let remote = try HTTPRemote(
            url, config, environment, transport: transport, credentials: credentials, notice: notice
        )
        let server = try await UploadPack(remote, version: ProtocolVersion(config))
        let refs = try await server.refs(prefixes: prefixes)
        return prefixes.isEmpty
            ? refs : refs.filtered { name in prefixes.contains(where: name.hasPrefix) }
    }
}
