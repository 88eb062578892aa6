public import GitCore
public import GitStore
import GitWire

/// Asks a server for just what `git clone` of a person's own Git asks for, and throws it away: a cache on the
/// way keeps the answer for the clones to come.
public struct CloneRehearsal: Sendable {
    /// What was asked for, without a password.
    public let url: GitURL
    private let config: Config
    private let environment: Environment
    private let transport: any HTTPTransport
    private let credentials: (any CredentialProvider)?
    private let notice: HTTPRemote.NoticeHandler

    /// What came.
    public struct Summary: Sendable, Hashable {
        /// Refs that the server showed, `HEAD` among them.
        public let refs: Int
        /// Bytes of the pack.
        public let bytes: UInt64
    }

    /// - Parameters:
    ///   - url: http or https, once the settings `url.<base>.insteadOf` are applied.
    ///   - transport: what sends the requests; nil for libcurl.
    ///   - credentials: who is asked where the server wants to know; nil for Git's credential helpers
    ///     and the terminal.
    ///   - notice: told what the person should see.
    public init(
        _ url: ByteString, overrides: [(String, ByteString?)] = [],
        environment: Environment = .process, transport: (any HTTPTransport)? = nil,
        credentials: (any CredentialProvider)? = nil,
        notice: @escaping HTTPRemote.NoticeHandler = { _ in }
    ) throws(ClientError) {
        self.url = try GitURL(url)
        config = try storing { () throws(StoreError) in
            try Config.load(gitDirectory: nil, overrides: overrides, environment: environment)
        }
        self.environment = environment
        self.transport = transport ?? CurlTransport()
        self.credentials = credentials
        self.notice = notice
    }

    /// Runs it.
    ///
    /// - Parameter withProgress: asks for the server's progress, as Git does where a person watches; that is
    ///   another answer.
    public func run(withProgress: Bool = false) async throws(ClientError) -> Summary {
        let remote = try HTTPRemote(
            url, config, environment, transport: transport, credentials: credentials, notice: notice
        )
        let server = try await UploadPack(remote)
        let refs = try await server.refs(prefixes: ClonePlan.prefixes(CloneOptions(), []))
        guard let branch = RefName.branch("master") else {
            throw ClientError(.invalid, "'master' is no name of a branch")
        }
        let plan = try ClonePlan(
            refs, CloneOptions(), origin: "origin", defaultBranch: branch, further: [])
        guard !plan.wants.isEmpty else { return Summary(refs: refs.refs.count, bytes: 0) }
        var request = FetchRequest(wants: plan.wants)
        request.agent = userAgent
        request.thinPack = true
        request.noProgress = !withProgress
        request.sidebandAll = server.advertisement.capabilities.has(
            feature: "sideband-all", of: "fetch")
        var bytes: UInt64 = 0
        let outcome = try await server.fetch(request) { event throws(ClientError) in
            if case .pack(let piece) = event { bytes += UInt64(piece.count) }
            if Task.isCancelled { throw .cancelled }
        }
        guard outcome == .packReceived else {
            throw ClientError(.protocolError, "the server sent no pack")
        }
        return Summary(refs: refs.refs.count, bytes: bytes)
    }
}
