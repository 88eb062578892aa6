import Synchronization
import Testing

@testable import GitCore
@testable import GitStore

@Suite struct PreparedPacksTests {
    /// A repository, what asks for all of it, and a count of how often that was prepared.
    private final class Asked: Sendable {
        let scratch: PackScratch
        let objects: ObjectDatabase
        let request: PackRequest
        let preparations = Atomic(0)

        init() throws {
            scratch = try PackScratch()
            try PackFixture.history(scratch, format: .sha1)
            objects = try ObjectDatabase(
                objectsDirectory: scratch["w/.git/objects"], format: .sha1)
            let tip = try scratch.git("rev-parse", "main", in: "w").line
            var request = PackRequest()
            request.wants = [try #require(ObjectID(hex: tip))]
            self.request = request
        }

        func ask(
            _ shelf: PreparedPacks, cancellation: CancellationFlag = CancellationFlag(),
            before: () throws(StoreError) -> Void = {}
        ) throws -> PreparedPack {
            try shelf.pack(request, objects, PackBuildProgress(), cancellation) {
                () throws(StoreError) in
                preparations.add(1, ordering: .relaxed)
                try before()
                let assembler = PackAssembler(request, from: objects)
                return try assembler.prepare(assembler.select())
            }
        }

        func write(_ pack: PreparedPack) throws -> [UInt8] {
            var bytes: [UInt8] = []
            _ = try PackAssembler(request, from: objects).writer(of: pack) {
                piece throws(StoreError) in bytes += piece
            }.run()
            return bytes
        }

        var count: Int { preparations.load(ordering: .relaxed) }
    }

    @Test func areKeptForWhoAsksForTheSame() throws {
        let asked = try Asked()
        let shelf = PreparedPacks(admitted: 1)
        let first = try asked.write(try asked.ask(shelf))
        let second = try asked.write(try asked.ask(shelf))
        #expect(asked.count == 1)
        #expect(first == second)
        _ = try asked.scratch.expectSameAsGit(first, format: .sha1)
    }

    @Test func arePreparedOnceForAllWhoAskAtOnceAndWrittenByAllAtOnce() throws {
        let asked = try Asked()
        let shelf = PreparedPacks(admitted: 2)
        let alone = try asked.write(try asked.ask(PreparedPacks(admitted: 1)))
        let packs = Mutex<[[UInt8]]>([])
        Workers.run(12) { _ in
            guard let pack = try? asked.write(asked.ask(shelf)) else { return }
            packs.withLock { $0.append(pack) }
        }
        #expect(asked.count == 2)
        #expect(packs.withLock { $0 } == Array(repeating: alone, count: 12))
    }

    @Test func arePreparedByAnotherWhereTheFirstGivesUp() throws {
        let asked = try Asked()
        let shelf = PreparedPacks(admitted: 1)
        let succeeded = Atomic(0)
        let failed = Atomic(0)
        Workers.run(4) { _ in
            let pack = try? asked.ask(shelf) { () throws(StoreError) in
                guard asked.count > 1 else { throw StoreError(.cancelled, "cancelled") }
            }
            if pack == nil { failed.add(1, ordering: .relaxed) }
            if pack != nil { succeeded.add(1, ordering: .relaxed) }
        }
        #expect(asked.count == 2)
        #expect(failed.load(ordering: .relaxed) == 1)
        #expect(succeeded.load(ordering: .relaxed) == 3)
    }

    @Test func areNotWaitedForByWhoIsCancelled() throws {
        let asked = try Asked()
        let shelf = PreparedPacks(admitted: 1)
        let cancellation = CancellationFlag()
        let error = Mutex<StoreError?>(nil)
        _ = try asked.ask(shelf) { () throws(StoreError) in
            // Somebody else asks meanwhile, and has gone before this is done.
            let waiter = try SystemThread {
                do { _ = try asked.ask(shelf, cancellation: cancellation) } catch let thrown {
                    error.withLock { $0 = thrown as? StoreError }
                }
            }
            cancellation.set()
            waiter.join()
        }
        #expect(error.withLock { $0?.code } == .cancelled)
        #expect(asked.count == 1)
    }

    @Test func areLetGoWhereTheyTakeTooMuchButSharedWhileAnybodyHasThem() throws {
        let asked = try Asked()
        let shelf = PreparedPacks(admitted: 1, budget: 1)
        do {
            let held = try asked.ask(shelf)
            let other = try asked.ask(shelf)
            #expect(held === other)
            #expect(asked.count == 1)
        }
        _ = try asked.ask(shelf)
        #expect(asked.count == 2)
    }

    @Test func areMadeAnewWhereThePacksAreOthers() throws {
        let asked = try Asked()
        let shelf = PreparedPacks(admitted: 1)
        let first = try asked.ask(shelf)
        try asked.scratch.git("repack", "-adfq", "--depth=1", in: "w")
        try asked.objects.refresh()
        let second = try asked.write(try asked.ask(shelf))
        #expect(asked.count == 2)
        _ = try asked.scratch.expectSameAsGit(second, format: .sha1)
        // What was prepared before can still be written, though its packs are gone.
        _ = try asked.scratch.expectSameAsGit(try asked.write(first), format: .sha1)
    }

    @Test func areKeptByTheRequestAndNotByItsTips() throws {
        let asked = try Asked()
        let shelf = PreparedPacks(admitted: 1)
        let whole = try asked.ask(shelf)
        var request = asked.request
        request.filter = try ObjectFilter(parsing: "blob:none")
        let assembler = PackAssembler(
            request, from: asked.objects, shelf: shelf, cancellation: CancellationFlag())
        let summary = try assembler.run { _ throws(StoreError) in }
        #expect(summary.objects < whole.selection.count)
        #expect(assembler.progress.totalObjects == summary.objects)
    }
}
