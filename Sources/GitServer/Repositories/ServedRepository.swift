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
