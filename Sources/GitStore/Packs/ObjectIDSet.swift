internal import GitCore
import Synchronization

/// A set of ids that several threads add to: for each id 1.2 to 1.5 times its bytes.
///
/// Open tables with linear probing, each under a lock of its own, so that threads seldom meet and only
/// a small part is there twice when it grows. Whoever made a tree chose the ids in it, so an id's place
/// comes from a hash with a random key. The place grows with the hash: a table is moved into a larger
/// one from front to back. A slot of zeros is empty.
final class ObjectIDSet: @unchecked Sendable {
    // SAFETY: constant but for the shards' content, which their mutexes guard, and `holdsZero`.
    private let format: ObjectFormat
    private let key = ObjectIDKey()
    private let shards: UnsafeMutablePointer<Mutex<Shard>>
    private let holdsZero = Atomic(false)

    private static let shardBits: UInt64 = 6
    private static let shardCount = 1 << Int(shardBits)

    init(_ format: ObjectFormat) {
        self.format = format
        shards = .allocate(capacity: Self.shardCount)
        for index in 0 ..< Self.shardCount {
            (shards + index).initialize(to: Mutex(Shard()))
        }
    }

    deinit {
        shards.deinitialize(count: Self.shardCount)
        shards.deallocate()
    }

    func insert(_ id: RawObjectID) {
        guard !id.isZero else { return holdsZero.store(true, ordering: .relaxed) }
        let hash = key.hash(id)
        shards[Self.shard(hash)].withLock { $0.insert(id, hash, key, format) }
    }

    var count: Int {
        var count = holdsZero.load(ordering: .relaxed) ? 1 : 0
        for index in 0 ..< Self.shardCount { count += shards[index].withLock { $0.count } }
        return count
    }

    /// Bytes of its tables.
    var byteCount: Int {
        var slots = 0
        for index in 0 ..< Self.shardCount { slots += shards[index].withLock { $0.capacity } }
        return slots * format.byteCount
    }

    /// Its ids that are not among `oids`, which stand one after the other; sorted. Nobody may add to
    /// the set meanwhile.
    func subtracting(_ oids: UnsafeRawBufferPointer) -> [ObjectID] {
        let (marks, hasZero) = mark(oids)
        var rest: [ObjectID] = []
        if holdsZero.load(ordering: .relaxed), !hasZero { rest.append(.zero(format)) }
        for shard in 0 ..< Self.shardCount {
            shards[shard].withLock { table in
                for slot in 0 ..< table.capacity where !marks.isSet(shard, slot) {
                    if let oid = table.objectID(slot, format) { rest.append(oid) }
                }
            }
        }
        return rest.sorted()
    }

    /// The slots of the ids that are among `oids`, and whether zero is.
    private func mark(_ oids: UnsafeRawBufferPointer) -> (Marks, hasZero: Bool) {
        let capacities = (0 ..< Self.shardCount).map { index in
            shards[index].withLock { $0.capacity }
        }
        var (marks, hasZero) = (Marks(capacities), false)
        guard let start = oids.baseAddress else { return (marks, false) }
        let width = format.byteCount
        for number in 0 ..< oids.count / width {
            let id = RawObjectID(start + number * width, format)
            let hash = key.hash(id)
            let shard = Self.shard(hash)
            if id.isZero {
                hasZero = true
            } else if let slot = shards[shard].withLock({ $0.slot(of: id, hash, format) }) {
                marks.set(shard, slot)
            }
        }
        return (marks, hasZero)
    }

    private static func shard(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash >> (64 - shardBits))
    }

    /// One of the tables.
    private struct Shard: ~Copyable {
        private(set) var capacity = 0
        private(set) var count = 0
        private var slots: UnsafeMutableRawPointer?

        deinit { slots?.deallocate() }

        // Growing by a quarter at five sixths keeps to what the set promises.
        private static let mostFull = (5, 6)
        private static let smallestCapacity = 16

        mutating func insert(
            _ id: RawObjectID, _ hash: UInt64, _ key: ObjectIDKey, _ format: ObjectFormat
        ) {
            if count * Self.mostFull.1 >= capacity * Self.mostFull.0 { grow(key, format) }
            guard let slots else { return }
            var slot = home(hash)
            while true {
                let place = slots + slot * format.byteCount
                let held = RawObjectID(place, format)
                if held == id { return }
                if held.isZero {
                    id.store(to: place, format)
                    count += 1
                    return
                }
                slot = next(slot)
            }
        }

        func slot(of id: RawObjectID, _ hash: UInt64, _ format: ObjectFormat) -> Int? {
            guard let slots else { return nil }
            var slot = home(hash)
            while true {
                let held = RawObjectID(slots + slot * format.byteCount, format)
                if held.isZero { return nil }
                if held == id { return slot }
                slot = next(slot)
            }
        }

        func objectID(_ slot: Int, _ format: ObjectFormat) -> ObjectID? {
            guard let slots, slot < capacity else { return nil }
            let place = UnsafeRawPointer(slots) + slot * format.byteCount
            let raw = UnsafeRawBufferPointer(start: place, count: format.byteCount)
            let oid = ObjectID(raw: raw, format)
            return oid.isZero ? nil : oid
        }

        /// The upper bits of the hash chose the shard; the next ones choose the slot.
        private func home(_ hash: UInt64) -> Int {
            let place = (hash << shardBits).multipliedFullWidth(by: UInt64(capacity)).high
            return Int(truncatingIfNeeded: place)
        }

        private func next(_ slot: Int) -> Int { slot &+ 1 == capacity ? 0 : slot &+ 1 }

        private mutating func grow(_ key: ObjectIDKey, _ format: ObjectFormat) {
            let (old, oldCapacity) = (slots, capacity)
            capacity = max(Self.smallestCapacity, capacity + capacity / 4)
            let size = capacity * format.byteCount
            let new = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
            new.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            slots = new
            count = 0
            guard let old else { return }
            for slot in 0 ..< oldCapacity {
                let id = RawObjectID(old + slot * format.byteCount, format)
                if !id.isZero { insert(id, key.hash(id), key, format) }
            }
            old.deallocate()
        }
    }

    /// A bit for each slot of each table.
    private struct Marks {
        private var bits: [UInt64]
        private var starts: [Int] = []
        private(set) var capacity = 0

        init(_ capacities: [Int]) {
            for count in capacities {
                starts.append(capacity)
                capacity += count
            }
            bits = Array(repeating: 0, count: (capacity + 63) / 64)
        }

        mutating func set(_ shard: Int, _ slot: Int) {
            let bit = starts[shard] + slot
            bits[bit >> 6] |= 1 << UInt64(bit & 63)
        }

        func isSet(_ shard: Int, _ slot: Int) -> Bool {
            let bit = starts[shard] + slot
            return bits[bit >> 6] >> UInt64(bit & 63) & 1 != 0
        }
    }
}
