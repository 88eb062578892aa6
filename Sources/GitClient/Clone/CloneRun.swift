import GitCore
import GitStore
import GitWire
import GitWorktree
import Synchronization

/// The steps of a clone, in their order.
struct CloneRun: Sendable {
    private let clone: Clone
    private let destination: CloneDestination
    private let transport: any HTTPTransport
    private let credentials: (any CredentialProvider)?

    private var options: CloneOptions { clone.options }

    init(
        _ clone: Clone, _ destination: CloneDestination, _ transport: any HTTPTransport,
        _ credentials: (any CredentialProvider)?
    ) {
        self.clone = clone
        self.destination = destination
        self.transport = transport
        self.credentials = credentials
    }

    func run() async throws(ClientError) -> CloneResult {
        let config = try settings()
        let origin = try originName(config)
        let server = try await connect(config)
        let further = try config.strings("remote.\(origin.printable).fetch")
            .map { text throws(ClientError) in
                let refspec = try Refspec(text)
                if refspec.isFull { return refspec }
                throw ClientError(
                    .unsupported, "a clone with the refspec '\(text)' is not supported")
            }
        let refs = try await server.refs(prefixes: ClonePlan.prefixes(options, further))
        warnOfSkipped(refs)
        let plan = try ClonePlan(
            refs, options, origin: origin, defaultBranch: defaultBranch(config), further: further)
        let repository = try makeRepository(refs.objectFormat, origin, config)
        let pack = try await fetch(plan, refs, server, repository)
        try await write(CloneRefs(plan, repository, origin, options, url: clone.url))
        pack.release()
        try await checkOut(plan, repository)
        return CloneResult(
            gitDirectory: repository.gitDirectory, workTree: repository.workTree,
            head: plan.head.result, objectCount: pack.objectCount)
    }

    // MARK: The new repository

    /// The settings that hold before there is a repository: those it is to have are among them.
    private func settings() throws(ClientError) -> Config {
        try storing { () throws(StoreError) in
            try Config.load(
                gitDirectory: nil,
                overrides: options.settings.map { ($0.key, $0.value) } + options.overrides,
                environment: options.environment)
        }
    }

    private func originName(_ config: Config) throws(ClientError) -> ByteString {
        let origin = options.origin ?? config.string("clone.defaultremotename") ?? "origin"
        guard RefName("refs/remotes/" + origin / "x") != nil else {
            throw ClientError(.invalid, "'\(origin)' is not a valid remote name")
        }
        return origin
    }

    private func makeRepository(
        _ format: ObjectFormat, _ origin: ByteString, _ config: Config
    ) throws(ClientError) -> Repository {
        try storing { () throws(StoreError) in
            let new = try Repository.create(
                at: destination.directory, bare: options.isBare,
                initialBranch: defaultBranch(config), format: format,
                overrides: options.overrides, environment: options.environment)
            try new.editConfig { file throws(StoreError) in
                for (name, value) in options.settings {
                    guard let key = ConfigKey(ByteString(name)) else {
                        throw StoreError(.invalid, "invalid key: '\(ByteString(name))'")
                    }
                    try file.add(key, value ?? "true")
                }
                try file.set(Self.key("remote", origin, "url"), clone.url.stored)
                if !options.tags { try file.set(Self.key("remote", origin, "tagOpt"), "--no-tags") }
            }
            // The settings just written hold for the rest of the clone.
            return try Repository.open(
                gitDirectory: new.gitDirectory, overrides: options.overrides,
                environment: options.environment)
        }
    }

    static func key(
        _ section: ByteString, _ subsection: ByteString, _ name: ByteString
    ) throws(StoreError) -> ConfigKey {
        guard let key = ConfigKey(section: section, subsection: subsection, name: name) else {
            throw StoreError(.invalid, "'\(subsection)' cannot be part of a configuration key")
        }
        return key
    }

    /// init.defaultBranch, or what Git takes without it.
    private func defaultBranch(_ config: Config) -> RefName {
        config.string("init.defaultbranch").flatMap(RefName.branch)
            ?? RefName.branch("master") ?? .head
    }

    // MARK: The server

    private func connect(_ config: Config) async throws(ClientError) -> UploadPack {
        let progress = clone.progress
        let remote = try HTTPRemote(
            clone.url, config, options.environment, transport: transport,
            credentials: credentials,
            notice: { notice in
                switch notice {
                case .warning(let text): progress.post(.warning(text))
                case .remote(let line): progress.post(.serverText(ByteString(line + "\n")))
                }
            })
        return try await UploadPack(remote, version: ProtocolVersion(config))
    }

    private func warnOfSkipped(_ refs: AdvertisedRefs) {
        guard refs.skippedCount > 0 else { return }
        let names = refs.skippedNames.map { "'\($0)'" }.joined(separator: ", ")
        clone.progress.post(
            .warning("ignoring \(refs.skippedCount) refs with names that are not allowed: \(names)")
        )
    }

    private func fetch(
        _ plan: ClonePlan, _ refs: AdvertisedRefs, _ server: UploadPack, _ repository: Repository
    ) async throws(ClientError) -> FetchSummary {
        if plan.wants.isEmpty, plan.refs.isEmpty {
            clone.progress.post(.warning("You appear to have cloned an empty repository."))
        }
        var fetching = FetchOptions()
        fetching.includeTag = options.singleBranch
        fetching.wantsServerProgress = options.wantsServerProgress
        fetching.unpackLimit = 0
        let run = FetchRun(repository, server, fetching, clone.progress)
        return try await run.run(wants: plan.wants, shown: refs)
    }

    private func write(_ refs: CloneRefs) async throws(ClientError) {
        let isCancelled = CancellationFlag()
        try await DetachedThread.run { () throws(ClientError) in
            try storing { () throws(StoreError) in
                try refs.write(isCancelled)
            }
        } onCancel: {
            isCancelled.set()
        }
    }

    // MARK: The work tree

    private func checkOut(
        _ plan: ClonePlan, _ repository: Repository
    ) async throws(ClientError) {
        guard let workTree = repository.workTree, !options.noCheckout else { return }
        guard let commit = plan.head.oid else {
            if !plan.refs.isEmpty {
                clone.progress.post(
                    .warning("remote HEAD refers to nonexistent ref, unable to checkout."))
            }
            return
        }
        let isCancelled = CancellationFlag()
        let progress = clone.progress
        try await DetachedThread.run { () throws(ClientError) in
            try Self.checkOut(commit, repository, workTree, progress, isCancelled)
        } onCancel: {
            isCancelled.set()
        }
    }

    private static func checkOut(
        _ commit: ObjectID, _ repository: Repository, _ workTree: ByteString,
        _ progress: CloneProgress, _ isCancelled: CancellationFlag
    ) throws(ClientError) {
        let tree = try storing { () throws(StoreError) in
            try repository.objects.peel(commit, to: .tree)
        }
        do throws(WorktreeError) {
            let checkout = try Checkout(
                objects: repository.objects, workTree: workTree,
                gitDirectory: repository.gitDirectory, config: repository.config)
            let index = try checkout.run(
                tree: tree,
                progress: { done, total in
                    progress.post(.phase(.checkingOut, done: done, total: total, bytes: 0))
                },
                warn: { progress.post(.warning($0)) },
                isCancelled: { isCancelled.isSet })
            progress.post(.finished(.checkingOut))
            try index.write(to: repository.gitDirectory / "index")
        } catch {
            if error.code == .cancelled { throw .cancelled }
            throw ClientError(.store, error.message, cause: error)
        }
    }
}

extension ClonePlan.Head {
    fileprivate var result: CloneResult.Head {
        switch self {
        case .branch(let name, _): .branch(name)
        case .detached(let oid): .detached(oid)
        case .unborn(let name): .unborn(name)
        }
    }
}
