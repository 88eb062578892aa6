public import GitCore
public import GitStore
public import GitWire

/// Brings objects of a server into a repository that may have some of them, all of them or none.
///
///     let remote = try HTTPRemote(url, transport: CurlTransport(), credentials: NoCredentials())
///     let server = try await UploadPack(remote)
///     let refs = try await server.refs()
///     let fetch = Fetch(into: repository, from: server)
///     let pack = try await fetch.run(wants: refs.refs.map(\.oid), shown: refs)
///     … write the refs …
///     pack.release()
///
/// Refs are not its business. Where it fails, or its task is cancelled, the repository is as it was.
///
/// A fixed `Authorization` header is one of ``HTTPOptions/extraHeaders``.
public final class Fetch: Sendable {
    public let options: FetchOptions
    /// What it is doing.
    public let progress = CloneProgress()

    private let repository: Repository
    private let server: UploadPack

    public init(
        into repository: Repository, from server: UploadPack, options: FetchOptions = FetchOptions()
    ) {
        self.repository = repository
        self.server = server
        self.options = options
    }

    /// Fetches what is not there yet. Call it once.
    ///
    /// - Parameters:
    ///   - wants: objects to be there afterwards, with all that they lead to. Where they are already,
    ///     nothing is asked of the server.
    ///   - shown: the server's refs, as far as they are known: what is behind them need not be told.
    /// - Throws: ``ClientError/Code/cancelled`` where the task was cancelled;
    ///   ``ClientError/Code/store`` for a pack that is malformed or not all that was asked for;
    ///   ``ClientError/Code/unsupported`` where the server or this repository is of a kind that cannot be
    ///   fetched from or into; ``ClientError/Code/sink``; the other codes as their documentation tells.
    public func run(
        wants: [ObjectID], shown: AdvertisedRefs
    ) async throws(ClientError) -> FetchSummary {
        defer { progress.finish() }
        return try await FetchRun(repository, server, options, progress)
            .run(wants: wants, shown: shown)
    }
}
