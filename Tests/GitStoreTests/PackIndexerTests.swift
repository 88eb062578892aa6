import GitCore
import Testing

@testable import GitStore

/// Packs that are right, made by hand: what comes out is what `git index-pack` makes of them.
@Suite struct PackIndexerTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    @Test func emptyPack() throws {
        let indexed = try scratch.expectSameAsGit(PackBuilder().finished())
        #expect(indexed.objectCount == 0)
    }

    @Test func version3() throws {
        var pack = PackBuilder(version: 3)
        pack.blob("three")
        try scratch.expectSameAsGit(pack.finished())
    }

    @Test func emptyObjects() throws {
        var pack = PackBuilder()
        pack.blob("")
        pack.whole(.tree, [])
        let indexed = try scratch.expectSameAsGit(pack.finished())
        #expect(indexed.contains(oid(.tree, [])))
        #expect(!indexed.contains(oid(.commit, [])))
    }

    @Test func deltaByOffset() throws {
        var pack = PackBuilder()
        let base = pack.blob("base text")
        let child = pack.delta(on: base, DeltaBuilder.appending(" more", to: 9))
        pack.delta(on: child, DeltaBuilder.appending(" still", to: 14))
        let indexed = try scratch.expectSameAsGit(pack.finished())
        #expect(indexed.contains(oid(blob: "base text more still")))
    }

    @Test func deltaByIDWhoseBaseComesLater() throws {
        var pack = PackBuilder()
        pack.delta(on: oid(blob: "base text"), DeltaBuilder.appending(" more", to: 9))
        pack.blob("base text")
        let indexed = try scratch.expectSameAsGit(pack.finished())
        #expect(indexed.contains(oid(blob: "base text more")))
        #expect(indexed.addedBases == 0)
    }

    @Test func chainOfDeltasByIDInReverse() throws {
        var pack = PackBuilder()
        let texts = (0 ..< 40).map { "base" + String(repeating: "+", count: $0) }
        for index in (1 ..< 40).reversed() {
            pack.delta(
                on: oid(blob: texts[index - 1]),
                DeltaBuilder.appending("+", to: texts[index - 1].utf8.count))
        }
        pack.blob(texts[0])
        let indexed = try scratch.expectSameAsGit(pack.finished())
        for text in texts { #expect(indexed.contains(oid(blob: text))) }
    }

    @Test func deltasByIDAndByOffsetInOneTree() throws {
        var pack = PackBuilder()
        pack.delta(on: oid(blob: "base+-"), DeltaBuilder.appending("*", to: 6))
        let base = pack.blob("base")
        let plus = pack.delta(on: base, DeltaBuilder.appending("+", to: 4))
        pack.delta(on: plus, DeltaBuilder.appending("-", to: 5))
        pack.delta(on: oid(blob: "base+"), DeltaBuilder.appending("/", to: 5))
        let indexed = try scratch.expectSameAsGit(pack.finished())
        for text in ["base", "base+", "base+-", "base+-*", "base+/"] {
            #expect(indexed.contains(oid(blob: text)))
        }
    }

    /// As git: the index has a row for each.
    @Test func sameObjectTwice() throws {
        var pack = PackBuilder()
        let first = pack.blob("twice")
        pack.blob("twice")
        pack.delta(on: first, DeltaBuilder(base: 5, result: 5).copying(0, 5).bytes)
        pack.blob("once")
        let indexed = try scratch.expectSameAsGit(pack.finished())
        #expect(indexed.objectCount == 4)
    }

    /// `git index-pack` refuses these, but git reads them from a pack that has an index.
    @Test func deltasByIDOnAnObjectThatIsThereTwice() throws {
        var pack = PackBuilder()
        pack.blob("twice")
        pack.delta(on: oid(blob: "twice"), DeltaBuilder.appending("!", to: 5))
        pack.blob("twice")
        pack.delta(on: oid(blob: "twice"), DeltaBuilder.appending("?", to: 5))
        let indexed = try scratch.index(pack.finished())
        #expect(indexed.objectCount == 4)
        for text in ["twice", "twice!", "twice?"] { #expect(indexed.contains(oid(blob: text))) }
        try scratch.createRepository()
        try indexed.install(in: scratch["r/objects/pack"])
        let text = try scratch.git("cat-file", "blob", oid(blob: "twice?").hex, in: "r").text
        #expect(text == "twice?")
    }

    @Test(arguments: [1, 2, 4]) func deepestChainThatGitMakes(threads: Int) throws {
        var pack = PackBuilder()
        var last = pack.blob("x")
        for depth in 1 ... 4_095 {
            last = pack.delta(on: last, DeltaBuilder.appending("\(depth % 10)", to: depth))
        }
        let indexed = try scratch.expectSameAsGit(pack.finished()) { $0.threads = threads }
        #expect(indexed.objectCount == 4_096)
    }

    @Test func chainOfAHundredThousand() throws {
        var pack = PackBuilder()
        var last = pack.blob("number: 0")
        for number in 1 ... 100_000 {
            let text = Array(String(number).utf8)
            let old = UInt64(8 + String(number - 1).utf8.count)
            last = pack.delta(
                on: last,
                DeltaBuilder(base: old, result: UInt64(8 + text.count)).copying(0, 8)
                    .inserting(text).bytes)
        }
        let indexed = try scratch.index(pack.finished())
        #expect(indexed.contains(oid(blob: "number: 100000")))
    }

    @Test(arguments: [true, false]) func aHundredThousandDeltasOnOneBase(byID: Bool) throws {
        var pack = PackBuilder()
        let base = pack.blob("number: ")
        for number in 1 ... 100_000 {
            let delta = DeltaBuilder.appending(String(number), to: 8)
            if byID {
                pack.delta(on: oid(blob: "number: "), delta)
            } else {
                pack.delta(on: base, delta)
            }
        }
        let indexed = try scratch.index(pack.finished())
        #expect(indexed.objectCount == 100_001)
        for number in [1, 77_777, 100_000] {
            #expect(indexed.contains(oid(blob: "number: \(number)")))
        }
    }

    @Test func blobsLargerThanWhatIsInflatedInOnePiece() throws {
        var pack = PackBuilder()
        pack.blob("before")
        pack.whole(.blob, PackRandom.bytes(8 << 20))
        pack.whole(.blob, [UInt8](repeating: 0, count: 64 << 20))
        pack.whole(.blob, PackRandom.bytes(PackEntryParser.wholeLimit, seed: 2))
        pack.whole(.blob, PackRandom.bytes(PackEntryParser.wholeLimit + 1, seed: 3))
        pack.blob("after")
        try scratch.expectSameAsGit(pack.finished(), chunk: 100_003)
    }

    @Test func deltaOnABlobThatIsStreamed() throws {
        let content = PackRandom.bytes(6 << 20)
        var pack = PackBuilder()
        let base = pack.whole(.blob, content)
        pack.delta(
            on: base,
            DeltaBuilder(base: 6 << 20, result: 0x10000).copying(12_345, 0x10000).bytes)
        let indexed = try scratch.expectSameAsGit(pack.finished())
        #expect(indexed.contains(oid(.blob, Array(content[12_345 ..< 12_345 + 0x10000]))))
    }

    /// A delta with so many literals that it is streamed itself, and read again from the file.
    @Test func deltaThatIsStreamed() throws {
        let literals = PackRandom.bytes(5 << 20)
        var pack = PackBuilder()
        let base = pack.blob("base")
        var delta = DeltaBuilder(base: 4, result: UInt64(literals.count)).bytes
        for start in stride(from: 0, to: literals.count, by: 127) {
            let part = literals[start ..< min(start + 127, literals.count)]
            delta.append(UInt8(part.count))
            delta += part
        }
        pack.delta(on: base, delta)
        let indexed = try scratch.expectSameAsGit(pack.finished())
        #expect(indexed.contains(oid(.blob, literals)))
    }

    @Test func treeAndCommitLargerThanWhatIsInflatedInOnePiece() throws {
        var tree: [UInt8] = []
        let blob = oid(blob: "x")
        for number in 0 ..< 200_000 {
            tree += Array("100644 \(1_000_000 + number)\0".utf8) + blob.rawBytes
        }
        #expect(tree.count > PackEntryParser.wholeLimit)
        let commit =
            Array(
                "tree \(oid(.tree, tree))\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\n".utf8)
            + [UInt8](repeating: 0x61, count: 5 << 20)
        var pack = PackBuilder()
        pack.whole(.tree, tree)
        pack.whole(.commit, commit)
        let indexed = try scratch.expectSameAsGit(pack.finished())
        #expect(indexed.missingLinks == [blob])
    }

    /// Streams that libdeflate does not take in one piece: in stored blocks with empty ones between,
    /// far longer than what they hold.
    @Test func streamsThatAreLongerThanAnyUsualProgramMakesThem() throws {
        let content = Array("stored".utf8)
        let empty: [UInt8] = [0, 0, 0, 0xff, 0xff]
        let adler: [UInt8] = zlib(content).suffix(4)
        let stream =
            [0x78, 0x01] + [[UInt8]](repeating: empty, count: 5_000).flatMap { $0 }
            + [1, 6, 0, 0xf9, 0xff] + content + adler
        var pack = PackBuilder()
        let base = pack.entry(type: 3, size: 6, stream: stream)
        pack.delta(on: base, DeltaBuilder.appending("!", to: 6))
        for chunk in [1, 1 << 16] {
            let indexed = try scratch.expectSameAsGit(pack.finished(), chunk: chunk)
            #expect(indexed.contains(oid(blob: "stored!")))
        }
    }
}
