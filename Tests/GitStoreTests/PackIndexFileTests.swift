import GitCore
import Testing

@testable import GitStore

/// Index files: large offsets, and files that are wrong.
@Suite struct PackIndexFileTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    /// A table of objects at offsets that no test would write a pack for.
    private func table(_ offsets: [UInt64], _ format: ObjectFormat = .sha1) -> PackEntryTable {
        var table = PackEntryTable(format)
        for (row, offset) in offsets.enumerated() {
            table.append(
                whole: .blob, oid(.blob, [UInt8(row)], format), offset: offset, headerLength: 2,
                crc: UInt32(row) &* 0x0123_4567)
        }
        table.close(at: (offsets.last ?? 12) + 100)
        return table
    }

    private func write(_ table: PackEntryTable, limit: UInt64 = 1 << 31) -> [UInt8] {
        PackIndexWriter(
            table: table, order: table.rowsByObjectID(),
            trailer: .zero(table.format), smallOffsetLimit: limit
        ).index()
    }

    static let offsets: [UInt64] = [
        12, 1 << 30, 1 << 31 - 1, 1 << 31, 1 << 31 + 1, 1 << 32, 1 << 40, 1 << 62,
    ]

    @Test(arguments: ObjectFormat.allCases) func largeOffsetsComeBack(format: ObjectFormat) throws {
        let table = table(Self.offsets, format)
        try scratch.write(write(table), to: "x.idx")
        let index = try PackIndexFile(scratch["x.idx"], format)
        try index.verify()
        #expect(index.count == 8)
        for row in 0 ..< 8 {
            let found = try #require(index.row(of: table.objectID(row: row)))
            #expect(try index.offset(row: found) == Self.offsets[row])
            #expect(index.crc(row: found) == table.crcs[row])
        }
        #expect(try index.rowsInPackOrder().map(\.offset) == Self.offsets)
    }

    @Test func rowsAreSortedByOffsetsOfAllSizes() {
        for limit in [1, 100, 2_047, 2_048, 1 << 22, 1 << 31, .max] as [UInt64] {
            for count in [0, 1, 2, 5_000] {
                let rows = (0 ..< count).map {
                    PackedRow(offset: .random(in: 0 ... limit), row: UInt32($0))
                }
                let byHand = rows.sorted { ($0.offset, $0.row) < ($1.offset, $1.row) }
                let sorted = PackedRow.sorted(rows)
                #expect(sorted.map(\.row) == byHand.map(\.row), "\(count) up to \(limit)")
                #expect(sorted.map(\.offset) == byHand.map(\.offset))
            }
        }
    }

    @Test func gitReadsLargeOffsets() throws {
        let table = table(Self.offsets)
        let shown = try scratch.git("show-index", input: write(table)).lines
        let expected = table.rowsByObjectID().map { row in
            let row = Int(row)
            let crc = String(table.crcs[row], radix: 16)
            let padded = String(repeating: "0", count: 8 - crc.count) + crc
            return "\(Self.offsets[row]) \(table.objectID(row: row)) (\(padded))"
        }
        #expect(shown == expected)
    }

    /// git can be told to write offsets from some size on in 64 bits: to the byte, so do we.
    @Test(arguments: [0, 0x40, 0x1_0000]) func largeOffsetsAsGitWritesThem(limit: UInt64) throws {
        try PackFixture.history(scratch, commits: 8)
        let pack = try PackFixture.pack(scratch, "w", "--delta-base-offset")
        let expected = try #require(
            try scratch.gitIndex(
                pack, options: ["--index-version=2,0x\(String(limit, radix: 16))"]))
        let indexed = try scratch.index(pack)
        let ours = PackIndexWriter(
            table: indexed.table, order: indexed.order, trailer: indexed.trailer,
            smallOffsetLimit: limit + 1
        ).index()
        let isSame = ours == expected.index
        #expect(isSame)
        #expect(ours.count > indexed.indexBytes().count)
        try scratch.write(ours, to: "large.idx")
        try scratch.write(indexed.indexBytes(), to: "small.idx")
        let large = try PackIndexFile(scratch["large.idx"], .sha1)
        let small = try PackIndexFile(scratch["small.idx"], .sha1)
        for row in 0 ..< small.count {
            #expect(try large.offset(row: row) == small.offset(row: row))
        }
    }

    @Test func idsAreFoundAmongAllFirstBytes() throws {
        var table = PackEntryTable(.sha1)
        for row in 0 ..< 2_000 as Range<UInt64> {
            table.append(
                whole: .blob, oid(blob: "\(row)"), offset: 12 + row * 10, headerLength: 1, crc: 0)
        }
        table.close(at: 30_000)
        try scratch.write(write(table), to: "x.idx")
        let index = try PackIndexFile(scratch["x.idx"], .sha1)
        for row in 0 ..< 2_000 {
            #expect(index.row(of: oid(blob: "\(row)")).map(index.oid) == oid(blob: "\(row)"))
            #expect(index.row(of: oid(blob: "not \(row)")) == nil)
        }
        #expect(index.row(of: .zero(.sha1)) == nil)
        #expect(index.oids.firstRow(notBefore: .zero(.sha1)) == 0)
        let highest = try #require(ObjectID(hex: String(repeating: "f", count: 40)))
        #expect(index.oids.firstRow(notBefore: highest) == 2_000)
    }

    // MARK: Wrong files

    /// Opens an index and asks all of it; any error is right, anything else than an error is checked.
    private func use(_ bytes: [UInt8]) throws {
        try scratch.write(bytes, to: "x.idx")
        let index = try PackIndexFile(scratch["x.idx"], .sha1)
        for row in 0 ..< index.count {
            _ = index.oid(row: row)
            _ = index.crc(row: row)
            _ = try index.offset(row: row)
        }
        for text in 0 ..< 8 as Range<UInt8> { _ = index.row(of: oid(.blob, [text])) }
        _ = index.packTrailer
        _ = try index.rowsInPackOrder()
        try index.verify()
    }

    @Test func everyTruncation() throws {
        let bytes = write(table([12, 40, 1 << 33]))
        try use(bytes)
        for end in bytes.indices {
            expectStoreError(.corrupt) { try use(Array(bytes[..<end])) }
        }
        for more in [1, 4, 8, 20, 32, 800] {
            expectStoreError(.corrupt) { try use(bytes + [UInt8](repeating: 0, count: more)) }
        }
    }

    @Test func everyByteFlipped() throws {
        let bytes = write(table([12, 40, 1 << 33]))
        for index in bytes.indices {
            for mask in [0x01, 0x80, 0xff] as [UInt8] {
                var flipped = bytes
                flipped[index] ^= mask
                expectStoreError(.corrupt) { try use(flipped) }
            }
        }
    }

    /// With a right hash at the end, so that only the bounds of the tables are left to notice.
    @Test func everyByteFlippedUnderARightHash() throws {
        let bytes = write(table([12, 40, 1 << 33]))
        for index in bytes.indices.dropLast(20) {
            for mask in [0x01, 0x80, 0xff] as [UInt8] {
                var flipped = bytes
                flipped[index] ^= mask
                do { try use(PackBuilder.resealed(flipped)) } catch let error as StoreError {
                    #expect(error.code == .corrupt)
                }
            }
        }
    }

    @Test func countsThatLie() throws {
        let bytes = write(table([12, 40, 1 << 33]))
        for count in [0, 1, 2, 4, 1_000, 1 << 31, .max] as [UInt32] {
            var lying = bytes
            lying.replaceSubrange(8 + 255 * 4 ..< 12 + 255 * 4, with: PackBuilder.bigEndian(count))
            expectStoreError(.corrupt) { try use(PackBuilder.resealed(lying)) }
        }
    }

    @Test func otherVersions() throws {
        var bytes = write(table([12]))
        bytes[7] = 3
        expectStoreError(.corrupt) { try use(PackBuilder.resealed(bytes)) }
        var first = [UInt8](repeating: 0, count: 1_024)
        for row in 0 ..< 256 where row > 3 { first[row * 4 + 3] = 1 }
        expectStoreError(.corrupt) { try use(first + [UInt8](repeating: 1, count: 64)) }
        expectStoreError(.corrupt) { try use([]) }
        expectStoreError(.notFound) { try PackIndexFile(scratch["none.idx"], .sha1) }
    }

    // MARK: Version 1

    /// The index of git's first version of the format, and that of the second, of one pack.
    private func bothVersions(
        _ format: ObjectFormat
    ) throws -> (first: [UInt8], second: [UInt8], pack: [UInt8]) {
        try PackFixture.history(scratch, commits: 8, format: format)
        let pack = try PackFixture.pack(scratch, "w", "--delta-base-offset")
        let first = try #require(
            try scratch.gitIndex(pack, format: format, options: ["--index-version=1"]))
        let second = try #require(try scratch.gitIndex(pack, format: format))
        #expect(first.index.prefix(4) != [0xff, 0x74, 0x4f, 0x63])
        return (first.index, second.index, pack)
    }

    @Test(arguments: ObjectFormat.allCases) func versionOneSaysTheSame(format: ObjectFormat) throws
    {
        let (first, second, pack) = try bothVersions(format)
        try scratch.write(first, to: "1.idx")
        try scratch.write(second, to: "2.idx")
        let old = try PackIndexFile(scratch["1.idx"], format)
        let new = try PackIndexFile(scratch["2.idx"], format)
        try old.verify()
        #expect(old.count == new.count)
        #expect(old.packTrailer == new.packTrailer)
        for row in 0 ..< new.count {
            #expect(old.oid(row: row) == new.oid(row: row))
            #expect(try old.offset(row: row) == new.offset(row: row))
            #expect(old.row(of: new.oid(row: row)) == row)
            #expect(old.crc(row: row) == nil)
        }
        #expect(try old.rowsInPackOrder().map(\.row) == new.rowsInPackOrder().map(\.row))

        try scratch.createRepository(format: format)
        try scratch.write(pack, to: "r/objects/pack/pack-1.pack")
        try scratch.write(first, to: "r/objects/pack/pack-1.idx")
        let store = try ObjectDatabase(objectsDirectory: scratch["r/objects"], format: format)
        for id in try store.allObjectIDs() { #expect(try identify(store.read(id), format) == id) }
        #expect(try store.allObjectIDs().count == new.count)
        let verified = try PackVerifier(scratch["r/objects/pack/pack-1"], format).verify()
        #expect(verified.count == new.count)
    }

    @Test func wrongFilesOfVersionOne() throws {
        let first = try bothVersions(.sha1).first
        try use(first)
        for end in stride(from: 0, to: first.count, by: 37) {
            expectStoreError(.corrupt) { try use(Array(first[..<end])) }
        }
        for more in [1, 4, 8, 20, 24] {
            expectStoreError(.corrupt) { try use(first + [UInt8](repeating: 0, count: more)) }
        }
        for index in stride(from: 0, to: first.count - 20, by: 3) {
            var flipped = first
            flipped[index] ^= 0x80
            expectStoreError(.corrupt) { try use(flipped) }
            do { try use(PackBuilder.resealed(flipped)) } catch let error as StoreError {
                #expect(error.code == .corrupt)
            }
        }
    }

    // MARK: Packs under wrong indexes

    /// A pack of three blobs and a delta under an index of any bytes, all of it read.
    private func read(_ index: [UInt8], _ pack: IndexedPack, _ texts: [String]) throws {
        let folder = scratch["r/objects/pack"]
        try FileSystem.createDirectories(folder)
        try scratch.write(index, to: "r/objects/pack/pack-\(pack.trailer.hex).idx")
        let store = try ObjectDatabase(objectsDirectory: scratch["r/objects"], format: .sha1)
        for oid in try store.allObjectIDs() {
            _ = try? store.header(oid)
            _ = try? store.storage(oid)
            try? store.stream(oid) { _ in }
            _ = try? store.read(oid)
        }
        for text in texts {
            let object = try store.read(oid(blob: text))
            #expect(oid(.blob, object.content) == oid(blob: text))
        }
    }

    @Test func packUnderAnyIndexGivesErrorsAndNeverOtherObjects() throws {
        try scratch.createRepository()
        let texts = ["one", "two and more", "three", "two and more!"]
        var builder = PackBuilder()
        builder.blob(texts[0])
        let base = builder.blob(texts[1])
        builder.blob(texts[2])
        builder.delta(on: base, DeltaBuilder.appending("!", to: 12))
        let pack = try scratch.index(builder.finished())
        let good = pack.indexBytes()
        try pack.install(in: scratch["r/objects/pack"])
        try FileSystem.remove(scratch["r/objects/pack/pack-\(pack.trailer.hex).idx"])
        try read(good, pack, texts)
        for index in good.indices {
            for mask in [0x01, 0x80, 0xff] as [UInt8] {
                var flipped = good
                flipped[index] ^= mask
                do { try read(flipped, pack, texts) } catch let error as StoreError {
                    #expect([.corrupt, .notFound].contains(error.code))
                }
            }
        }
        // Of another pack, and of one with another number of objects.
        var other = PackBuilder()
        for text in ["1", "2", "3", "4"] { other.blob(text) }
        let others = try scratch.index(other.finished()).indexBytes()
        expectStoreError(.notFound) { try read(others, pack, texts) }
        other.blob("5")
        let more = try scratch.index(other.finished()).indexBytes()
        expectStoreError(.notFound) { try read(more, pack, texts) }
    }
}
