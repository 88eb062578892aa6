import Foundation
import GitCore
import Synchronization
import Testing

@testable import GitStore

/// The threads that work on a pack: what happens when one fails, is cancelled or is let go of.
@Suite struct PackThreadsTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    private final class Token: Sendable {}

    @Test func queueHoldsNothingThatWasTaken() throws {
        let queue = BoundedQueue<Token>(capacity: 8)
        queue.push(Token())
        weak var first: Token?
        do {
            let token = Token()
            first = token
            queue.push(token)
        }
        // Never empty, so that the queue does not start afresh.
        queue.push(Token())
        _ = queue.pop()
        _ = queue.pop()
        #expect(first == nil)
    }

    @Test func queueIsFullByWeight() throws {
        let queue = BoundedQueue<Int>(capacity: 10) { $0 }
        let pushed = Atomic(0)
        let worker = try Workers(1) { _ in
            for weight in [100, 6, 4, 1] {
                queue.push(weight)
                pushed.add(1, ordering: .sequentiallyConsistent)
            }
        }
        func settle(_ count: Int) {
            for _ in 0 ..< 500 where pushed.load(ordering: .sequentiallyConsistent) != count {
                usleep(1_000)
            }
            usleep(20_000)
            let now = pushed.load(ordering: .sequentiallyConsistent)
            #expect(now == count)
        }
        settle(1)
        #expect(queue.pop() == 100)
        settle(3)
        #expect(queue.pop() == 6)
        settle(4)
        #expect(queue.pop() == 4)
        #expect(queue.pop() == 1)
        worker.join()
    }

    @Test func closedQueueLetsGoOfWhoWaits() throws {
        let queue = BoundedQueue<Int>(capacity: 1)
        queue.push(1)
        let refused = Atomic(false)
        let worker = try Workers(1) { _ in
            refused.store(!queue.push(2), ordering: .sequentiallyConsistent)
        }
        usleep(10_000)
        queue.close()
        worker.join()
        let wasRefused = refused.load(ordering: .sequentiallyConsistent)
        #expect(wasRefused)
        #expect(queue.pop() == 1)
        #expect(queue.pop() == nil)
    }

    /// A tree that is none, then more than the queue holds.
    @Test(arguments: [1, 2, 4])
    func failureWhileTheQueueIsFullIsReported(threads: Int) throws {
        var pack = PackBuilder()
        pack.whole(.tree, Array("no tree".utf8))
        let blob = [UInt8](repeating: 7, count: 1 << 20)
        for number in 0 ..< 40 { pack.whole(.blob, blob + [UInt8(number)]) }
        let bytes = pack.finished()
        expectStoreError(.corrupt) { try scratch.index(bytes) { $0.threads = threads } }
        #expect(try scratch.leftovers() == [])
    }

    @Test func lettingGoInMidPackLeavesNothing() throws {
        var pack = PackBuilder()
        for seed in 0 ..< 20 as Range<UInt64> {
            pack.whole(.blob, PackRandom.bytes(1 << 18, seed: seed))
        }
        let bytes = pack.finished()
        do {
            let indexer = try PackIndexer(directory: scratch.directory, format: .sha1)
            try indexer.append(Array(bytes.dropLast(1_000)))
            #expect(try scratch.leftovers().count == 1)
        }
        #expect(try scratch.leftovers() == [])
    }

    @Test func whatIsNotInstalledIsRemoved() throws {
        var pack = PackBuilder()
        pack.blob("x")
        do {
            let indexed = try scratch.index(pack.finished())
            #expect(indexed.objectCount == 1)
            #expect(try scratch.leftovers().count == 1)
        }
        #expect(try scratch.leftovers() == [])
    }

    @Test func cancelBeforeTheNextBytes() throws {
        let indexer = try PackIndexer(directory: scratch.directory, format: .sha1)
        try indexer.append(Array("PACK".utf8))
        indexer.cancel()
        expectStoreError(.cancelled) { try indexer.append([0]) }
    }

    @Test func cancelBeforeTheEnd() throws {
        var pack = PackBuilder()
        pack.blob("x")
        let indexer = try PackIndexer(directory: scratch.directory, format: .sha1)
        try indexer.append(pack.finished())
        indexer.cancel()
        expectStoreError(.cancelled) { try indexer.finish() }
    }

    /// Some gigabytes of deltas, cancelled from another thread.
    @Test(arguments: [1, 2, 4])
    func cancelWhileDeltasAreRebuilt(threads: Int) throws {
        var pack = PackBuilder()
        let base = pack.whole(.blob, [UInt8](repeating: 1, count: 1 << 20))
        for number in 0 ..< 5_000 {
            pack.delta(
                on: base,
                DeltaBuilder(base: 1 << 20, result: 1 << 20).copying(0, 1 << 20 - 2)
                    .inserting([UInt8(number & 255), UInt8(number >> 8)]).bytes)
        }
        var options = PackIndexer.Options()
        options.threads = threads
        try {
            let indexer = try PackIndexer(
                directory: scratch.directory, format: .sha1, options: options)
            try indexer.append(pack.finished())
            let (cancel, progress) = (indexer.canceller, indexer.progress)
            let cancelled = Mutex<ContinuousClock.Instant?>(nil)
            let worker = try Workers(1) { _ in
                while progress.resolvedDeltas < 10 { usleep(100) }
                cancelled.withLock { $0 = .now }
                cancel()
            }
            expectStoreError(.cancelled) { try indexer.finish() }
            let end = ContinuousClock.now
            worker.join()
            let start = try #require(cancelled.withLock { $0 })
            #expect(end - start < .seconds(1))
            #expect(progress.resolvedDeltas < 5_000)
        }()
        #expect(try scratch.leftovers() == [])
    }

    @Test func progressCountsEachOnce() throws {
        var pack = PackBuilder()
        let base = pack.blob("base")
        pack.delta(on: base, DeltaBuilder.appending("+", to: 4))
        pack.delta(on: oid(blob: "base"), DeltaBuilder.appending("-", to: 4))
        let bytes = pack.finished()
        let indexer = try PackIndexer(directory: scratch.directory, format: .sha1)
        #expect(indexer.progress.totalObjects == 0)
        for byte in bytes { try indexer.append([byte]) }
        _ = try indexer.finish()
        #expect(indexer.progress.totalObjects == 3)
        #expect(indexer.progress.receivedObjects == 3)
        #expect(indexer.progress.receivedBytes == bytes.count)
        #expect(indexer.progress.totalDeltas == 2)
        #expect(indexer.progress.resolvedDeltas == 2)
    }
}
