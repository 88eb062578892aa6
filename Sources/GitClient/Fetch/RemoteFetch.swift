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
    private let url: GitURL
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
        url = try GitURL(config.rewriting(url: configured.url))
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
    public func run() async throws(ClientError) -> RemoteFetchResult {
        defer { progress.finish() }
        let fetchHead = FetchHead(repository, url: ByteString(shownURL))
        if writesFetchHead, !options.appends {
            try storing { () throws(StoreError) in try fetchHead.truncate() }
        }
        let server = try await connect()
        let refs = try await server.refs(prefixes: request.prefixes)
        let local = try localRefs()
        let repository = repository
        let plan = try FetchPlan(request, refs, local) { oid throws(StoreError) in
            try repository.objects.contains(oid)
        }
        let checkedOut = try storing { () throws(StoreError) in try CheckedOutBranches(repository) }
        try refuseCheckedOut(plan, checkedOut)
        var updates = try storing { () throws(StoreError) in
            try RefUpdates(repository, local, checkedOut, updateOptions, options.environment)
        }
        if options.prunes ?? request.remote.prunes {
            try storing { () throws(StoreError) in try updates.prune(plan.stale(request)) }
        }
        let pack = try await fetch(plan.refs, server, refs, includingTags: plan.followsTags)
        defer { pack.release() }
        try settle(plan.refs, &updates)
        if !options.isAtomic { try write(plan.refs, &updates, fetchHead) }
        let tags = try tagsToFollow(plan)
        let tagPack = try await fetch(tags, server, refs, includingTags: false)
        defer { tagPack.release() }
        try settle(tags, &updates)
        try write(options.isAtomic ? plan.refs + tags : tags, &updates, fetchHead)
        return RemoteFetchResult(
            url: shownURL, changes: updates.changes,
            objectCount: pack.objectCount + tagPack.objectCount, complaints: plan.complaints)
    }

    private var writesFetchHead: Bool { options.writesFetchHead && !options.isDryRun }

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

    private func localRefs() throws(ClientError) -> [RefName: RefEntry] {
        try storing { () throws(StoreError) in
            var refs: [RefName: RefEntry] = [:]
            for entry in try repository.refs.list(prefix: "", peeling: false) {
                refs[entry.name] = entry
            }
            return refs
        }
    }

    private func refuseCheckedOut(
        _ plan: FetchPlan, _ checkedOut: CheckedOutBranches
    ) throws(ClientError) {
        guard !options.updatesHead else { return }
        for name in plan.refs.compactMap(\.destination) where name.bytes.hasPrefix("refs/heads/") {
            guard let tree = checkedOut.workTree(on: name) else { continue }
            throw ClientError(
                .invalid, "refusing to fetch into branch '\(name)' checked out at '\(tree)'")
        }
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

    /// Decides what becomes of refs whose objects are here, in the order in which it is told.
    private func settle(
        _ refs: [FetchedRef], _ updates: inout RefUpdates
    ) throws(ClientError) {
        try storing { () throws(StoreError) in
            for merging in [FetchedRef.Merging.merge, .notForMerge, .unmentioned] {
                for ref in refs where ref.merging == merging { try updates.add(ref) }
            }
        }
    }

    private func write(
        _ refs: [FetchedRef], _ updates: inout RefUpdates, _ fetchHead: FetchHead
    ) throws(ClientError) {
        try storing { () throws(StoreError) in
            try updates.write()
            if options.isAtomic, updates.changes.contains(where: \.isError) { return }
            if writesFetchHead, !refs.isEmpty { try fetchHead.append(refs) }
        }
    }

    /// The tags that point to what has come.
    private func tagsToFollow(_ plan: FetchPlan) throws(ClientError) -> [FetchedRef] {
        guard plan.followsTags else { return [] }
        return try storing { () throws(StoreError) in
            try plan.newTags { oid throws(StoreError) in try repository.objects.contains(oid) }
        }
    }

    /// The URL without slashes and `.git` at its end.
    private var shownURL: String {
        var text = url.redacted
        while text.hasSuffix("/") { text.removeLast() }
        return text.count > 4 && text.hasSuffix(".git") ? String(text.dropLast(4)) : text
    }
}
