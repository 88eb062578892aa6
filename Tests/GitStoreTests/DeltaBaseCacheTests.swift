import GitCore
import Testing

@testable import GitStore

/// The cache of bases of deltas: its budget, and who goes first.
@Suite struct DeltaBaseCacheTests {
    private func key(_ offset: UInt64, pack: UInt64 = 1) -> DeltaBaseCache.Key {
        DeltaBaseCache.Key(pack: pack, offset: offset)
    }

    private func object(_ number: Int, size: Int = 1_000) -> GitObject {
        GitObject(
            kind: .blob, content: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
        )
    }

    @Test func objectsComeBackByPackAndOffset() {
        let cache = DeltaBaseCache(budget: 1 << 20)
        cache.insert(object(1), key(12))
        cache.insert(object(2), key(12, pack: 2))
        cache.insert(object(3), key(13))
        #expect(cache.object(key(12)) == object(1))
        #expect(cache.object(key(12, pack: 2)) == object(2))
        #expect(cache.object(key(13)) == object(3))
        #expect(cache.object(key(14)) == nil)
    }

    @Test func leastRecentlyUsedGoesFirst() {
        // Room for ten of 1,000 bytes and what an entry takes.
        let cache = DeltaBaseCache(budget: 11_280, shards: 1)
        for number in 0 ..< 10 { cache.insert(object(number), key(UInt64(number))) }
        for number in 0 ..< 10 where number != 4 {
            #expect(cache.object(key(UInt64(number))) == object(number))
        }
        cache.insert(object(10), key(10))
        #expect(cache.object(key(4)) == nil)
        #expect(cache.object(key(0)) == object(0))
        // It was used: the next to go is 1.
        cache.insert(object(11), key(11))
        #expect(cache.object(key(0)) == object(0))
        #expect(cache.object(key(1)) == nil)
    }

    @Test func budgetIsKept() {
        for (budget, shards) in [(1 << 20, 4), (1 << 20, 1), (1_000, 1), (0, 4), (-1, 1)] {
            let cache = DeltaBaseCache(budget: budget, shards: shards)
            let sizes = [0, 10, 5_000, 100_000, 300_000, 2_000_000]
            for number in 0 ..< 2_000 {
                cache.insert(object(number, size: sizes[number % sizes.count]), key(UInt64(number)))
            }
            let held = (0 ..< 2_000).compactMap { cache.object(key(UInt64($0)))?.content.count }
            #expect(held.reduce(0, +) <= max(0, budget))
            #expect(held.isEmpty == (budget < 1_000))
        }
    }

    /// Small objects take the usual room only; large ones as much as a few of them need.
    @Test func largeObjectsHaveMoreRoom() {
        let cache = DeltaBaseCache(budget: 1 << 20, usual: 10_000, shards: 1)
        func held() -> [Int] {
            (0 ..< 400).compactMap { cache.object(key(UInt64($0)))?.content.count }
        }
        for number in 0 ..< 100 { cache.insert(object(number), key(UInt64(number))) }
        #expect(held() == [Int](repeating: 1_000, count: 8))
        for number in 100 ..< 200 {
            cache.insert(object(number, size: 20_000), key(UInt64(number)))
        }
        #expect(held() == [Int](repeating: 20_000, count: 8))
        for number in 200 ..< 300 {
            cache.insert(object(number, size: 300_000), key(UInt64(number)))
        }
        #expect(held() == [Int](repeating: 300_000, count: 3))
        cache.insert(object(300), key(300))
        #expect(held() == [1_000])
    }

    /// Against a plain list, over many insertions, uses and evictions.
    @Test func behavesAsAList() {
        let cache = DeltaBaseCache(budget: 50 * 228, shards: 1)
        var list: [UInt64] = []
        var random = PackRandom(state: 3)
        for _ in 0 ..< 50_000 {
            let offset = random.next() % 200
            let found = cache.object(key(offset))
            #expect((found != nil) == list.contains(offset))
            list.removeAll { $0 == offset }
            if found == nil { cache.insert(object(Int(offset), size: 100), key(offset)) }
            list.append(offset)
            if list.count > 50 { list.removeFirst() }
            if let found { #expect(found.content.first == UInt8(offset)) }
        }
    }

    @Test func manyThreadsAtOnce() throws {
        let cache = DeltaBaseCache(budget: 1 << 18)
        let failure = FirstFailure()
        Workers.run(4) { number in
            var random = PackRandom(state: UInt64(number))
            for _ in 0 ..< 20_000 {
                let offset = random.next() % 500
                if let found = cache.object(DeltaBaseCache.Key(pack: 1, offset: offset)) {
                    if found.content.count != Int(offset) {
                        failure.record(StoreError(.corrupt, "another object"))
                    }
                } else {
                    cache.insert(
                        GitObject(kind: .blob, content: [UInt8](repeating: 0, count: Int(offset))),
                        DeltaBaseCache.Key(pack: 1, offset: offset))
                }
            }
        }
        try failure.check()
    }
}
