import Foundation
import GitCore
import Testing

@testable import GitStore

/// Packs that git made: index and reverse index are to be git's to the byte.
@Suite struct PackFromGitTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    @Test(arguments: ObjectFormat.allCases) func allKindsOfPack(format: ObjectFormat) throws {
        try PackFixture.history(scratch, format: format)
        let packs = try [
            PackFixture.pack(scratch, "w", "--delta-base-offset", "--no-reuse-delta"),
            PackFixture.pack(scratch, "w", "--no-reuse-delta", "--depth=4095", "--window=50"),
            PackFixture.pack(scratch, "w", "--window=0", "--compression=0"),
        ]
        for pack in packs {
            try #require(pack.count > 100_000)
            for threads in [1, 2, 4] {
                let indexed = try scratch.expectSameAsGit(pack, format: format) {
                    $0.threads = threads
                }
                #expect(indexed.missingLinks == [])
                #expect(indexed.addedBases == 0)
            }
        }
        let isWithDeltas = packs[0].count < packs[2].count && packs[0] != packs[1]
        #expect(isWithDeltas)
    }

    /// However the bytes arrive, it is the same pack.
    @Test(arguments: [1, 3, 13, 4_099, 1 << 20, .max]) func chunks(of size: Int) throws {
        try PackFixture.history(scratch, commits: 12)
        let pack = try PackFixture.pack(scratch, "w", "--delta-base-offset")
        try scratch.expectSameAsGit(pack, chunk: min(size, pack.count))
    }

    @Test(arguments: ["", "--delta-base-offset"]) func verifyPackSaysWhatGitSays(option: String)
        throws
    {
        try PackFixture.history(scratch, commits: 12)
        let pack =
            option.isEmpty
            ? try PackFixture.pack(scratch) : try PackFixture.pack(scratch, "w", option)
        try scratch.createRepository()
        let base = try scratch.index(pack).install(in: scratch["r/objects/pack"])
        let path = String(decoding: base.bytes, as: UTF8.self)
        let said = try scratch.git("verify-pack", "-v", path + ".idx", in: "r")
        let store = try ObjectDatabase(objectsDirectory: scratch["r/objects"], format: .sha1)
        let lines = said.lines.map { $0.split(separator: " ", omittingEmptySubsequences: true) }
        var compared = 0
        for fields in lines where fields.count >= 5 {
            guard let oid = ObjectID(hex: fields[0]) else { continue }
            let storage = try store.storage(oid)
            let kind = try store.header(oid).kind
            #expect(kind.name == fields[1])
            #expect(String(storage.size) == fields[3])
            #expect(storage.deltaBase?.hex == (fields.count > 6 ? String(fields[6]) : nil))
            compared += 1
        }
        #expect(compared == (try store.allObjectIDs().count))
        try scratch.git("fsck", "--strict", "--full", in: "r")
        let names = try scratch.list("r/objects/pack").map { ($0 as NSString).pathExtension }
        #expect(names == ["idx", "pack", "rev"])
        for name in try scratch.list("r/objects/pack") {
            let status = try #require(FileSystem.status(scratch["r/objects/pack/" + name]))
            #expect(status.st_mode & 0o777 == 0o444)
        }
    }

    @Test func installingAgainKeepsWhatIsThere() throws {
        var builder = PackBuilder()
        builder.blob("x")
        let pack = builder.finished()
        try scratch.createRepository()
        let folder = scratch["r/objects/pack"]
        let base = try scratch.index(pack).install(in: folder)
        func inodes() -> [UInt64] {
            [".pack", ".idx", ".rev"].compactMap {
                FileSystem.status(base + ByteString($0)).map { UInt64($0.st_ino) }
            }
        }
        let before = inodes()
        #expect(before.count == 3)
        #expect(try scratch.index(pack).install(in: folder, keep: "why") == base)
        #expect(inodes() == before)
        #expect(try FileSystem.read(base + ".keep", limit: 10) == Array("why".utf8))
        #expect(try scratch.leftovers() == [])
        // An index that is missing is made again.
        try FileSystem.remove(base + ".idx")
        try scratch.index(pack).install(in: folder)
        #expect(inodes().count == 3)
        try scratch.git("fsck", in: "r")
    }

    @Test func installingThatFailsLeavesNothing() throws {
        var builder = PackBuilder()
        builder.blob("x")
        try scratch.createRepository()
        let folder = scratch["r/objects/pack"]
        let indexed = try scratch.index(builder.finished())
        // A directory in the index's place.
        let base = folder / ByteString("pack-\(indexed.trailer.hex)")
        try FileSystem.createDirectory(base + ".idx")
        try FileSystem.createDirectory(base + ".idx/x")
        expectStoreError(.system) { try indexed.install(in: folder, keep: "x") }
        #expect(try scratch.list("r/objects/pack") == ["pack-\(indexed.trailer.hex).idx"])
    }

    // MARK: Thin packs

    /// The last commits of the fixture as a thin pack for who has the others, and a repository `r`
    /// that has those.
    private func thin(_ options: String...) throws -> [UInt8] {
        try PackFixture.history(scratch)
        try scratch.git("clone", "-q", "--bare", "--no-local", "--no-tags", "w", "r")
        try scratch.git("update-ref", "refs/heads/main", "main~8", in: "r")
        try scratch.git("update-ref", "-d", "refs/heads/side", in: "r")
        try scratch.git("reflog", "expire", "--expire=all", "--all", in: "r")
        try scratch.git("repack", "-adq", in: "r")
        try scratch.git("prune", "--expire=now", in: "r")
        let thin = try scratch.attempt(
            ["pack-objects", "--stdout", "--revs", "--thin", "-q"] + options, in: "w",
            input: Array("main\n^main~8\n".utf8)
        ).output
        let message = expectStoreError(.corrupt) { try scratch.index(thin) }
        #expect(message.contains("unresolved"))
        #expect(try scratch.gitIndex(thin) == nil, "the pack is not thin")
        return thin
    }

    @Test(arguments: ["--delta-base-offset", "--no-reuse-delta"])
    func thinPackIsCompletedAsGitDoes(option: String) throws {
        let pack = try thin(option)
        try FileManager.default.copyItem(
            atPath: scratch.path + "/r", toPath: scratch.path + "/theirs")
        try scratch.git("index-pack", "--fix-thin", "--stdin", in: "theirs", input: pack)
        let store = try ObjectDatabase(objectsDirectory: scratch["r/objects"], format: .sha1)
        let indexed = try scratch.index(pack) { $0.thinBases = store }
        #expect(indexed.addedBases > 0)
        #expect(indexed.missingLinks.allSatisfy { (try? store.contains($0)) == true })
        let base = try indexed.install(in: scratch["r/objects/pack"])
        let path = String(decoding: base.bytes, as: UTF8.self)
        try scratch.git("index-pack", "--verify", "--strict", path + ".pack", in: "r")
        let main = try scratch.git("rev-parse", "main", in: "w").line
        func list(_ repository: String, _ pack: String) throws -> [String] {
            try scratch.git("show-index", in: repository, input: scratch.read(pack)).lines
                .map { String($0.split(separator: " ")[1]) }
        }
        let ours = try list("r", "r/objects/pack/pack-\(indexed.trailer.hex).idx")
        let names = try scratch.list("theirs/objects/pack").filter { $0.hasSuffix(".idx") }
        let lists = try names.map { try list("theirs", "theirs/objects/pack/" + $0) }
        #expect(lists.contains(ours))
        try scratch.git("update-ref", "refs/heads/main", main, in: "r")
        try scratch.git("fsck", "--strict", "--full", in: "r")
        #expect(try scratch.leftovers() == [])
    }

    @Test func baseOfAThinPackIsCompletedOnceForAllItsDeltas() throws {
        try scratch.createRepository()
        let base = String(repeating: "base ", count: 100)
        let store = try ObjectDatabase(objectsDirectory: scratch["r/objects"], format: .sha1)
        try store.write(.blob, Array(base.utf8))
        var pack = PackBuilder()
        for number in 0 ..< 50 {
            pack.delta(on: oid(blob: base), DeltaBuilder.appending("\(number)", to: 500))
        }
        let child = pack.delta(on: oid(blob: base + "7"), DeltaBuilder.appending("!", to: 501))
        pack.delta(on: child, DeltaBuilder.appending("?", to: 502))
        let indexed = try scratch.index(pack.finished()) { $0.thinBases = store }
        #expect(indexed.addedBases == 1)
        #expect(indexed.objectCount == 53)
        #expect(indexed.contains(oid(blob: base + "7!?")))
        try indexed.install(in: scratch["r/objects/pack"])
        try scratch.git("fsck", "--full", in: "r")
    }

    /// A base whose bytes on disk are not those of its id must not become an object under that id.
    @Test func corruptBaseForAThinPackIsRefused() throws {
        try scratch.createRepository()
        let text = String(repeating: "base ", count: 100)
        let good = oid(blob: text)
        // A pack whose index gives another object's id.
        var lying = PackBuilder()
        lying.blob(String(repeating: "evil ", count: 100))
        let indexed = try scratch.index(lying.finished())
        var index = indexed.indexBytes()
        let oldID = oid(blob: String(repeating: "evil ", count: 100))
        for first in 0 ..< 256 {
            let total: UInt32 = first >= Int(good.firstByte) ? 1 : 0
            index.replaceSubrange(
                8 + first * 4 ..< 12 + first * 4, with: PackBuilder.bigEndian(total))
        }
        #expect(Array(index[1_032 ..< 1_052]) == oldID.rawBytes)
        index.replaceSubrange(1_032 ..< 1_052, with: good.rawBytes)
        index = PackBuilder.resealed(index)
        let base = try indexed.install(in: scratch["r/objects/pack"])
        try FileSystem.remove(base + ".idx")
        try scratch.write(index, to: "r/objects/pack/pack-\(indexed.trailer.hex).idx")

        let store = try ObjectDatabase(objectsDirectory: scratch["r/objects"], format: .sha1)
        #expect(try store.contains(good))
        var pack = PackBuilder()
        pack.delta(on: good, DeltaBuilder.appending("!", to: 500))
        expectStoreError(.corrupt) {
            try scratch.index(pack.finished()) { $0.thinBases = store }
        }
        #expect(try scratch.leftovers() == [])
    }
}
