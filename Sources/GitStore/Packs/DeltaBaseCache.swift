internal import GitCore
import Synchronization

/// Objects that deltas were lately applied to, within a budget of bytes; the least recently used go
/// first. Shared by all packs of a store.
final class DeltaBaseCache: Sendable {
    struct Key: Hashable {
        /// From ``numberOfNewPack()``. The pack's address would not do: a pack that is opened after
        /// another was let go of may get its address.
        let pack: UInt64
        let offset: UInt64
    }

    private struct Entry {
        let object: GitObject
        var lastUse: UInt64
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var byteCount = 0
        var clock: UInt64 = 0
        var packs: UInt64 = 0
    }

    /// Bytes that an entry takes besides its content.
    private static let entryOverhead = 128

    private let budget: Int
    private let state = Mutex(State())

    /// - Parameter budget: bytes of content to hold. Git's core.deltaBaseCacheLimit is 96 MiB.
    init(budget: Int) { self.budget = budget }

    /// A number that no other pack has.
    func numberOfNewPack() -> UInt64 {
        state.withLock { state in
            state.packs += 1
            return state.packs
        }
    }

    func object(_ key: Key) -> GitObject? {
        state.withLock { state in
            state.clock += 1
            state.entries[key]?.lastUse = state.clock
            return state.entries[key]?.object
        }
    }

    func insert(_ object: GitObject, _ key: Key) {
        guard Self.cost(object) <= budget / 4 else { return }
        state.withLock { state in
            state.clock += 1
            let entry = Entry(object: object, lastUse: state.clock)
            if let old = state.entries.updateValue(entry, forKey: key) {
                state.byteCount -= Self.cost(old.object)
            }
            state.byteCount += Self.cost(object)
            if state.byteCount > budget { Self.shrink(&state, to: budget / 2) }
        }
    }

    private static func cost(_ object: GitObject) -> Int { object.content.count + entryOverhead }

    /// Drops the older half: a sort now and then costs less than order kept at every use.
    private static func shrink(_ state: inout State, to budget: Int) {
        let oldest = state.entries.sorted { $0.value.lastUse < $1.value.lastUse }
        for (key, entry) in oldest where state.byteCount > budget {
            state.byteCount -= cost(entry.object)
            state.entries[key] = nil
        }
    }
}
