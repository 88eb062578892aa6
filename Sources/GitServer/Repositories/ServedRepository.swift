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
    private let reachable = Mutex<ReachableObjects?>(nil)

    init(_ repository: Repository) throws(StoreError) {
        self.repository = repository
        uploadPack = try UploadPackSettings(repository.config)
        allowsFetch = try repository.config.bool("http.uploadpack")
        allowsPush = try repository.config.bool("http.receivepack")
    }

    /// What `tips` lead to; kept until other tips are asked about.
    func reachable(from tips: [ObjectID], shallow: Set<ObjectID>) -> ReachableObjects {
        reachable.withLock { kept in
            if let kept, kept.tips == tips { return kept }
            let new = ReachableObjects(tips: tips, in: repository.objects, shallow: shallow)
            kept = new
            return new
        }
    }
}

/// What was worked out for repositories that were asked for lately.
final class ServedRepositories: Sendable {
    private struct Kept {
        let served: ServedRepository
        var lastUse: ContinuousClock.Instant
    }

    private let kept = Mutex<[ObjectIdentifier: Kept]>([:])

    private static let capacity = 256

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
        let served = try ServedRepository(repository)
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
