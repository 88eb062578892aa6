import GitStore
import Synchronization

/// Tells ``CloneProgress`` how far a pack is, a few times a second.
final class PackTicker: Sendable {
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
