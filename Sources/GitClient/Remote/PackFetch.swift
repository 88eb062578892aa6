import GitCore
import GitStore
import GitWire
import Synchronization

/// Fetches one pack into a repository: from the network through the indexer into `objects/pack`.
struct PackFetch: Sendable {
    /// What came.
    struct Outcome: Sendable {
        var objectCount = 0
        /// Those of the candidates that came along.
        var arrived: [ObjectID] = []
    }

    let server: UploadPack
    let objects: ObjectDatabase
    let progress: CloneProgress

    /// - Parameters:
    ///   - candidates: objects of which to say whether they came.
    /// - Throws: where the pack is not all that was asked for; then nothing of it is kept.
    func run(
        _ request: FetchRequest, candidates: [ObjectID]
    ) async throws(ClientError) -> Outcome {
        let job = try PackJob(
            wants: request.wants, candidates: candidates, objects: objects)
        let ticker = PackTicker(job.progress, progress)
        let ticking = Task { await ticker.run() }
        async let indexed = job.run()
        let download = await receive(request, job)
        if download != nil { job.abandon() }
        job.receiver.complete()
        let result = await indexed
        ticking.cancel()
        await ticking.value
        // Where both failed, the one that went first is the reason for the other.
        if let download, download.isFirst { throw download.error }
        let outcome = try result.get()
        ticker.finish()
        return outcome
    }

    /// Downloads the pack; what went wrong, if anything did, and whether the indexer was still well.
    private func receive(
        _ request: FetchRequest, _ job: PackJob
    ) async -> (error: ClientError, isFirst: Bool)? {
        do throws(ClientError) {
            try await server.fetch(request) { event throws(ClientError) in
                switch event {
                case .pack(let bytes):
                    guard await job.receiver.send(bytes) else {
                        throw ClientError(.store, "the pack could not be stored")
                    }
                case .progress(let text): progress.post(.serverText(ByteString(text)))
                case .shallow, .unshallow:
                    throw ClientError(.unsupported, "cloning a shallow repository is not supported")
                default: break
                }
                if Task.isCancelled { throw .cancelled }
            }
            return nil
        } catch {
            return (error, isFirst: !job.receiver.hasStopped)
        }
    }
}

/// The thread that indexes a pack and puts it in its place.
private final class PackJob: Sendable {
    let receiver = PackReceiver()
    let progress: PackProgress
    private let cancel: @Sendable () -> Void
    // SAFETY: used by the one thread that ``run()`` starts, after init.
    nonisolated(unsafe) private let indexer: PackIndexer
    private let directory: ByteString
    private let wants: [ObjectID]
    private let candidates: [ObjectID]
    private let objects: ObjectDatabase

    init(
        wants: [ObjectID], candidates: [ObjectID], objects: ObjectDatabase
    ) throws(ClientError) {
        directory = objects.directory / "pack"
        let directory = directory
        let indexer = try storing { () throws(StoreError) in
            try PackIndexer(directory: directory, format: objects.format)
        }
        self.indexer = indexer
        progress = indexer.progress
        cancel = indexer.canceller
        self.wants = wants
        self.candidates = candidates
        self.objects = objects
    }

    /// Stops the thread without storing anything.
    func abandon() { cancel() }

    func run() async -> Result<PackFetch.Outcome, ClientError> {
        do throws(ClientError) {
            // Also where no thread could be started, nobody is to wait for it.
            defer { receiver.stop() }
            return .success(
                try await DetachedThread.run { [self] () throws(ClientError) in
                    defer { receiver.stop() }
                    return try storing { () throws(StoreError) in try index() }
                } onCancel: {
                    cancel()
                })
        } catch {
            return .failure(error)
        }
    }

    private func index() throws(StoreError) -> PackFetch.Outcome {
        try receiver.feed(indexer)
        let pack = try indexer.finish()
        // Nothing becomes visible unless all that was asked for is there, and all that it points to.
        for oid in wants + pack.missingLinks {
            if !pack.contains(oid), try !objects.contains(oid) {
                throw StoreError(.corrupt, "the server did not send all objects: \(oid) is missing")
            }
        }
        if pack.objectCount > 0 { try pack.install(in: directory) }
        try objects.refresh()
        return PackFetch.Outcome(
            objectCount: pack.objectCount, arrived: candidates.filter(pack.contains))
    }
}

/// Tells ``CloneProgress`` how far a pack is, a few times a second.
private final class PackTicker: Sendable {
    private let pack: PackProgress
    private let progress: CloneProgress
    private let hasReceived = Mutex(false)
    private static let interval = Duration.milliseconds(100)

    init(_ pack: PackProgress, _ progress: CloneProgress) {
        self.pack = pack
        self.progress = progress
    }

    func run() async {
        while !Task.isCancelled {
            tick()
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// Tells the last counts.
    func finish() {
        tick()
        guard pack.totalDeltas > 0 else { return }
        postDeltas()
        progress.post(.finished(.resolvingDeltas))
    }

    private func tick() {
        guard pack.totalObjects > 0 else { return }
        if hasReceived.withLock({ $0 }) { return postDeltas() }
        let isComplete = pack.receivedObjects == pack.totalObjects
        progress.post(
            .phase(
                .receivingObjects, done: pack.receivedObjects, total: pack.totalObjects,
                bytes: pack.receivedBytes))
        guard isComplete else { return }
        hasReceived.withLock { $0 = true }
        progress.post(.finished(.receivingObjects))
    }

    private func postDeltas() {
        guard pack.totalDeltas > 0 else { return }
        progress.post(
            .phase(.resolvingDeltas, done: pack.resolvedDeltas, total: pack.totalDeltas, bytes: 0))
    }
}
