import GitCore
import GitStore

/// Writes the refs, HEAD and the settings of branch and remote of a new clone.
struct CloneRefs: Sendable {
    private let plan: ClonePlan
    private let repository: Repository
    private let origin: ByteString
    private let options: CloneOptions
    private let message: ByteString

    init(
        _ plan: ClonePlan, _ repository: Repository, _ origin: ByteString, _ options: CloneOptions,
        url: GitURL
    ) {
        self.plan = plan
        self.repository = repository
        self.origin = origin
        self.options = options
        message = ByteString("clone: from \(url.redacted)")
    }

    /// Of the tags that were not asked for, those are written whose objects came along.
    func write(_ isCancelled: CancellationFlag) throws(StoreError) {
        if !plan.isEmpty { try repository.refs.writePacked(try peeledRefs(isCancelled)) }
        let committer = try Identity.current(
            .committer, config: repository.config, environment: options.environment, strict: false)
        var transaction = RefTransaction(committer: committer, message: message)
        for tag in plan.followedTags where try repository.objects.contains(tag.oid) {
            transaction.update(tag.name, to: tag.oid)
        }
        if let remoteHead = plan.remoteHead,
            let name = RefName("refs/remotes/" + origin / "HEAD")
        {
            transaction.setSymbolic(name, to: remoteHead)
        }
        try repository.refs.update(transaction)
        try writeHead(committer)
        try writeConfig()
    }

    /// The refs with what their tags lead to, as the tags themselves say and not the server.
    private func peeledRefs(
        _ isCancelled: CancellationFlag
    ) throws(StoreError) -> [PackedRef] {
        var peeler = TagPeeler(repository.objects)
        return try plan.refs.map { ref throws(StoreError) in
            try isCancelled.check()
            return PackedRef(name: ref.name, oid: ref.oid, peeled: try peeler.peeled(ref.oid))
        }
    }

    private func writeHead(_ committer: Identity) throws(StoreError) {
        var pointing = RefTransaction()
        var updating = RefTransaction(committer: committer, message: message)
        switch plan.head {
        case .branch(let name, let oid):
            pointing.setSymbolic(.head, to: name)
            // A bare clone has the branch already, under its own name.
            if !options.isBare { updating.update(.head, to: oid, followingSymbolic: true) }
        case .detached(let oid): updating.update(.head, to: oid)
        case .unborn(let name): pointing.setSymbolic(.head, to: name)
        }
        try repository.refs.update(pointing)
        try repository.refs.update(updating)
    }

    private func writeConfig() throws(StoreError) {
        try repository.editConfig { file throws(StoreError) in
            if let refspec = plan.fetchRefspec {
                try file.add(CloneRun.key("remote", origin, "fetch"), refspec)
            }
            if options.mirror { try file.set(CloneRun.key("remote", origin, "mirror"), "true") }
            if !options.isBare, let branch { try follow(branch, &file) }
        }
    }

    /// The branch that HEAD is on.
    private var branch: RefName? {
        switch plan.head {
        case .branch(let name, _), .unborn(let name): name
        case .detached: nil
        }
    }

    /// Makes the server's branch the upstream of the local one.
    private func follow(_ branch: RefName, _ file: inout ConfigFile) throws(StoreError) {
        try file.set(CloneRun.key("branch", branch.short, "remote"), origin)
        try file.set(CloneRun.key("branch", branch.short, "merge"), branch.bytes)
        if ["always", "remote"].contains(repository.config.string("branch.autosetuprebase")) {
            try file.set(CloneRun.key("branch", branch.short, "rebase"), "true")
        }
    }
}
