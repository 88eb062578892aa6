internal import GitCore

/// A set of ids, as many bytes each as the format has and a half more: `Set<ObjectID>` takes three times
/// that.
///
/// An open table with linear probing. Whoever made a tree chose the ids in it, so the slot comes from a
/// hash with a key of this process's own: ids that agree in part do not meet. A slot of zeros is empty.
final class ObjectIDSet {
    private let format: ObjectFormat
    private let width: Int
    private var table: UnsafeMutableRawBufferPointer
    /// Slots, a power of two.
    private var capacity = 1 << 10
    private(set) var count = 0
    private var holdsZero = false

    init(_ format: ObjectFormat) {
        self.format = format
        width = format.byteCount
        table = Self.makeTable(capacity * width)
    }

    deinit { table.deallocate() }

    private static func makeTable(_ size: Int) -> UnsafeMutableRawBufferPointer {
        let table = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
        table.initializeMemory(as: UInt8.self, repeating: 0)
        return table
    }

    func insert(_ oid: ObjectID) {
        guard !oid.isZero else {
            holdsZero = true
            return
        }
        if count * 3 >= capacity * 2 { grow() }
        var slot = oid.hashValue & (capacity - 1)
        while let held = self.oid(slot) {
            if held == oid { return }
            slot = (slot + 1) & (capacity - 1)
        }
        oid.write(to: bytes(slot))
        count += 1
    }

    func forEach(_ body: (ObjectID) -> Void) {
        if holdsZero { body(.zero(format)) }
        for slot in 0 ..< capacity {
            if let oid = oid(slot) { body(oid) }
        }
    }

    private func bytes(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: table[slot * width ..< (slot + 1) * width])
    }

    private func oid(_ slot: Int) -> ObjectID? {
        let oid = ObjectID(raw: UnsafeRawBufferPointer(bytes(slot)), format)
        return oid.isZero ? nil : oid
    }

    private func grow() {
        let (old, oldCapacity) = (table, capacity)
        capacity *= 2
        table = Self.makeTable(capacity * width)
        count = 0
        for slot in 0 ..< oldCapacity {
            let start = slot * width
            let raw = UnsafeRawBufferPointer(rebasing: old[start ..< start + width])
            let oid = ObjectID(raw: raw, format)
            if !oid.isZero { insert(oid) }
        }
        old.deallocate()
    }
}
