import GitCore
import Testing

@testable import GitStore

/// Packs that are wrong: each is refused with an error, none traps, none leaves a file.
@Suite struct PackMalformedTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    /// A pack with an entry of each type, smaller than 400 bytes.
    private func small() -> [UInt8] {
        var pack = PackBuilder()
        let base = pack.blob("base text")
        let child = pack.delta(on: base, DeltaBuilder.appending(" more", to: 9))
        pack.delta(on: child, DeltaBuilder.appending(" still", to: 14))
        pack.delta(on: oid(blob: "base text"), DeltaBuilder.appending("?", to: 9))
        let tree = Array("100644 a\0".utf8) + oid(blob: "base text").rawBytes
        pack.whole(.tree, tree)
        let commit = Array(
            "tree \(oid(.tree, tree))\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nm\n".utf8)
        pack.whole(.commit, commit)
        pack.whole(
            .tag,
            Array(
                "object \(oid(.commit, commit))\ntype commit\ntag t\ntagger a <a> 1 +0000\n\nm\n"
                    .utf8))
        return pack.finished()
    }

    private func refuses(
        _ pack: [UInt8], _ reason: String? = nil, chunk: Int = 1 << 16,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for threads in [1, 2] {
            let message = expectStoreError(.corrupt, sourceLocation: sourceLocation) {
                try scratch.index(pack, chunk: chunk) { $0.threads = threads }
            }
            if let reason {
                #expect(message.contains(reason), sourceLocation: sourceLocation)
            }
        }
        let verdict = try scratch.gitIndex(pack)
        #expect(verdict == nil, "git takes the pack", sourceLocation: sourceLocation)
        #expect(try scratch.leftovers() == [], sourceLocation: sourceLocation)
    }

    @Test func smallPackIsRight() throws { try scratch.expectSameAsGit(small()) }

    @Test(arguments: [1, 1 << 16]) func everyTruncation(chunk: Int) throws {
        let pack = small()
        for end in pack.indices {
            expectStoreError(.corrupt) { try scratch.index(Array(pack[..<end]), chunk: chunk) }
        }
        for end in pack.indices.dropFirst(12).dropLast(20) {
            expectStoreError(.corrupt, .limit) {
                try scratch.index(PackBuilder.sealed(Array(pack[..<end])), chunk: chunk)
            }
        }
        #expect(try scratch.leftovers() == [])
    }

    @Test func everyBitFlippedUnderTheOldTrailer() throws {
        let pack = small()
        for index in pack.indices {
            for bit in 0 ..< 8 as Range<UInt8> {
                var flipped = pack
                flipped[index] ^= 1 << bit
                expectStoreError(.corrupt, .limit) { try scratch.index(flipped) }
            }
        }
        #expect(try scratch.leftovers() == [])
    }

    /// With a right trailer some flips make another pack that is right. Then it is as git has it.
    @Test func everyBitFlippedUnderARightTrailer() throws {
        let pack = small()
        var taken: [[UInt8]] = []
        for index in pack.indices.dropLast(20) {
            for bit in 0 ..< 8 as Range<UInt8> {
                var flipped = pack
                flipped[index] ^= 1 << bit
                flipped = PackBuilder.resealed(flipped)
                do {
                    _ = try scratch.index(flipped)
                    taken.append(flipped)
                } catch let error as StoreError {
                    #expect([.corrupt, .limit].contains(error.code), "\(error)")
                }
            }
        }
        #expect(taken.count < 60)
        for pack in taken { try scratch.expectSameAsGit(pack) }
        #expect(try scratch.leftovers() == [])
    }

    @Test func signatureAndVersion() throws {
        var pack = PackBuilder()
        pack.blob("x")
        for (index, byte, reason) in [(0, 0x70, "signature"), (7, 1, "version"), (7, 4, "version")]
        {
            var bytes = pack.finished()
            bytes[index] = UInt8(byte)
            try refuses(PackBuilder.resealed(bytes), reason)
        }
        try refuses([], "early")
        try refuses(Array("PACK".utf8), "early")
        try refuses(Array("<html><body>Not found</body></html>".utf8), "signature")
    }

    @Test(arguments: [0, 5] as [UInt8]) func unknownType(type: UInt8) throws {
        var pack = PackBuilder()
        pack.entry(type: type, size: 1, stream: zlib([1]))
        try refuses(pack.finished(), "unknown object type \(type)")
    }

    @Test func baseAtDistanceZero() throws {
        var pack = PackBuilder()
        pack.blob("x")
        pack.delta(distance: 0, DeltaBuilder.appending("y", to: 1))
        try refuses(pack.finished(), "its own base")
    }

    @Test(arguments: [1, 2, 5, -1, -12, -13, -1_000, 1 << 40]) func baseThatIsNoEntry(at: Int)
        throws
    {
        var pack = PackBuilder()
        pack.blob("some base that is long enough to point into")
        let end = UInt64(pack.bytes.count)
        // From the entry at 12: inside it (1, 2, 5), before the pack, or further than any pack.
        let distance = at == 1 << 40 ? 1 << 40 : UInt64(Int(end) - 12 - at)
        pack.delta(distance: distance, DeltaBuilder.appending("y", to: 43))
        try refuses(pack.finished(), "not that of an entry")
    }

    @Test func baseOffsetThatOverflows() throws {
        for count in [9, 10, 11, 30] {
            var pack = PackBuilder()
            pack.blob("x")
            pack.raw([0x6a] + [UInt8](repeating: 0xff, count: count) + [0x7f] + zlib([1, 1, 1, 1]))
            let message = expectStoreError(.corrupt) { try scratch.index(pack.finished()) }
            #expect(message.contains("overflows") || message.contains("not that of an entry"))
            #expect(try scratch.gitIndex(pack.finished()) == nil)
        }
    }

    @Test func sizeThatOverflows() throws {
        func many(_ byte: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: byte, count: count) }
        let tails: [[UInt8]] = [many(0xff, 9) + [0x7f], many(0xff, 10) + [0], many(0x80, 30) + [0]]
        for tail in tails {
            var pack = PackBuilder()
            pack.raw([0xbf] + tail + zlib([1]))
            try refuses(pack.finished(), "64 bits")
        }
    }

    @Test func cyclesOfDeltasByID() throws {
        // Ids that the deltas would have are not known; any ids that wait for one another do.
        let (a, b) = (oid(blob: "a"), oid(blob: "b"))
        var pair = PackBuilder()
        pair.delta(on: a, DeltaBuilder(base: 1, result: 1).inserting([0x62]).bytes)
        pair.delta(on: b, DeltaBuilder(base: 1, result: 1).inserting([0x61]).bytes)
        try refuses(pair.finished(), "unresolved")

        var own = PackBuilder()
        own.delta(on: a, DeltaBuilder(base: 1, result: 1).inserting([0x61]).bytes)
        try refuses(own.finished(), "unresolved")
    }

    /// With the base in the pack, too, the delta makes the object that it is based on.
    @Test func deltaThatMakesItsOwnBase() throws {
        var pack = PackBuilder()
        pack.delta(on: oid(blob: "abcd"), DeltaBuilder(base: 4, result: 4).copying(0, 4).bytes)
        pack.blob("abcd")
        let indexed = try scratch.index(pack.finished())
        #expect(indexed.objectCount == 2)
        #expect(indexed.contains(oid(blob: "abcd")))
    }

    @Test(arguments: [8, 10, 0, 1 << 20, 5 << 20, 1 << 32]) func wholeSizeLies(declared: UInt64)
        throws
    {
        var pack = PackBuilder()
        pack.whole(.blob, Array("nine byte".utf8), declared: declared)
        pack.blob("next")
        for chunk in [1, 1 << 16] { try refuses(pack.finished(), chunk: chunk) }
    }

    @Test(arguments: [8, 10, 0, 1 << 20, 5 << 20]) func deltaSizeLies(declared: UInt64) throws {
        var pack = PackBuilder()
        let base = pack.blob("nine byte")
        pack.delta(on: base, DeltaBuilder.appending("+", to: 9), declared: declared)
        pack.blob("next")
        try refuses(pack.finished())
    }

    @Test func largeSizeLies() throws {
        for (count, declared) in [(5 << 20, 5 << 20 + 1), (5 << 20 + 1, 5 << 20), (5 << 20, 9)] {
            for kind in [ObjectKind.blob, .tree] {
                var pack = PackBuilder()
                pack.whole(
                    kind, [UInt8](repeating: 0x31, count: count), declared: UInt64(declared))
                try refuses(pack.finished())
            }
        }
    }

    @Test func deltasThatDoNotFit() throws {
        let wrong: [(DeltaBuilder, String)] = [
            (DeltaBuilder(base: 9, result: 10).copying(0, 10), "outside"),
            (DeltaBuilder(base: 9, result: 9).copying(1, 9), "outside"),
            (DeltaBuilder(base: 9, result: 9).adding([0, 0, 0]), "reserved"),
            (DeltaBuilder(base: 9, result: 8).copying(0, 9), "more"),
            (DeltaBuilder(base: 9, result: 10).copying(0, 9), "less"),
            (DeltaBuilder(base: 8, result: 9).copying(0, 8).inserting([1]), "base"),
            (DeltaBuilder(base: 10, result: 9).copying(0, 9), "base"),
            (DeltaBuilder(base: 9, result: 5).adding([5, 1]), "truncated"),
            (DeltaBuilder(base: 9, result: 0), "short"),
        ]
        for (delta, reason) in wrong {
            var byOffset = PackBuilder()
            byOffset.delta(on: byOffset.blob("nine byte"), delta.bytes)
            try refuses(byOffset.finished(), reason)
            var byID = PackBuilder()
            byID.delta(on: oid(blob: "nine byte"), delta.bytes)
            byID.blob("nine byte")
            try refuses(byID.finished(), reason)
        }
    }

    @Test func headerCountsMoreOrLessThanThereIs() throws {
        var pack = PackBuilder()
        for text in ["one", "two", "three"] { pack.blob(text) }
        for count in [0, 1, 2, 4, 5, 1 << 31, .max] as [UInt32] {
            try refuses(pack.finished(count: count))
        }
    }

    @Test func garbageAfterTheEnd() throws {
        let pack = small()
        for chunk in [1, 1 << 16] {
            expectStoreError(.corrupt) { try scratch.index(pack + [0], chunk: chunk) }
            expectStoreError(.corrupt) { try scratch.index(pack + pack, chunk: chunk) }
            expectStoreError(.corrupt) {
                try scratch.index(PackBuilder().finished() + [0], chunk: chunk)
            }
        }
    }

    @Test func trailerOfZeros() throws {
        var pack = PackBuilder()
        pack.blob("x")
        try refuses(pack.finished(trailer: [UInt8](repeating: 0, count: 20)), "trailer")
        try refuses(PackBuilder().finished(trailer: [UInt8](repeating: 0, count: 20)), "trailer")
    }

    @Test func streamsThatAreNoZlib() throws {
        let good = zlib(Array("text".utf8))
        let checksum = Array(good.dropLast()) + [good[good.count - 1] ^ 1]
        let dictionary: [UInt8] = [0x78, 0xbb, 0, 0, 0, 1] + good.dropFirst(2)
        let streams: [[UInt8]] = [
            [], [0x78], [0, 0, 0, 0, 0, 0, 0, 0], checksum, dictionary, Array(good.dropLast(4)),
        ]
        for stream in streams {
            var pack = PackBuilder()
            pack.entry(type: 3, size: 4, stream: stream)
            pack.blob("next")
            for chunk in [1, 1 << 16] { try refuses(pack.finished(), chunk: chunk) }
        }
    }

    @Test(
        arguments: [
            (.tree, "100644 a\0short"), (.tree, "100644 a"),
            (.tree, "100644 \0aaaaaaaaaaaaaaaaaaaa"),
            (.tree, " a\0aaaaaaaaaaaaaaaaaaaa"), (.tree, "1006440 a\0aaaaaaaaaaaaaaaaaaaa"),
            (.tree, " "), (.commit, ""), (.commit, "tree 12\n"),
            (.commit, "tree 0123456789012345678901234567890123456789"),
            (.commit, "tree 0123456789012345678901234567890123456789\nparent x\n"),
            (.tag, "object 12"),
            (.tag, "object 0123456789012345678901234567890123456789\ntype x\ntag t\n"),
        ] as [(ObjectKind, String)])
    func objectsWhoseLinksCannotBeRead(kind: ObjectKind, text: String) throws {
        var pack = PackBuilder()
        pack.whole(kind, Array(text.utf8))
        expectStoreError(.corrupt) { try scratch.index(pack.finished()) }
        let indexed = try scratch.index(pack.finished()) { $0.findsMissingLinks = false }
        #expect(indexed.contains(oid(kind, Array(text.utf8))))
    }
}
