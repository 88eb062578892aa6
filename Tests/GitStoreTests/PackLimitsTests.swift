import GitCore
import Testing

@testable import GitStore

/// What a pack may cost: small packs that claim, or make, much.
@Suite struct PackLimitsTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    /// Deltas that each make a blob of `count` bytes from a base of 64 KiB.
    private func bomb(deltas: Int, of count: UInt64) -> [UInt8] {
        var pack = PackBuilder()
        let base = pack.whole(.blob, [UInt8](repeating: 0, count: 1 << 16))
        for _ in 0 ..< deltas {
            var delta = DeltaBuilder(base: 1 << 16, result: count)
            for _ in 0 ..< count >> 16 { delta = delta.copying(0, 0x10000) }
            pack.delta(on: base, delta.bytes)
        }
        return pack.finished()
    }

    @Test(arguments: [1, 7, 1 << 16]) func inflatedBytesAreCountedOnce(chunk: Int) throws {
        var pack = PackBuilder()
        for seed in 0 ..< 5 { pack.whole(.blob, PackRandom.bytes(1_000, seed: UInt64(seed))) }
        let indexed = try scratch.index(pack.finished(), chunk: chunk) {
            $0.limits.inflatedSize = 5_000
        }
        #expect(indexed.objectCount == 5)
    }

    @Test func inflatedBytesOfWholeObjectsAreBounded() throws {
        var pack = PackBuilder()
        for seed in 0 ..< 5 { pack.whole(.blob, PackRandom.bytes(1_000, seed: UInt64(seed))) }
        expectStoreError(.limit) {
            try scratch.index(pack.finished()) { $0.limits.inflatedSize = 4_999 }
        }
    }

    @Test func bytesThatDeltasMakeAreBoundedTogether() throws {
        let pack = bomb(deltas: 10, of: 1 << 20)
        expectStoreError(.limit) {
            try scratch.index(pack) { $0.limits.inflatedSize = 10 << 20 }
        }
        let indexed = try scratch.index(pack) { $0.limits.inflatedSize = 11 << 20 }
        #expect(indexed.objectCount == 11)
    }

    @Test func objectSizeHoldsForWhatADeltaMakes() throws {
        expectStoreError(.corrupt, .limit) {
            try scratch.index(bomb(deltas: 1, of: 1 << 20)) {
                $0.limits.objectSize = 1 << 20 - 1
            }
        }
    }

    @Test func objectSizeHoldsForWholeObjects() throws {
        var pack = PackBuilder()
        pack.whole(.blob, [UInt8](repeating: 0, count: 1_001))
        expectStoreError(.limit) {
            try scratch.index(pack.finished()) { $0.limits.objectSize = 1_000 }
        }
    }

    @Test func packSizeHoldsWhileItArrives() throws {
        var pack = PackBuilder()
        pack.whole(.blob, PackRandom.bytes(10_000))
        expectStoreError(.limit) {
            try scratch.index(pack.finished(), chunk: 100) { $0.limits.packSize = 5_000 }
        }
        #expect(try scratch.leftovers() == [])
    }

    @Test func commitsTreesAndTagsThatWouldBeHeldAreBounded() throws {
        var pack = PackBuilder()
        pack.entry(type: 2, size: 1 << 29, stream: [])
        let message = expectStoreError(.limit) { try scratch.index(pack.finished()) }
        #expect(message.contains("tree"))
    }

    /// A chain of objects of a mebibyte: two are held at once, in buffers of twice that.
    @Test(arguments: [1, 2]) func memoryForRebuildingIsBounded(threads: Int) throws {
        let size = 1 << 20
        let content = [UInt8](repeating: 0, count: size)
        var pack = PackBuilder()
        var last = oid(.blob, content)
        pack.whole(.blob, content)
        for depth in 0 ..< 64 {
            // The same bytes but for one at the front; and a leaf by offset that waits.
            let delta = DeltaBuilder(base: UInt64(size), result: UInt64(size))
                .inserting([UInt8(depth + 1)]).copying(1, UInt32(size - 1)).bytes
            let child = pack.delta(on: last, delta)
            pack.delta(on: child, DeltaBuilder(base: UInt64(size), result: 1).copying(0, 1).bytes)
            var next = content
            next[0] = UInt8(depth + 1)
            last = oid(.blob, next)
        }
        let bytes = pack.finished()
        expectStoreError(.limit) {
            try scratch.index(bytes) {
                $0.limits.rebuildMemory = 3 << 20
                $0.threads = threads
            }
        }
        #expect(try scratch.index(bytes) { $0.threads = threads }.objectCount == 129)
    }

    @Test func fourBillionObjectsInTheHeaderCostNothing() throws {
        var pack = PackBuilder()
        pack.blob("one")
        let message = expectStoreError(.corrupt) {
            try scratch.index(pack.finished(count: .max))
        }
        #expect(message.contains("4294967295"))
    }

    @Test func claimedSizesCostNothing() throws {
        for type: UInt8 in [3, 6] {
            var pack = PackBuilder()
            let base = pack.blob("base")
            let back = type == 6 ? PackBuilder.distance(UInt64(pack.bytes.count) - base) : []
            pack.entry(type: type, size: 1 << 39, base: back, stream: zlib([1, 2, 3]))
            expectStoreError(.corrupt) { try scratch.index(pack.finished()) }
        }
    }

    /// One object many times, and many deltas by id on it: each delta is taken once, not looked at
    /// once for each copy of its base.
    @Test(.timeLimit(.minutes(5))) func copiesOfABaseTimesItsDeltas() throws {
        let count = 30_000
        var pack = PackBuilder()
        for _ in 0 ..< count { pack.blob("base") }
        let delta = DeltaBuilder.appending("!", to: 4)
        for _ in 0 ..< count { pack.delta(on: oid(blob: "base"), delta) }
        let bytes = pack.finished()
        let start = ContinuousClock.now
        #expect(try scratch.index(bytes).objectCount == 2 * count)
        let time = ContinuousClock.now - start
        #expect(time < .seconds(15))
    }

    /// Ids in a tree are chosen by who made it: those that agree in their first bytes must not all
    /// meet in one place of a hash table.
    @Test(.timeLimit(.minutes(5))) func idsThatBeginAlikeInATree() throws {
        var tree: [UInt8] = []
        for number in 0 ..< 60_000 as Range<UInt32> {
            tree += Array("100644 \(1_000_000 + number)\0".utf8)
            tree += [UInt8](repeating: 7, count: 16) + PackBuilder.bigEndian(number)
        }
        var pack = PackBuilder()
        pack.whole(.tree, tree)
        let bytes = pack.finished()
        let start = ContinuousClock.now
        #expect(try scratch.index(bytes).missingLinks.count == 60_000)
        let time = ContinuousClock.now - start
        #expect(time < .seconds(15))
    }
}
