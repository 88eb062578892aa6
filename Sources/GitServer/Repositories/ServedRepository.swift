internal import GitCore
internal import GitStore
import Synchronization

/// A repository that is served, with what its configuration says of that and what was worked out of it.
final class ServedRepository: Sendable {
    let repository: Repository
    let uploadPack: UploadPackSettings
    /// Whether http.uploadpack and http.receivepack turn a service on or off; nil where they do not.
    let allowsFetch: Bool?
    let allowsPush: Bool?
    private let shelf: ReachableShelf

    init(_ repository: Repository, _ shelf: ReachableShelf) throws(StoreError) {
        self.shelf = shelf
        self.repository = repository
        uploadPack = try UploadPackSettings(repository.config, repository.format)
        allowsFetch = try repository.config.bool("http.uploadpack")
        allowsPush = try repository.config.bool("http.receivepack")
    }

    /// What `tips` lead to.
    func reachable(from tips: [ObjectID], shallow: Set<ObjectID>) -> ReachableObjects {
        shelf.objects(from: tips, in: repository, shallow: shallow)
    }
}

/// What the refs of some repositories lead to, as was asked about lately: some 50 bytes an object.
final class ReachableShelf: Sendable {
    private struct Kept {
        let repository: Repository
        let objects: ReachableObjects
    }

    private let kept = Mutex<[Kept]>([])

    private static let capacity = 8

    func objects(
        from tips: [ObjectID], in repository: Repository, shallow: Set<ObjectID>
    ) -> ReachableObjects {
        kept.withLock { kept in
            let place = kept.firstIndex { $0.repository === repository && $0.objects.tips == tips }
            let found =
                place.map { kept.remove(at: $0) }
                ?? Kept(
                    repository: repository,
                    objects: ReachableObjects(
                        tips: tips, in: repository.objects, shallow: shallow))
            kept.removeAll { $0.repository === repository }
            kept.insert(found, at: 0)
            if kept.count > Self.capacity { kept.removeLast() }
            return found.objects
        }
    }

    func forget(_ repository: Repository) {
        kept.withLock { kept in kept.removeAll { $0.repository === repository } }
    }
}

/// What was worked out for repositories that were asked for lately.
final class ServedRepositories: Sendable {
    private struct Kept {
        let served: ServedRepository
        var lastUse: ContinuousClock.Instant
    }

    private let kept = Mutex<[ObjectIdentifier: Kept]>([:])
    private let shelf = ReachableShelf()

    private static let capacity = 256

    func forget(_ repository: Repository) {
        _ = kept.withLock { $0.removeValue(forKey: ObjectIdentifier(repository)) }
        shelf.forget(repository)
    }

    func served(_ repository: Repository) throws(StoreError) -> ServedRepository {
        let key = ObjectIdentifier(repository)
        let known = kept.withLock { kept in
            kept[key]?.lastUse = .now
            return kept[key]?.served
        }
        if let known {
            try repository.objects.refresh()
            return known
        }
        let served = try ServedRepository(repository, shelf)
        kept.withLock { kept in
            kept[key] = Kept(served: served, lastUse: .now)
            guard kept.count > Self.capacity else { return }
            if let oldest = kept.min(by: { $0.value.lastUse < $1.value.lastUse })?.key {
                kept[oldest] = nil
            }
        }
        return served
    }
}
