import GitCore
import Synchronization
import Testing

@testable import GitStore

/// All objects on several threads: each once, as they are by their ids.
@Suite struct ObjectWalkTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    private func open(_ format: ObjectFormat = .sha1) throws -> ObjectDatabase {
        try ObjectDatabase(objectsDirectory: scratch["r/objects"], format: format)
    }

    /// Packs that share objects, objects that are loose as well or only so, and a store to borrow from.
    private func make(_ format: ObjectFormat = .sha1) throws {
        try PackFixture.history(scratch, format: format)
        try scratch.createRepository(format: format)
        try scratch.createRepository("far", format: format)
        func pack(_ revisions: String, into repository: String) throws {
            try scratch.git(
                "pack-objects", "--revs", "-q", "../\(repository)/objects/pack/pack", in: "w",
                input: Array(revisions.utf8))
        }
        try pack("main~4\n", into: "r")
        try pack("main~2\n^main~8\n", into: "r")
        try pack("main~5\n", into: "far")
        let rest = try scratch.git(
            "pack-objects", "--stdout", "--revs", "-q", in: "w",
            input: Array("main\nside\nrefs/tags/v1-again\n^main~10\n".utf8)
        ).output
        try scratch.git("unpack-objects", "-q", in: "r", input: rest)
        try scratch.write(Array("../../far/objects\n".utf8), to: "r/objects/info/alternates")
    }

    private struct Seen: Hashable {
        let oid: ObjectID
        let kind: ObjectKind
        let content: [UInt8]
    }

    private func walk(_ store: ObjectDatabase, threads: Int) throws -> [ObjectID: Seen] {
        let seen = Mutex<[ObjectID: Seen]>([:])
        let repeats = Mutex(0)
        try store.forEachStretch(threads: threads) { stretch in
            try stretch.forEach { object in
                let header = try object.header()
                try object.content { content in
                    var bytes: [UInt8] = []
                    try content.forEachPiece { bytes += $0 }
                    guard header.kind == content.kind, header.size == content.size else {
                        throw StoreError(.corrupt, "header of \(object.oid)")
                    }
                    let new = Seen(oid: object.oid, kind: content.kind, content: bytes)
                    let old = seen.withLock { $0.updateValue(new, forKey: new.oid) }
                    if old != nil { repeats.withLock { $0 += 1 } }
                }
            }
        }
        #expect(repeats.withLock { $0 } == 0)
        return seen.withLock { $0 }
    }

    private func expectAll(_ store: ObjectDatabase, threads: Int) throws {
        let seen = try walk(store, threads: threads)
        #expect(try seen.keys.sorted() == store.allObjectIDs())
        for object in seen.values {
            let whole = GitObject(kind: object.kind, content: object.content)
            #expect(try identify(whole, store.format) == object.oid)
        }
    }

    @Test(arguments: ObjectFormat.allCases, [1, 2, 5])
    func everyObjectOnce(format: ObjectFormat, threads: Int) throws {
        try make(format)
        try expectAll(open(format), threads: threads)
        try scratch.git("multi-pack-index", "write", in: "r")
        let store = try open(format)
        #expect(store.packs.listing.covered != nil)
        try expectAll(store, threads: threads)
    }

    @Test(arguments: [1, 2, 7]) func largePacksArePartedTheLaterTheSmaller(threads: Int) throws {
        for size in [0, 1, 1 << 18, 13 << 20, 300 << 20] as [UInt64] {
            // Entries of 1 to 64 KiB, and one that is larger than any part should be.
            var offset: UInt64 = 12
            var order: [PackedRow] = []
            while offset < size {
                order.append(PackedRow(offset: offset, row: UInt32(order.count)))
                offset += order.count == 100 ? 20 << 20 : (offset * 31) % 65_536 + 1_024
            }
            let ranges = ObjectWalk.ranges(order, threads: threads)
            #expect(ranges.flatMap { Array($0) } == Array(order.indices))
            #expect(ranges.allSatisfy { !$0.isEmpty })
            let ends = ranges.dropFirst().map { order[$0.lowerBound].offset }
            for (range, end) in zip(ranges, ends) {
                let (start, last) = (order[range.lowerBound].offset, order[range.upperBound - 1])
                #expect(last.offset - start < ObjectWalk.mostPart)
                #expect(end - start >= ObjectWalk.leastPart)
            }
            guard let last = ranges.last, ranges.count > 1, size > 1 << 20 else { continue }
            #expect(order[order.count - 1].offset - order[last.lowerBound].offset < 1 << 18)
        }
    }

    @Test func emptyStore() throws {
        try scratch.createRepository()
        #expect(try walk(open(), threads: 2).isEmpty)
    }

    @Test func errorOfWhoReadsComesThroughFromAnyThread() throws {
        try make()
        let count = Atomic(0)
        expectStoreError(.cancelled) {
            try open().forEachStretch(threads: 3) { stretch in
                try stretch.forEach { _ in
                    if count.wrappingAdd(1, ordering: .relaxed).newValue == 60 {
                        throw StoreError(.cancelled, "enough")
                    }
                }
            }
        }
    }

    /// What of one pack is damaged comes from another place, if it is there.
    @Test func damagedEntriesAreTakenFromElsewhere() throws {
        try make()
        let whole = try walk(open(), threads: 2)
        for name in try scratch.list("r/objects/pack") where name.hasSuffix(".pack") {
            let path = "r/objects/pack/" + name
            let good = try scratch.read(path)
            var bytes = good
            for index in stride(from: 200, to: bytes.count - 20, by: 997) { bytes[index] ^= 0x40 }
            try scratch.write(bytes, to: path)
            let store = try open()
            let found = Mutex<[ObjectID: [UInt8]]>([:])
            let lost = Atomic(0)
            try store.forEachStretch(threads: 2) { stretch in
                try stretch.forEach { object in
                    do {
                        try object.content { content in
                            var bytes: [UInt8] = []
                            try content.forEachPiece { bytes += $0 }
                            found.withLock { $0[object.oid] = bytes }
                        }
                    } catch { lost.wrappingAdd(1, ordering: .relaxed) }
                }
            }
            let all = found.withLock { $0 }
            #expect(all.count + lost.load(ordering: .relaxed) == whole.count)
            for (id, bytes) in all { #expect(bytes == whole[id]?.content) }
            try scratch.write(good, to: path)
        }
    }

    /// An offset outside its table says nothing of the other rows.
    @Test func packWithAWrongOffsetIsReadById() throws {
        try scratch.createRepository()
        var builder = PackBuilder()
        let texts = ["one", "two", "three"]
        for text in texts { builder.blob(text) }
        let indexed = try scratch.index(builder.finished())
        try indexed.install(in: scratch["r/objects/pack"])
        let name = "r/objects/pack/pack-\(indexed.trailer.hex).idx"
        var bytes = try scratch.read(name)
        bytes[8 + 1_024 + 3 * 24] |= 0x80
        try scratch.write(PackBuilder.resealed(bytes), to: name)
        let store = try open()
        let good = Mutex(0)
        try store.forEachStretch(threads: 2) { stretch in
            try stretch.forEach { object in
                if (try? object.content { _ in }) != nil { good.withLock { $0 += 1 } }
            }
        }
        #expect(good.withLock { $0 } == 2)
    }
}
