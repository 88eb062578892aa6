import Foundation
import GitCore
import Testing

@testable import GitStore

extension LooseStore {
    func write(
        _ oid: ObjectID, _ kind: ObjectKind, _ content: [UInt8]
    ) throws(StoreError) {
        try content.span.withUnsafeBytes { bytes throws(StoreError) in
            try write(oid, kind, bytes)
        }
    }
}

/// Loose objects: written for git, and what is wrong with those that are refused.
@Suite struct ObjectLooseTests {
    let scratch: PackScratch
    let store: LooseStore

    init() throws {
        scratch = try PackScratch()
        try scratch.createRepository()
        store = LooseStore(directory: scratch["r/objects"], format: .sha1)
    }

    /// Puts any file in the place of the object `oid`.
    private func place(_ file: [UInt8], as oid: ObjectID) throws {
        let path = store.path(oid)
        try FileSystem.createDirectories(path.dropLast(39))
        try FileSystem.remove(path)
        try File(path, O_WRONLY | O_CREAT | O_EXCL).write(file)
    }

    /// What each way of reading makes of the object; all must agree that it is none.
    private func expectRefused(
        _ file: [UInt8], as oid: ObjectID, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try place(file, as: oid)
        expectStoreError(.corrupt, .limit, sourceLocation: sourceLocation) { try store.read(oid) }
        expectStoreError(.corrupt, .limit, sourceLocation: sourceLocation) {
            try store.stream(oid) { _ in }
        }
    }

    @Test(arguments: ["", "x", "some text\n"]) func gitReadsWhatIsWritten(text: String) throws {
        for kind in [ObjectKind.blob, .tree] where kind == .blob || text.isEmpty {
            let content = Array(text.utf8)
            let id = oid(kind, content)
            try store.write(id, kind, content)
            #expect(try scratch.git("cat-file", kind.name, id.hex, in: "r").output == content)
            #expect(try store.read(id) == GitObject(kind: kind, content: content))
            #expect(
                try store.header(id).map { "\($0.kind) \($0.size)" } == "\(kind) \(content.count)")
        }
        try scratch.git("fsck", "--strict", in: "r")
    }

    @Test func largeObjectsAreWrittenAndStreamed() throws {
        for (number, content) in [
            PackRandom.bytes(3 << 20), [UInt8](repeating: 0, count: 20 << 20),
            PackRandom.bytes(1 << 18), PackRandom.bytes(1 << 18 - 13),
        ].enumerated() {
            let id = oid(.blob, content)
            try store.write(id, .blob, content)
            var streamed: [UInt8] = []
            #expect(try store.stream(id) { streamed += $0 })
            let isSame = try streamed == content && store.read(id)?.content == content
            #expect(isSame, "content \(number)")
            #expect(try scratch.git("cat-file", "-s", id.hex, in: "r").line == "\(content.count)")
        }
        try scratch.git("fsck", in: "r")
    }

    @Test func whatGitWroteIsRead() throws {
        for size in [0, 1, 100, 300_000] {
            let content = PackRandom.bytes(size)
            let said = try scratch.git("hash-object", "-w", "--stdin", in: "r", input: content)
            let id = try #require(ObjectID(hex: said.line))
            #expect(id == oid(.blob, content))
            let isSame = try store.read(id)?.content == content
            #expect(isSame)
        }
        #expect(try store.oids().count == 4)
    }

    @Test func objectThatIsThereIsNotWrittenAgain() throws {
        let id = oid(blob: "there")
        try store.write(id, .blob, Array("there".utf8))
        let path = store.path(id)
        let before = try #require(FileSystem.status(path))
        #expect(before.st_mode & 0o777 == 0o444)
        try store.write(id, .blob, Array("there".utf8))
        #expect(FileSystem.status(path)?.st_ino == before.st_ino)
        #expect(try FileSystem.list(path.dropLast(39)).count == 1)
    }

    @Test func failedWriteLeavesNothing() throws {
        let id = oid(blob: "x")
        expectStoreError(.limit) {
            try store.place(id) { file throws(StoreError) in
                try file.write([1, 2, 3])
                throw StoreError(.limit, "enough")
            }
        }
        #expect(try FileSystem.list(store.path(id).dropLast(39)) == [])
        #expect(!store.contains(id))
    }

    @Test func objectThatIsNotThere() throws {
        let id = oid(blob: "none")
        #expect(try store.read(id) == nil)
        #expect(try store.header(id) == nil)
        #expect(try !store.stream(id) { _ in })
    }

    /// What the file of a blob `hello` must not hold; `~` stands for NUL.
    @Test(arguments: [
        "blob 5", "blob5~hello", "blob 5 ~hello", "blob  5~hello", "blob 05~hello",
        "blob +5~hello", "blob -5~hello", "blob 0x5~hello", "blob ~hello", "blob 5\nhello",
        "Blob 5~hello", "blub 5~hello", " 5~hello", "~hello", "", "blob 4~hello",
        "blob 6~hello", "blob 18446744073709551615~hello", "blob 18446744073709551616~hello",
        "blob 99999999999999999999999999999999999~hello", "blob 4294967296~hello",
        "blob 9223372036854775807~hello", "commit 5~hello", "blob 5~hellO", "blob 5~hello~",
        "blob 5~", "tree 5~hello",
    ])
    func malformedHeader(text: String) throws {
        let id = oid(blob: "hello")
        try place(zlib(Array("blob 5\0hello".utf8)), as: id)
        #expect(try store.read(id)?.content == Array("hello".utf8))
        try expectRefused(zlib(text.utf8.map { $0 == 0x7e ? 0 : $0 }), as: id)
    }

    @Test func everyTruncation() throws {
        let file = zlib(Array("blob 11\0hello world".utf8))
        for end in file.indices {
            try expectRefused(Array(file[..<end]), as: oid(blob: "hello world"))
        }
    }

    /// Five bits before a stored block are nobody's; any other bit breaks the object.
    @Test func everyBitFlipped() throws {
        let id = oid(blob: "hello world")
        let good = zlib(Array("blob 11\0hello world".utf8))
        var taken = 0
        for index in good.indices {
            for bit in 0 ..< 8 as Range<UInt8> {
                var file = good
                file[index] ^= 1 << bit
                try place(file, as: id)
                if let object = try? store.read(id) {
                    #expect(object.content == Array("hello world".utf8))
                    taken += 1
                } else {
                    try expectRefused(file, as: id)
                }
            }
        }
        #expect(taken <= 5)
    }

    @Test func bytesAfterTheStream() throws {
        let id = oid(blob: "hello")
        let file = zlib(Array("blob 5\0hello".utf8))
        for more in [[0], file, [UInt8](repeating: 1, count: 5_000)] {
            try expectRefused(file + more, as: id)
        }
        // As git: it reads on in fsck only, but there it is refused.
        #expect(try scratch.attempt(["fsck"], in: "r").status != 0)
    }

    @Test func objectUnderAnotherID() throws {
        try expectRefused(zlib(Array("blob 5\0hello".utf8)), as: oid(blob: "other"))
    }

    /// Much more than is declared must not reach whoever reads it.
    @Test func streamStopsAtTheDeclaredSize() throws {
        let id = oid(blob: "x")
        try place(zlib(Array("blob 10\0".utf8) + [UInt8](repeating: 0, count: 50 << 20)), as: id)
        var seen = 0
        expectStoreError(.corrupt) { try store.stream(id) { seen += $0.count } }
        #expect(seen <= 10)
        expectStoreError(.corrupt) { try store.read(id) }
    }

    @Test func claimedSizeIsNotAllocated() throws {
        let id = oid(blob: "x")
        for size in ["4294967296", "4294967295", "1000000000"] {
            try expectRefused(zlib(Array("blob \(size)\0x".utf8)), as: id)
        }
    }

    @Test func errorOfWhoReadsComesThrough() throws {
        struct Full: Error {}
        let id = oid(blob: "x")
        try store.write(id, .blob, [0x78])
        let error = #expect(throws: StoreError.self) { try store.stream(id) { _ in throw Full() } }
        #expect(error?.cause is Full)
    }

    @Test func listingPassesOverWhatIsNoObject() throws {
        let id = oid(blob: "x")
        try store.write(id, .blob, [0x78])
        for name in ["zz", "00", "01/not-an-id", "info/x", "\(id.hex.prefix(2))/tmp_obj_123456"] {
            try FileSystem.createDirectories(scratch["r/objects"] / ByteString(name))
        }
        try scratch.write([1], to: "r/objects/ab")
        #expect(try store.oids() == [id])
        #expect(try store.oids(firstByte: id.firstByte) == [id])
        #expect(try store.oids(firstByte: id.firstByte ^ 1) == [])
    }
}
