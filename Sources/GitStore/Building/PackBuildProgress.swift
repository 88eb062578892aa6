import Synchronization

/// How far the building of a pack is; read it from any thread.
public final class PackBuildProgress: Sendable {
    private let met = Atomic(0)
    private let total = Atomic(-1)
    private let candidates = Atomic(0)
    private let tried = Atomic(0)
    private let written = Atomic(0)
    private let bytes = Atomic(0)

    public init() {}

    /// Objects that were found to belong into the pack.
    public var enumeratedObjects: Int { met.load(ordering: .relaxed) }
    /// Objects of the pack; nil until they are all known.
    public var totalObjects: Int? {
        let count = total.load(ordering: .relaxed)
        return count < 0 ? nil : count
    }
    /// Objects for which a new delta is looked for.
    public var deltaCandidates: Int { candidates.load(ordering: .relaxed) }
    /// Those for which that is done.
    public var triedCandidates: Int { tried.load(ordering: .relaxed) }
    /// Objects that were handed over.
    public var writtenObjects: Int { written.load(ordering: .relaxed) }
    /// Bytes of the pack that were handed over.
    public var writtenBytes: Int { bytes.load(ordering: .relaxed) }

    func setEnumerated(_ count: Int) { met.store(count, ordering: .relaxed) }
    func setTotal(_ count: Int) { total.store(count, ordering: .relaxed) }
    /// Shows how far somebody else is with the same.
    func follow(_ other: PackBuildProgress) {
        setEnumerated(other.enumeratedObjects)
        if let count = other.totalObjects { setTotal(count) }
        setCandidates(other.deltaCandidates)
        tried.store(other.triedCandidates, ordering: .relaxed)
    }
    /// Nothing is left but to write.
    func setReady(_ count: Int) {
        setEnumerated(count)
        setTotal(count)
    }
    func setCandidates(_ count: Int) { candidates.store(count, ordering: .relaxed) }
    func addTried(_ count: Int) { tried.add(count, ordering: .relaxed) }
    func setWritten(objects: Int, bytes: Int) {
        written.store(objects, ordering: .relaxed)
        self.bytes.store(bytes, ordering: .relaxed)
    }
}
