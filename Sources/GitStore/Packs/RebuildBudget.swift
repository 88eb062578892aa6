import Synchronization

/// Bounds what rebuilding the objects of one pack costs, over all its threads: the memory held at a
/// time, and the bytes made altogether.
///
/// Few objects are large, but a pack can be made of such: contents over ``largeSize`` are held by one
/// thread at a time, so that the memory does not grow with the number of threads.
final class RebuildBudget: Sendable {
    private let memory: Int
    private let inflatedSize: UInt64
    private let held = Atomic(0)
    private let made = Atomic<UInt64>(0)
    private let remade = Atomic<UInt64>(0)
    private let inflated = Atomic<UInt64>(0)
    /// Full while a thread holds large contents.
    private let turn = BoundedQueue<Void>(capacity: 1)

    /// In bytes.
    static let largeSize = 32 << 20

    init(_ limits: PackLimits) {
        memory = Int(clamping: limits.rebuildMemory)
        inflatedSize = limits.inflatedSize
    }

    /// Says what the pack's entries inflate to so far, at most the limit.
    func setInflated(_ count: UInt64) throws(StoreError) {
        inflated.store(count, ordering: .relaxed)
        try make(0)
    }

    /// Counts `count` more bytes made.
    func make(_ count: UInt64) throws(StoreError) {
        let inflated = inflated.load(ordering: .relaxed)
        // One thread alone cannot come near the 64 bits between an excess and its notice.
        guard
            made.wrappingAdd(count, ordering: .relaxed).newValue <= inflatedSize &- inflated,
            inflated <= inflatedSize
        else {
            throw StoreError(.limit, "pack inflates to more than \(inflatedSize) bytes")
        }
    }

    /// Counts `count` bytes of those made that had been made before.
    func remake(_ count: Int) { remade.wrappingAdd(UInt64(count), ordering: .relaxed) }

    /// Whether much is made more than once, as in a pack whose deltas are on far ones, in long chains.
    var isWasteful: Bool {
        remade.load(ordering: .relaxed) > made.load(ordering: .relaxed) / 4
    }

    /// Takes `count` bytes more; given back by ``release(_:)`` also where this throws.
    func hold(_ count: Int) throws(StoreError) {
        guard held.wrappingAdd(count, ordering: .relaxed).newValue <= memory else {
            throw StoreError(
                .limit, "pack needs more than \(memory) bytes of memory to rebuild its objects")
        }
    }

    func release(_ count: Int) { held.wrappingSubtract(count, ordering: .relaxed) }

    /// Waits until no other thread holds large contents.
    func beginLarge() { turn.push(()) }

    func endLarge() { _ = turn.popIfReady() }
}
