import GitCore
import GitStore
import Synchronization

/// What bounds the fetches of all mirrors.
final class MirrorLimits: Sendable {
    /// A fetch that nobody has waited for in this time is ended: upstream may send without end.
    let patience: Duration
    private let packSize: Atomic<UInt64>
    private let space: @Sendable (ByteString) -> DiskSpace?

    /// - Parameters:
    ///   - packSize: the most bytes of a pack of upstream's.
    ///   - space: what there is on the file system of a path; nil where it does not say.
    init(
        packSize: UInt64 = .max, patience: Duration = .seconds(3_600),
        space: @escaping @Sendable (ByteString) -> DiskSpace? = DiskSpace.init
    ) {
        self.packSize = Atomic(packSize)
        self.patience = patience
        self.space = space
    }

    var maximumPackSize: UInt64 {
        get { packSize.load(ordering: .relaxed) }
        set { packSize.store(newValue, ordering: .relaxed) }
    }

    /// Whether so little is left of the disk that a fetch is not to take it.
    func isNearlyFull(_ path: ByteString) -> Bool {
        space(path).map { $0.free < $0.reserve } ?? false
    }
}
