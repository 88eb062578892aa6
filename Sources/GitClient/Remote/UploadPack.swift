public import GitCore
import GitStore
public import GitWire

/// A server's upload-pack: what it has, and packs of it.
public struct UploadPack: Sendable {
    /// What the server can do; in versions 0 and 1 with its refs.
    public let advertisement: Advertisement
    private let remote: HTTPRemote
    private let limits: WireLimits

    /// Is told of the bytes of what the server says of itself or its refs, piece by piece, before they are read.
    /// It may wait, and what it throws ends it.
    package typealias ListingWatch = @Sendable (Int) async throws(ClientError) -> Void

    /// Asks the server what it can do.
    ///
    /// - Parameters:
    ///   - version: the version of the protocol to ask for; the server may answer in an older one.
    ///   - limits: how much it may say.
    public init(
        _ remote: HTTPRemote, version: ProtocolVersion = .v2, limits: WireLimits = .standard
    ) async throws(ClientError) {
        try await self.init(remote, version: version, limits: limits) {
            _ throws(ClientError) in
        }
    }

    package init(
        _ remote: HTTPRemote, version: ProtocolVersion = .v2, limits: WireLimits,
        watch: ListingWatch
    ) async throws(ClientError) {
        self.remote = remote
        self.limits = limits
        let answer = try await remote.discover(.uploadPack, protocolVersion: version.number)
        var decoder = AdvertisementDecoder(
            .http(service: GitService.uploadPack.rawValue), limits: limits)
        while let chunk = try await answer.next() {
            try await watch(chunk.count)
            try await remote.wire { () throws(WireError) in try decoder.push(chunk) }
        }
        advertisement = try await remote.wire { () throws(WireError) in try decoder.finish() }
    }

    /// A server that has said what it can do before, on whatever connection.
    ///
    /// - Parameter remote: where it answered, after redirects.
    public init(_ remote: HTTPRemote, advertisement: Advertisement) {
        self.remote = remote
        self.advertisement = advertisement
        limits = .standard
    }

    /// The server's refs: those whose names begin with one of `prefixes`, or more. All, HEAD among them,
    /// where there are none.
    public func refs(prefixes: [ByteString] = []) async throws(ClientError) -> AdvertisedRefs {
        try await refs(prefixes: prefixes) { _ throws(ClientError) in }
    }

    package func refs(
        prefixes: [ByteString], watch: ListingWatch
    ) async throws(ClientError) -> AdvertisedRefs {
        if let refs = advertisement.refs { return refs }
        let request = LsRefsRequest(prefixes: prefixes, agent: userAgent)
        let body = try await remote.wire { () throws(WireError) in
            try request.encoded(for: advertisement)
        }
        let answer = try await post(body)
        var decoder = LsRefsDecoder(advertisement, limits: limits)
        while let chunk = try await answer.next() {
            try await watch(chunk.count)
            try await remote.wire { () throws(WireError) in try decoder.push(chunk) }
        }
        return try await remote.wire { () throws(WireError) in try decoder.finish() }
    }

    /// Sends a request for a pack and hands over what comes of it, as it comes; says whether the pack came.
    func fetch(
        _ request: FetchRequest, _ receive: (FetchEvent) async throws(ClientError) -> Void
    ) async throws(ClientError) -> FetchOutcome {
        let exchange = try await remote.wire { () throws(WireError) in
            try request.encoded(for: advertisement)
        }
        let answer = try await post(exchange.body)
        var decoder = exchange.makeDecoder(limits: limits)
        while let chunk = try await answer.next() {
            decoder.push(chunk)
            while let event = try await remote.wire({ () throws(WireError) in try decoder.next() })
            {
                try await receive(event)
            }
        }
        return try await remote.wire { () throws(WireError) in try decoder.finish() }
    }

    private func post(_ body: [UInt8]) async throws(ClientError) -> any HTTPBodyStream {
        try await remote.post(
            .uploadPack, body, protocolVersion: advertisement.version.number)
    }
}

/// What this program calls itself on the wire.
let userAgent = HTTPOptions.defaultUserAgent.printable

extension HTTPRemote {
    /// The repository at `url` as the settings have it: `url.<base>.insteadOf`, `http.*`,
    /// `credential.*`.
    ///
    /// - Parameter credentials: nil for Git's credential helpers and the terminal.
    init(
        _ url: GitURL, _ config: Config, _ environment: Environment,
        transport: any HTTPTransport, credentials: (any CredentialProvider)?,
        notice: @escaping NoticeHandler
    ) throws(ClientError) {
        let helpers = GitCredentialHelpers { url throws(ClientError) in
            try CredentialOptions(config: config, url: url, environment: environment)
        }
        let rewritten = config.rewriting(url: url.stored)
        try self.init(
            rewritten == url.stored ? url : try GitURL(rewritten), transport: transport,
            credentials: credentials ?? helpers,
            options: { url throws(ClientError) in
                try HTTPOptions(config: config, url: url, environment: environment)
            },
            notice: notice)
    }
}

extension ProtocolVersion {
    /// The version to ask for: `protocol.version`, else 2.
    init(_ config: Config) throws(ClientError) {
        switch config.string("protocol.version") {
        case nil, "2": self = .v2
        case "1": self = .v1
        case "0": self = .v0
        case let other?:
            throw ClientError(.invalid, "unknown value for config 'protocol.version': \(other)")
        }
    }

    var number: Int {
        switch self {
        case .v0: 0
        case .v1: 1
        case .v2: 2
        }
    }
}

extension HTTPRemote {
    /// Runs a step of the protocol; its failure names the URL.
    nonisolated func wire<Result>(
        _ step: () throws(WireError) -> Result
    ) async throws(ClientError) -> Result {
        do throws(WireError) { return try step() } catch {
            throw ClientError(error, url: await base)
        }
    }
}

extension ClientError {
    init(_ error: WireError, url: GitURL) {
        let code: Code =
            switch error.code {
            case .server: .remote
            case .unsupported: .unsupported
            case .limit: .limit
            case .truncated: .network
            default: .protocolError
            }
        // A server's own words may have several lines; the rest of them follow on the same one.
        let message =
            error.code == .server
            ? "remote error: " + error.remoteLines.joined(separator: " ")
            : "unable to access '\(url.redacted)': \(error.message)"
        self.init(code, message, cause: error)
    }
}
