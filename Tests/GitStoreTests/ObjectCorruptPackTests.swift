import GitCore
import Testing

@testable import GitStore

/// Packs in a repository that are wrong: an error, or the object that was asked for.
@Suite struct ObjectCorruptPackTests {
    let scratch: PackScratch
    init() throws {
        scratch = try PackScratch()
        try scratch.createRepository()
    }

    private func open() throws -> ObjectDatabase {
        try ObjectDatabase(objectsDirectory: scratch["r/objects"], format: .sha1)
    }

    /// Each byte of a pack's entries flipped in turn: the objects are right or refused.
    @Test func flippedBytesInAPackGiveErrorsOrTheRightObject() throws {
        let texts = ["one", "two and more", "two and more!"]
        var builder = PackBuilder()
        builder.blob(texts[0])
        let base = builder.blob(texts[1])
        builder.delta(on: base, DeltaBuilder.appending("!", to: 12))
        let indexed = try scratch.index(builder.finished())
        try indexed.install(in: scratch["r/objects/pack"])
        let name = "r/objects/pack/pack-\(indexed.trailer.hex).pack"
        let good = try scratch.read(name)
        for index in good.indices {
            for bit in 0 ..< 8 as Range<UInt8> {
                var flipped = good
                flipped[index] ^= 1 << bit
                try FileSystem.remove(scratch[name])
                try scratch.write(flipped, to: name)
                for text in texts {
                    let id = oid(blob: text)
                    do {
                        let store = try open()
                        _ = try store.storage(id)
                        _ = try store.header(id)
                        try store.stream(id) { _ in }
                        let object = try store.read(id)
                        // What is not in the content's checksum is the kind.
                        #expect(object.content == Array(text.utf8))
                    } catch let error as StoreError {
                        #expect([.corrupt, .limit, .notFound].contains(error.code), "\(error)")
                    }
                }
            }
        }
    }

    /// A pack that is no use is passed over and told of: what only it has is missing, the rest is there.
    @Test func truncatedPacksArePassedOver() throws {
        var builder = PackBuilder()
        builder.blob("one")
        let indexed = try scratch.index(builder.finished())
        try indexed.install(in: scratch["r/objects/pack"])
        try install(["two"])
        let name = "r/objects/pack/pack-\(indexed.trailer.hex).pack"
        let good = try scratch.read(name)
        for end in good.indices {
            try FileSystem.remove(scratch[name])
            try scratch.write(Array(good[..<end]), to: name)
            let (store, faults) = (try open(), Faults())
            store.tellOfFaults(faults.add)
            #expect(try store.read(oid(blob: "two")).content == Array("two".utf8))
            #expect(try !store.contains(oid(blob: "one")))
            let message = expectStoreError(.notFound) { try store.read(oid(blob: "one")) }
            #expect(message.contains("damaged"))
            #expect(faults.all.map(\.code) == [.corrupt])
        }
    }

    /// Installs a pack of blobs; says its path.
    @discardableResult
    private func install(_ texts: [String]) throws -> String {
        var builder = PackBuilder()
        for text in texts { builder.blob(text) }
        let indexed = try scratch.index(builder.finished())
        try indexed.install(in: scratch["r/objects/pack"])
        return "r/objects/pack/pack-\(indexed.trailer.hex).pack"
    }

    /// The store opens beside a wrong index, whatever is wrong with it.
    @Test func wrongIndexesArePassedOver() throws {
        let name = try install(["one"]).dropLast(5) + ".idx"
        try install(["two"])
        let good = try scratch.read(String(name))
        for wrong in [[], Array("no index".utf8), Array(good.dropLast(8)), good + [0]] {
            try FileSystem.remove(scratch[String(name)])
            try scratch.write(wrong, to: String(name))
            let (store, faults) = (try open(), Faults())
            #expect(try store.read(oid(blob: "two")).content == Array("two".utf8))
            expectStoreError(.notFound) { try store.read(oid(blob: "one")) }
            #expect(try store.allObjectIDs() == [oid(blob: "two")])
            // Told of once, also to who asks late, and however often it is met.
            try store.refresh()
            store.tellOfFaults(faults.add)
            try store.refresh()
            #expect(faults.all.map(\.code) == [.corrupt])
            // The check of a repository looks at it all the same.
            #expect(store.packPaths.count == 2)
        }
    }

    /// What one pack has damaged is taken from another, or from a file of its own.
    @Test(arguments: [false, true]) func otherCopiesAreUsed(isLoose: Bool) throws {
        let name = try install(["one", "and more"])
        if isLoose {
            try scratch.git("hash-object", "-w", "--stdin", in: "r", input: Array("one".utf8))
            _ = try scratch.attempt(["unpack-objects", "-q"], in: "r")
            try LooseStore(directory: scratch["r/objects"], format: .sha1).write(
                oid(blob: "one"), .blob, Array("one".utf8))
        } else {
            try install(["one", "and another"])
        }
        var bytes = try scratch.read(name)
        bytes[PackHeader.length + 3] ^= 0xff
        try FileSystem.remove(scratch[name])
        try scratch.write(bytes, to: name)
        let (store, id) = (try open(), oid(blob: "one"))
        // Whichever pack is looked into first.
        for first in ["and more", "and another", "and more"] {
            _ = try? store.read(oid(blob: first))
            #expect(try store.read(id).content == Array("one".utf8))
            var streamed: [UInt8] = []
            try store.stream(id) { streamed += $0 }
            #expect(streamed == Array("one".utf8))
        }
    }

    /// An entry that says it is larger than anything that could be held.
    @Test func sizesThatLie() throws {
        for size in [1 << 30, 1 << 40, 1 << 62, .max] as [UInt64] {
            var builder = PackBuilder()
            let base = builder.blob("base")
            let delta = DeltaBuilder(base: 4, result: size).copying(0, 4).bytes
            let wrong = [
                builder.whole(.blob, Array("x".utf8), declared: size),
                builder.delta(on: base, DeltaBuilder.appending("!", to: 4), declared: size),
                builder.delta(on: base, delta),
            ]
            let pack = builder.finished()
            var table = PackEntryTable(.sha1)
            for offset in [base] + wrong {
                table.append(
                    whole: .blob, oid(blob: "\(offset)"), offset: offset, headerLength: 1, crc: 0)
            }
            let index = PackIndexWriter(
                table: table, order: table.rowsByObjectID(),
                trailer: ObjectID(raw: Array(pack.suffix(20)).span, .sha1)
            ).index()
            try scratch.write(pack, to: "r/objects/pack/pack-1.pack")
            try scratch.write(index, to: "r/objects/pack/pack-1.idx")
            let store = try open()
            for offset in wrong {
                expectStoreError(.corrupt, .limit) { try store.read(oid(blob: "\(offset)")) }
                expectStoreError(.corrupt, .limit) {
                    try store.stream(oid(blob: "\(offset)")) { _ in }
                }
                _ = try? store.header(oid(blob: "\(offset)"))
            }
        }
    }

    /// Deltas by id that go round in a circle, under an index that names them.
    @Test func deltasThatGoRoundInACircle() throws {
        let (a, b) = (oid(blob: "a"), oid(blob: "b"))
        var builder = PackBuilder()
        let delta = DeltaBuilder(base: 1, result: 1).inserting([0x61]).bytes
        let first = builder.delta(on: b, delta)
        let second = builder.delta(on: a, delta)
        let pack = builder.finished()
        var table = PackEntryTable(.sha1)
        table.append(whole: .blob, a, offset: first, headerLength: 1, crc: 0)
        table.append(whole: .blob, b, offset: second, headerLength: 1, crc: 0)
        let trailer = ObjectID(raw: Array(pack.suffix(20)).span, .sha1)
        let index = PackIndexWriter(
            table: table, order: table.rowsByObjectID(), trailer: trailer
        ).index()
        try scratch.write(pack, to: "r/objects/pack/pack-1.pack")
        try scratch.write(index, to: "r/objects/pack/pack-1.idx")
        let store = try open()
        for id in [a, b] {
            expectStoreError(.corrupt) { try store.read(id) }
            expectStoreError(.corrupt) { try store.header(id) }
            expectStoreError(.corrupt) { try store.stream(id) { _ in } }
        }
    }

    /// A delta whose first bytes, which declare the object's size, come late in its stream.
    @Test func sizeOfADeltaWhoseStreamBeginsWithNothing() throws {
        let delta = DeltaBuilder.appending("!", to: 4)
        let empty: [UInt8] = [0, 0, 0, 0xff, 0xff]
        let count = UInt8(delta.count)
        let stream =
            [0x78, 0x01] + [[UInt8]](repeating: empty, count: 10_000).flatMap { $0 }
            + [1, count, 0, ~count, 0xff] + delta + zlib(delta).suffix(4)
        var builder = PackBuilder()
        let base = builder.blob("base")
        builder.entry(
            type: 6, size: UInt64(delta.count),
            base: PackBuilder.distance(UInt64(builder.bytes.count) - base), stream: stream)
        try scratch.index(builder.finished()).install(in: scratch["r/objects/pack"])
        let store = try open()
        let id = oid(blob: "base!")
        #expect(try store.header(id).size == 5)
        #expect(try store.read(id).content == Array("base!".utf8))
    }
}
