internal import GitCore

/// Names the objects of a pack's rows side by side, and holds what their contents are in until the
/// ids are there. One a thread.
final class RowHasher<Holder: AnyObject> {
    private struct Slot {
        var row = 0
        var size = 0
        var holder: Holder?
    }

    typealias Done = (_ row: Int, _ oid: ObjectID, _ holder: Holder) -> Void

    private let hasher: LaneHasher
    /// What is being hashed, by the number that the hasher knows it by; the numbers not in use.
    private var slots: [Slot]
    private var free: [Int]
    /// Bytes being hashed.
    private var size = 0

    /// Bytes that may be held while others are awaited to be hashed along with them.
    private static var mostHeld: Int { 8 << 20 }

    init(_ format: ObjectFormat) {
        hasher = LaneHasher(format)
        slots = Array(repeating: Slot(), count: hasher.capacity + 1)
        free = Array(slots.indices)
    }

    /// Takes in the content of a row, which must stay as it is while `holder` is held; tells `done` the
    /// ids that are there by now.
    ///
    /// - Throws: ``StoreError/Code/collision``: this object or one before is part of an attack.
    func add(
        _ row: Int, _ kind: ObjectKind, _ content: UnsafeRawBufferPointer, _ holder: Holder,
        done: Done
    ) throws(StoreError) {
        if size > 0, content.count > Self.mostHeld - size { try finish(done) }
        // The hasher holds `capacity` at most, so one is free.
        let slot = free.removeLast()
        slots[slot] = Slot(row: row, size: content.count, holder: holder)
        size += content.count
        do throws(CollisionError) {
            try hasher.add(kind, content, number: slot) { end($0, $1, done) }
        } catch { throw StoreError(.collision, "\(error)", cause: error) }
    }

    /// Hashes to the end what was taken in.
    func finish(_ done: Done) throws(StoreError) {
        do throws(CollisionError) {
            try hasher.finish { end($0, $1, done) }
        } catch { throw StoreError(.collision, "\(error)", cause: error) }
    }

    private func end(_ slot: Int, _ oid: ObjectID, _ done: Done) {
        free.append(slot)
        size -= slots[slot].size
        if let holder = slots[slot].holder.take() { done(slots[slot].row, oid, holder) }
    }
}
