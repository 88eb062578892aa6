public import GitCore
public import GitStore
import GitWire

/// What a fetch from a remote is to be like; each stands for the option of `git fetch` of that name.
public struct RemoteFetchOptions: Sendable {
    /// `--tags`, `--no-tags`; nil takes remote.<name>.tagOpt, else those that point to what is fetched.
    public var tags: FetchTags?
    /// `--prune`; nil takes remote.<name>.prune, else fetch.prune.
    public var prunes: Bool?
    /// `--dry-run`: objects are fetched, but nothing is written to refs or FETCH_HEAD.
    public var isDryRun = false
    public var isAtomic = false
    public var isForced = false
    /// `--append`: FETCH_HEAD keeps what it has.
    public var appends = false
    /// `--write-fetch-head`.
    public var writesFetchHead = true
    /// `--update-head-ok`.
    public var updatesHead = false
    /// What stands in the reflogs.
    public var action: ByteString = "fetch"
    public var environment = Environment.process
    /// Whether the server is to be asked to tell how far it is.
    public var wantsServerProgress = true

    public init() {}
}

/// What a fetch from a remote did.
public struct RemoteFetchResult: Sendable {
    /// As `git fetch` shows it after "From": no password, no `.git` at its end. Safe to print.
    public let url: String
    /// In the order in which they are told.
    public let changes: [FetchedChange]
    public let objectCount: Int
    /// What was passed over, a line each. Safe to print.
    public let complaints: [String]
}

/// Brings a repository's refs up to date with those of a remote, as `git fetch` does: finds out what is
/// meant, fetches it and writes refs and FETCH_HEAD.
public final class RemoteFetch: Sendable {
    public let progress = CloneProgress()

    private let repository: Repository
    private let request: FetchPlan.Request
    private let options: RemoteFetchOptions
    /// As configured: `url.<base>.insteadOf` is applied where it is connected to.
    private let url: GitURL
    private let shownURL: String
    private let transport: any HTTPTransport
    private let credentials: (any CredentialProvider)?

    /// - Parameters:
    ///   - remote: a remote's name or a URL; nil for the remote of the branch that HEAD is on.
    ///   - refspecs: in place of remote.<name>.fetch, unless there are none.
    public init(
        into repository: Repository, from remote: ByteString? = nil, refspecs: [ByteString] = [],
        options: RemoteFetchOptions = RemoteFetchOptions(),
        transport: (any HTTPTransport)? = nil, credentials: (any CredentialProvider)? = nil
    ) throws(ClientError) {
        self.repository = repository
        self.options = options
        let config = repository.config
        let name =
            if let remote { remote } else {
                try storing { () throws(StoreError) in try repository.defaultRemote() }
            }
        let configured = try ConfiguredRemote(name, config)
        var parsed: [Refspec] = []
        for text in refspecs { parsed.append(try Refspec(text)) }
        request = FetchPlan.Request(
            remote: configured, refspecs: parsed,
            tags: options.tags ?? configured.tags ?? .following,
            merges: try Self.merges(configured, repository))
        url = try GitURL(configured.url)
        shownURL = Self.shown(try GitURL(config.rewriting(url: url.stored)))
        self.transport = transport ?? CurlTransport()
        self.credentials = credentials
    }

    /// What the branch that HEAD is on is merged with, if that is of this remote.
    private static func merges(
        _ remote: ConfiguredRemote, _ repository: Repository
    ) throws(ClientError) -> [ByteString] {
        guard case .symbolic(let branch)? = try? repository.refs.read(.head),
            let name = remote.name,
            repository.config.string("branch.\(branch.short.printable).remote") == name
        else { return [] }
        return repository.config.strings("branch.\(branch.short.printable).merge")
    }

    /// Fetches. Call it once.
    ///
    /// - Throws: as ``Fetch/run(wants:shown:)``; ``ClientError/Code/notFound`` where the server has not
    ///   what a refspec names; ``ClientError/Code/invalid`` where a branch that is checked out would be
    ///   written. What became of single refs is in the result, and no error.
    public func run() async throws(ClientError) -> RemoteFetchResult {
        defer { progress.finish() }
        try await begin()
        let server = try await connect()
        let refs = try await server.refs(prefixes: request.prefixes)
        let (plan, pruned) = try await prepare(refs)
        let pack = try await fetch(plan.refs, server, refs, includingTags: plan.followsTags)
        defer { pack.release() }
        let (updates, tags) = try await settle(plan, pruned)
        let tagPack = try await fetch(tags, server, refs, includingTags: false)
        defer { tagPack.release() }
        let changes = try await finish(plan, updates, tags)
        return RemoteFetchResult(
            url: shownURL, changes: changes, objectCount: pack.objectCount + tagPack.objectCount,
            complaints: plan.complaints)
    }

    private var writesFetchHead: Bool { options.writesFetchHead && !options.isDryRun }

    private var fetchHead: FetchHead { FetchHead(repository, url: ByteString(shownURL)) }

    private var updateOptions: RefUpdates.Options {
        RefUpdates.Options(
            isForced: options.isForced, isAtomic: options.isAtomic, isDryRun: options.isDryRun,
            updatesHead: options.updatesHead, action: options.action)
    }

    private func connect() async throws(ClientError) -> UploadPack {
        let progress = progress
        let remote = try HTTPRemote(
            url, repository.config, options.environment, transport: transport,
            credentials: credentials,
            notice: { notice in
                switch notice {
                case .warning(let text): progress.post(.warning(text))
                case .remote(let line): progress.post(.serverText(ByteString(line + "\n")))
                }
            })
        return try await UploadPack(remote, version: ProtocolVersion(repository.config))
    }

    private func fetch(
        _ refs: [FetchedRef], _ server: UploadPack, _ shown: AdvertisedRefs, includingTags: Bool
    ) async throws(ClientError) -> FetchSummary {
        var fetching = FetchOptions()
        fetching.includeTag = includingTags
        fetching.wantsServerProgress = options.wantsServerProgress
        return try await FetchRun(repository, server, fetching, progress)
            .run(wants: refs.map(\.oid), shown: shown)
    }

    /// The URL without slashes and `.git` at its end.
    private static func shown(_ url: GitURL) -> String {
        var text = url.redacted
        while text.hasSuffix("/") { text.removeLast() }
        return text.count > 4 && text.hasSuffix(".git") ? String(text.dropLast(4)) : text
    }
}

// What blocks, each step on a thread of its own.
extension RemoteFetch {
    private func begin() async throws(ClientError) {
        guard writesFetchHead, !options.appends else { return }
        try await DetachedThread.store { [self] () throws(StoreError) in try fetchHead.truncate() }
    }

    /// Decides what is fetched, and removes what the server has no more.
    private func prepare(
        _ server: AdvertisedRefs
    ) async throws(ClientError) -> (FetchPlan, RefUpdates) {
        try await DetachedThread.run { [self] () throws(ClientError) in
            let local = try storing { () throws(StoreError) in try localRefs() }
            let plan = try FetchPlan(request, server, local, isHere: repository.objects.contains)
            let branches = try storing { () throws(StoreError) in
                try CheckedOutBranches(repository)
            }
            if !options.updatesHead { try branches.refuse(plan.refs) }
            return try storing { () throws(StoreError) in
                var updates = try RefUpdates(
                    repository, local, branches, updateOptions, options.environment)
                if options.prunes ?? request.remote.prunes {
                    try updates.prune(plan.stale(request))
                }
                return (plan, updates)
            }
        }
    }

    private func localRefs() throws(StoreError) -> [RefName: RefEntry] {
        var refs: [RefName: RefEntry] = [:]
        for entry in try repository.refs.list(prefix: "", peeling: false) {
            refs[entry.name] = entry
        }
        return refs
    }

    /// Writes the refs whose objects have come, unless all are written together; says which tags point to
    /// these.
    private func settle(
        _ plan: FetchPlan, _ updates: RefUpdates
    ) async throws(ClientError) -> (RefUpdates, [FetchedRef]) {
        try await DetachedThread.store { [self] () throws(StoreError) in
            var updates = updates
            try updates.add(plan.refs)
            if !options.isAtomic { try write(plan.refs, &updates) }
            let tags =
                plan.followsTags ? try plan.newTags(isHere: repository.objects.contains) : []
            return (updates, tags)
        }
    }

    /// Writes the rest.
    private func finish(
        _ plan: FetchPlan, _ updates: RefUpdates, _ tags: [FetchedRef]
    ) async throws(ClientError) -> [FetchedChange] {
        try await DetachedThread.store { [self] () throws(StoreError) in
            var updates = updates
            try updates.add(tags)
            try write(options.isAtomic ? plan.refs + tags : tags, &updates)
            return updates.changes
        }
    }

    private func write(
        _ refs: [FetchedRef], _ updates: inout RefUpdates
    ) throws(StoreError) {
        try updates.write()
        if options.isAtomic, updates.changes.contains(where: \.isError) { return }
        if writesFetchHead, !refs.isEmpty { try fetchHead.append(refs) }
    }
}
