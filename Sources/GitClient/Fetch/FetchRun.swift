import GitCore
import GitStore
import GitWire

/// The steps of a fetch, in their order.
struct FetchRun: Sendable {
    private let repository: Repository
    private let server: UploadPack
    private let options: FetchOptions
    private let progress: CloneProgress

    init(
        _ repository: Repository, _ server: UploadPack, _ options: FetchOptions,
        _ progress: CloneProgress
    ) {
        self.repository = repository
        self.server = server
        self.options = options
        self.progress = progress
    }

    func run(
        wants: [ObjectID], shown: AdvertisedRefs
    ) async throws(ClientError) -> FetchSummary {
        try refuseWhatIsUnsupported()
        let missing = try await missing(of: wants)
        guard !missing.isEmpty else { return FetchSummary(quarantine: nil) }
        let shallow = try storing { () throws(StoreError) in try repository.shallowCommits() }
        let negotiator = try await FetchNegotiator(repository, shown, shallow: shallow)
        let intake = try PackIntake(
            repository, wants: missing, shallow: shallow, unpackLimit: options.unpackLimit,
            isBehind: options.sinkGoesFirst
        ) { [progress] in progress.post(.warning($0)) }
        let ticker = PackTicker(intake.progress, progress)
        let ticking = Task { await ticker.run() }
        async let taken = intake.run()
        let download = await download(request(missing, shallow), negotiator, intake)
        let result = await taken
        ticking.cancel()
        await ticking.value
        // Where both failed, the one that went first is the reason for the other.
        if let download, download.isFirst { throw download.error }
        let objectCount = try result.get()
        ticker.finish()
        return FetchSummary(
            wants: missing, objectCount: objectCount, byteCount: intake.progress.receivedBytes,
            requestCount: negotiator.roundCount, quarantine: intake.quarantine)
    }

    private func refuseWhatIsUnsupported() throws(ClientError) {
        guard server.advertisement.objectFormat == repository.format else {
            throw ClientError(
                .unsupported,
                "mismatched algorithms: client \(repository.format.name);"
                    + " server \(server.advertisement.objectFormat.name)")
        }
        guard repository.config.string("extensions.partialclone") == nil else {
            throw ClientError(
                .unsupported, "fetching into a partial clone is not supported (use git fetch)")
        }
    }

    /// Those of `wants` that are not here with all that they lead to, each once.
    private func missing(of wants: [ObjectID]) async throws(ClientError) -> [ObjectID] {
        guard !wants.isEmpty else { return [] }
        let repository = repository
        let isCancelled = CancellationFlag()
        var known = try await DetachedThread.store { () throws(StoreError) in
            try repository.objects.refresh()
            return try repository.complete(wants, isCancelled)
        } onCancel: {
            isCancelled.set()
        }
        return wants.filter { known.insert($0).inserted }
    }

    private func request(_ wants: [ObjectID], _ shallow: Set<ObjectID>) -> FetchRequest {
        var request = FetchRequest(wants: wants)
        request.agent = userAgent
        request.thinPack = options.thinPack
        request.ofsDelta = options.ofsDelta
        request.includeTag = options.includeTag
        request.noProgress = !options.wantsServerProgress
        request.shallow = shallow.sorted()
        return request
    }

    // MARK: From the network

    /// Downloads the pack; what went wrong, if anything did, and whether the other side of `intake` was
    /// still well.
    private func download(
        _ request: FetchRequest, _ negotiator: FetchNegotiator, _ intake: PackIntake
    ) async -> (error: ClientError, isFirst: Bool)? {
        defer { intake.receiver.complete() }
        do throws(ClientError) {
            try await negotiate(request, negotiator) { event throws(ClientError) in
                try await show(event)
                try await take(event, intake)
                if Task.isCancelled { throw .cancelled }
            }
            if !intake.receiver.hasStopped { await options.sinkHasAll?() }
            return nil
        } catch {
            let isFirst = !intake.receiver.hasStopped
            intake.abandon()
            return (error, isFirst)
        }
    }

    /// Sends requests, each with more of what is here, until the pack comes.
    private func negotiate(
        _ request: FetchRequest, _ negotiator: FetchNegotiator,
        _ receive: (FetchEvent) async throws(ClientError) -> Void
    ) async throws(ClientError) {
        var request = request
        while true {
            let round = try await negotiator.nextRound()
            request.haves = round.haves
            request.isDone = round.isDone
            let outcome = try await server.fetch(request) { event throws(ClientError) in
                negotiator.note(event)
                try await receive(event)
            }
            if outcome == .packReceived { return }
            guard !round.isDone else {
                throw ClientError(.protocolError, "the server sent no pack")
            }
        }
    }

    private func take(
        _ event: FetchEvent, _ intake: PackIntake
    ) async throws(ClientError) {
        switch event {
        case .pack(let bytes):
            guard await intake.receiver.send(bytes) else {
                throw ClientError(.store, "the pack could not be stored")
            }
        case .progress(let text): progress.post(.serverText(ByteString(text)))
        case .shallow, .unshallow:
            throw ClientError(
                .unsupported, "cloning a shallow repository, or fetching from one, is not supported"
            )
        default: break
        }
    }

    private func show(_ event: FetchEvent) async throws(ClientError) {
        guard let sink = options.sink else { return }
        do { try await sink(event) } catch {
            if error is CancellationError { throw .cancelled }
            throw (error as? ClientError)
                ?? ClientError(.sink, "the pack could not be passed on: \(error)", cause: error)
        }
    }
}
