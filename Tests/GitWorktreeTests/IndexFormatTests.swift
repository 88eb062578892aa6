import Foundation
import GitCore
import GitWorktree
import Testing

@Suite struct IndexFormatTests {
    /// A repository with an index of some variety.
    private func repository() throws -> Scratch {
        let scratch = try Scratch()
        try scratch.git("init", "-q")
        for name in ["a", "a.b", "a0", "dir/x", "dir/sub/y", "dir-x/z", "long/" + longName] {
            try scratch.write(name, "content of \(name)\n")
        }
        try FileManager.default.createSymbolicLink(
            atPath: scratch.url.appendingPathComponent("link").path, withDestinationPath: "a")
        try scratch.git("add", ".")
        try scratch.git("update-index", "--chmod=+x", "dir/x")
        try scratch.git("write-tree")
        return scratch
    }

    private let longName = String(repeating: "n", count: 200)

    private func read(_ scratch: Scratch) throws -> Index {
        try Index.read(path: scratch.path / ".git/index", format: .sha1)
    }

    private func parse(_ bytes: [UInt8]) throws -> Index {
        try Index(parsing: bytes.span, format: .sha1)
    }

    /// `bytes` with the checksum that they should have.
    private func sealed(_ bytes: [UInt8]) -> [UInt8] {
        var hasher = PlainHasher(.sha1)
        hasher.update(bytes)
        return bytes + hasher.finalize().rawBytes
    }

    @Test func gitsIndexReadAndWrittenAgainIsTheSameToTheByte() throws {
        let scratch = try repository()
        let bytes = try scratch.read(".git/index")
        #expect(try parse(bytes).serialized() == bytes)
    }

    @Test func version4IsReadAsVersion2() throws {
        let scratch = try repository()
        let bytes = try scratch.read(".git/index")
        try scratch.git("update-index", "--index-version", "4")
        let version4 = try scratch.read(".git/index")
        #expect(version4[7] == 4)
        let index = try parse(version4)
        #expect(index.entries == (try parse(bytes)).entries)
        #expect(index.serialized()[7] == 2)
    }

    @Test func extendedFlagsMakeItVersion3() throws {
        let scratch = try repository()
        try scratch.write("intended", "x")
        try scratch.git("add", "-N", "intended")
        try scratch.git("update-index", "--skip-worktree", "a")
        try scratch.git("update-index", "--assume-unchanged", "a0")
        let bytes = try scratch.read(".git/index")
        let index = try parse(bytes)
        #expect(index["intended"]?.isIntentToAdd == true)
        #expect(index["a"]?.isSkippingWorktree == true)
        #expect(index["a0"]?.isAssumedValid == true)
        #expect(index.serialized()[7] == 3)
        #expect(index.serialized() == bytes)
    }

    @Test func stagesAndResolveUndoSurvive() throws {
        let scratch = try repository()
        let blob = try scratch.git("hash-object", "-w", "--stdin", input: [0x78])
        let lines = (1 ... 3).map { "100644 \(blob) \($0)\tconflict\n" }.joined()
        try scratch.git("update-index", "--index-info", input: Array(lines.utf8))
        let bytes = try scratch.read(".git/index")
        let index = try parse(bytes)
        #expect(index.entries.filter { $0.path == "conflict" }.map(\.stage) == [1, 2, 3])
        #expect(index.serialized() == bytes)
        try scratch.write("conflict", "resolved")
        try scratch.git("add", "conflict")
        let resolved = try scratch.read(".git/index")
        #expect(try parse(resolved).serialized() == resolved)
    }

    @Test func gitReadsWhatIsWrittenHere() throws {
        let scratch = try repository()
        let before = try scratch.git("ls-files", "--stage", "--debug")
        try read(scratch).write(to: scratch.path / ".git/index")
        #expect(try scratch.git("ls-files", "--stage", "--debug") == before)
        #expect(!scratch.exists(".git/index.lock"))
    }

    @Test func anIndexOfSHA256IsReadAndWritten() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q", "--object-format=sha256")
        for name in ["a", "d/b"] { try scratch.write(name, name) }
        try scratch.git("add", ".")
        try scratch.git("write-tree")
        let bytes = try scratch.read(".git/index")
        let index = try Index(parsing: bytes.span, format: .sha256)
        #expect(index.entries.map(\.path) == ["a", "d/b"])
        #expect(index.cacheTree.tree(of: "")?.hex == (try scratch.git("write-tree")))
        #expect(index.serialized() == bytes)
    }

    @Test func aMissingIndexIsEmpty() throws {
        let scratch = try Scratch()
        let index = try Index.read(path: scratch.path / "index", format: .sha1)
        #expect(index.entries.isEmpty)
    }

    @Test func theLockOfAnotherIsRespected() throws {
        let scratch = try repository()
        try scratch.write(".git/index.lock", "")
        let index = try read(scratch)
        let error = #expect(throws: WorktreeError.self) {
            try index.write(to: scratch.path / ".git/index")
        }
        #expect(error?.code == .conflict)
        #expect(scratch.exists(".git/index.lock"))
    }

    @Test func anIndexWithoutAHashIsTaken() throws {
        let scratch = try repository()
        var bytes = try scratch.read(".git/index")
        bytes.replaceSubrange((bytes.count - 20)..., with: [UInt8](repeating: 0, count: 20))
        #expect(try parse(bytes).entries.count == 8)
    }

    @Test func everyCutIndexIsRefused() throws {
        let scratch = try repository()
        let bytes = Array(try scratch.read(".git/index").dropLast(20))
        for count in bytes.indices {
            #expect(throws: ParseError.self) { try parse(Array(bytes[..<count])) }
        }
        // With a good checksum only what ends between entries and extensions can be an index.
        for count in 12 ..< bytes.count {
            let cut = sealed(Array(bytes[..<count]))
            if let index = try? parse(cut) { #expect(index.entries.count == 8) }
        }
    }

    @Test func everyFlippedByteIsRefused() throws {
        let scratch = try repository()
        let bytes = try scratch.read(".git/index")
        for position in bytes.indices {
            var broken = bytes
            broken[position] ^= 0x41
            #expect(throws: ParseError.self) { try parse(broken) }
        }
    }

    @Test func noFlippedByteWithAGoodChecksumTraps() throws {
        let scratch = try repository()
        for version in ["2", "4"] {
            try scratch.git("update-index", "--index-version", version)
            let bytes = Array(try scratch.read(".git/index").dropLast(20))
            for position in bytes.indices {
                for value in [0x00, 0x2f, 0x7f, 0xff] as [UInt8] {
                    var broken = bytes
                    broken[position] = value
                    _ = try? parse(sealed(broken))
                }
            }
        }
    }

    @Test func aClaimedCountIsHeldAgainstTheSize() throws {
        var bytes: [UInt8] = Array("DIRC".utf8) + [0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff]
        #expect(throws: ParseError.self) { try parse(sealed(bytes)) }
        bytes.replaceSubrange(8..., with: [0, 0, 0, 0])
        #expect(try parse(sealed(bytes)).entries.isEmpty)
    }

    @Test(arguments: ["../x", ".git/config", "a/.GIT/x", "/x", "a//x", "git~1"] as [ByteString])
    func unsafePathsAreRefused(path: ByteString) throws {
        let oid = ObjectID.zero(.sha1)
        #expect(throws: ParseError.self) { try parse(entry(path, oid)) }
    }

    private func entry(_ path: ByteString, _ oid: ObjectID) -> [UInt8] {
        var bytes: [UInt8] = Array("DIRC".utf8) + [0, 0, 0, 2, 0, 0, 0, 1]
        bytes += [UInt8](repeating: 0, count: 24) + [0, 0, 0x81, 0xa4]
        bytes += [UInt8](repeating: 0, count: 12) + oid.rawBytes + [0, UInt8(path.count)]
        bytes += path.bytes
        repeat { bytes.append(0) } while (bytes.count - 12) % 8 != 0
        return sealed(bytes)
    }

    @Test func duplicateAndUnsortedEntriesAreRefused() throws {
        let one = Array(entry("b", .zero(.sha1)).dropFirst(12).dropLast(20))
        let other = Array(entry("a", .zero(.sha1)).dropFirst(12).dropLast(20))
        let header: [UInt8] = Array("DIRC".utf8) + [0, 0, 0, 2, 0, 0, 0, 2]
        #expect(try parse(sealed(header + other + one)).entries.count == 2)
        #expect(throws: ParseError.self) { try parse(sealed(header + one + other)) }
        #expect(throws: ParseError.self) { try parse(sealed(header + one + one)) }
    }

    @Test func extensionsFollowTheRuleOfTheFirstLetter() throws {
        let header: [UInt8] = Array("DIRC".utf8) + [0, 0, 0, 2, 0, 0, 0, 0]
        let optional = header + Array("ABCD".utf8) + [0, 0, 0, 1, 0x78]
        #expect(try parse(sealed(optional)).serialized() == sealed(header))
        let required = header + Array("link".utf8) + [0, 0, 0, 1, 0x78]
        #expect(throws: ParseError.self) { try parse(sealed(required)) }
    }
}
