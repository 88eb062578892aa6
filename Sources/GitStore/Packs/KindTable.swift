internal import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The kinds of a pack's objects, by where their entries begin, as far as they were found out: a delta
/// does not say its own, and to follow its chain each time takes long.
///
/// Each slot remembers one entry, the last that fell on it; threads read and write without a lock.
final class KindTable: @unchecked Sendable {
    // SAFETY: allocated in init with `mask + 1` slots, freed in deinit, reached through atomic
    // operations only.
    private let slots: UnsafeMutablePointer<Atomic<UInt64>>?
    private let mask: Int

    /// Eight bytes each. Two for an entry, so that few fall on the same one.
    private static let maximumSlots = 1 << 20

    /// - Parameter count: the pack's entries.
    init(count: Int) {
        var size = 256
        while size / 2 < count, size < Self.maximumSlots { size *= 2 }
        mask = size - 1
        // SAFETY: memory of zeros holds atomics of 0; pages that no object falls on are never touched.
        slots = calloc(size, MemoryLayout<Atomic<UInt64>>.stride)?
            .bindMemory(to: Atomic<UInt64>.self, capacity: size)
    }

    deinit { free(slots) }

    func kind(at offset: UInt64) -> ObjectKind? {
        guard let slots else { return nil }
        let word = slots[place(offset)].load(ordering: .relaxed)
        guard word >> 3 == offset else { return nil }
        return ObjectKind(rawValue: UInt8(truncatingIfNeeded: word & 7))
    }

    func set(_ kind: ObjectKind, at offset: UInt64) {
        guard let slots, offset < 1 << 61 else { return }
        slots[place(offset)].store(offset << 3 | UInt64(kind.rawValue), ordering: .relaxed)
    }

    private func place(_ offset: UInt64) -> Int {
        Int(truncatingIfNeeded: (offset &* 0x9e37_79b9_7f4a_7c15) >> 32) & mask
    }
}
