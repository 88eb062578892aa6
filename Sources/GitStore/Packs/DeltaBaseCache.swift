internal import GitCore
import Synchronization

/// Objects that deltas were lately applied to, or may soon be, within a budget of bytes; the least
/// recently used go first. Shared by all packs of a store and by all threads that read from it.
final class DeltaBaseCache: Sendable {
    struct Key: Hashable, Sendable {
        /// ``Pack/number``. The pack's address would not do: a pack that is opened after another was let
        /// go of may get its address.
        let pack: UInt64
        let offset: UInt64
    }

    /// Parts with a lock each, so that threads seldom wait for one another.
    private let shards: [Shard]
    /// Mixed into the choice of a place: offsets come from the pack, whose maker might choose them all
    /// to fall on one place.
    private let seed = UInt64.random(in: .min ... .max)

    /// core.deltaBaseCacheLimit, unless set.
    static let standardBudget = 96 << 20
    /// So that the entries can be counted in 32 bits.
    private static let maximumBudget = 64 << 30

    /// - Parameters:
    ///   - budget: bytes of content to hold. An object of more than the budget of a part is not held.
    ///   - usual: bytes to hold of small objects; for large ones it is as many as a few of them take,
    ///     within the budget. All of the budget, unless given.
    ///   - shards: how many parts; a power of two.
    init(budget: Int, usual: Int? = nil, shards: Int = 4) {
        precondition(shards > 0 && shards.nonzeroBitCount == 1)
        let budget = min(max(0, budget), Self.maximumBudget)
        self.shards = (0 ..< shards).map { _ in
            Shard(budget: budget / shards, usual: min(usual ?? budget, budget) / shards)
        }
    }

    func object(_ key: Key) -> GitObject? {
        let hash = hash(key)
        return shard(hash).state.withLock { $0.use(key, hash) }
    }

    func insert(_ object: GitObject, _ key: Key) {
        let hash = hash(key)
        let shard = shard(hash)
        let cost = Cost.of(object)
        guard cost <= shard.budget else { return }
        var dropped = shard.state.withLock { $0.insert(object, key, hash, shard.room(for: cost)) }
        // Not under the lock: to free memory takes time.
        dropped.removeAll()
    }

    private func shard(_ hash: UInt64) -> Shard {
        shards[Int(truncatingIfNeeded: hash >> 56) & (shards.count - 1)]
    }

    private func hash(_ key: Key) -> UInt64 {
        let mixed = (key.offset ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        let more = (mixed.high ^ mixed.low ^ key.pack).multipliedFullWidth(
            by: 0xd6e8_feb8_6659_fd93 ^ (seed | 1))
        return more.high ^ more.low
    }

    private enum Cost {
        /// Bytes that an entry takes besides its content.
        static let overhead = 128
        static func of(_ object: GitObject) -> Int { object.content.count + overhead }
    }

    private final class Shard: Sendable {
        let budget: Int
        private let usual: Int
        let state = Mutex(State())

        private static let few = 8

        init(budget: Int, usual: Int) {
            self.budget = budget
            self.usual = usual
        }

        /// Bytes that may be held when an object that takes `cost` of them is added.
        func room(for cost: Int) -> Int { min(max(cost * Self.few, usual), budget) }
    }

    /// A hash table whose entries are also in a list, in the order of their last use.
    private struct State {
        private struct Entry {
            var key: Key
            var hash: UInt64
            /// nil in an entry that is free.
            var object: GitObject?
            /// The next in the same bucket, or the next free one.
            var next: Int32
            var newer: Int32
            var older: Int32
        }

        private var buckets = [Int32](repeating: none, count: 64)
        private var entries: [Entry] = []
        private var count = 0
        private var byteCount = 0
        private var firstFree = none
        private var newest = none
        private var oldest = none
        private static let none: Int32 = -1

        mutating func use(_ key: Key, _ hash: UInt64) -> GitObject? {
            guard let place = find(key, hash) else { return nil }
            if newest != place {
                unlink(place)
                link(place)
            }
            return entries[Int(place)].object
        }

        /// Adds an object that is not there yet; gives back those that had to go.
        mutating func insert(
            _ object: GitObject, _ key: Key, _ hash: UInt64, _ room: Int
        ) -> [GitObject] {
            guard find(key, hash) == nil else { return [] }
            byteCount += Cost.of(object)
            var dropped: [GitObject] = []
            while byteCount > room, oldest != Self.none {
                if let object = remove(oldest) { dropped.append(object) }
            }
            if count >= buckets.count { grow() }
            let place = takeFree()
            let bucket = bucket(hash)
            entries[Int(place)] = Entry(
                key: key, hash: hash, object: object, next: buckets[bucket], newer: Self.none,
                older: Self.none)
            buckets[bucket] = place
            count += 1
            link(place)
            return dropped
        }

        private func bucket(_ hash: UInt64) -> Int {
            Int(truncatingIfNeeded: hash) & (buckets.count - 1)
        }

        private func find(_ key: Key, _ hash: UInt64) -> Int32? {
            var place = buckets[bucket(hash)]
            while place != Self.none {
                if entries[Int(place)].key == key { return place }
                place = entries[Int(place)].next
            }
            return nil
        }

        private mutating func takeFree() -> Int32 {
            if firstFree != Self.none {
                defer { firstFree = entries[Int(firstFree)].next }
                return firstFree
            }
            entries.append(
                Entry(
                    key: Key(pack: 0, offset: 0), hash: 0, object: nil, next: Self.none,
                    newer: Self.none, older: Self.none))
            return Int32(entries.count - 1)
        }

        private mutating func remove(_ place: Int32) -> GitObject? {
            unlink(place)
            let index = Int(place)
            let bucket = bucket(entries[index].hash)
            if buckets[bucket] == place {
                buckets[bucket] = entries[index].next
            } else {
                var before = Int(buckets[bucket])
                while entries[before].next != place { before = Int(entries[before].next) }
                entries[before].next = entries[index].next
            }
            entries[index].next = firstFree
            firstFree = place
            count -= 1
            let object = entries[index].object.take()
            byteCount -= object.map(Cost.of) ?? 0
            return object
        }

        /// Makes it the newest.
        private mutating func link(_ place: Int32) {
            entries[Int(place)].older = newest
            entries[Int(place)].newer = Self.none
            if newest != Self.none { entries[Int(newest)].newer = place }
            newest = place
            if oldest == Self.none { oldest = place }
        }

        private mutating func unlink(_ place: Int32) {
            let (newer, older) = (entries[Int(place)].newer, entries[Int(place)].older)
            if newer != Self.none { entries[Int(newer)].older = older } else { newest = older }
            if older != Self.none { entries[Int(older)].newer = newer } else { oldest = newer }
        }

        private mutating func grow() {
            buckets = [Int32](repeating: Self.none, count: buckets.count * 2)
            for index in entries.indices where entries[index].object != nil {
                let bucket = bucket(entries[index].hash)
                entries[index].next = buckets[bucket]
                buckets[bucket] = Int32(index)
            }
        }
    }
}
