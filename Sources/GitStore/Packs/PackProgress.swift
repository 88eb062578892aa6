import Synchronization

/// How far the indexing of a pack is; read it from any thread.
public final class PackProgress: Sendable {
    private let total = Atomic(0)
    private let received = Atomic(0)
    private let bytes = Atomic(0)
    private let deltas = Atomic(0)
    private let resolved = Atomic(0)

    public init() {}

    /// Objects that the pack's header announces; 0 until it came.
    public var totalObjects: Int { total.load(ordering: .relaxed) }
    /// Objects that have arrived.
    public var receivedObjects: Int { received.load(ordering: .relaxed) }
    /// Bytes of the pack that have arrived.
    public var receivedBytes: Int { bytes.load(ordering: .relaxed) }
    /// Deltas among the objects that have arrived.
    public var totalDeltas: Int { deltas.load(ordering: .relaxed) }
    /// Deltas of which the objects have been rebuilt.
    public var resolvedDeltas: Int { resolved.load(ordering: .relaxed) }

    func setTotal(_ count: Int) { total.store(count, ordering: .relaxed) }

    func add(objects: Int = 0, bytes: Int = 0, deltas: Int = 0) {
        received.add(objects, ordering: .relaxed)
        self.bytes.add(bytes, ordering: .relaxed)
        self.deltas.add(deltas, ordering: .relaxed)
    }

    func add(resolved: Int) { self.resolved.add(resolved, ordering: .relaxed) }
}
