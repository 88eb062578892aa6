import Foundation
import GitCore
import GitStore
import GitWorktree
import Testing

/// Trees that no honest Git makes.
@Suite struct HostileTreeTests {
    private let scratch: Scratch
    private let objects: ObjectDatabase
    private let blob: ObjectID

    init() throws {
        scratch = try Scratch()
        try scratch.git("init", "-q", "repository")
        try FileManager.default.createDirectory(
            atPath: scratch.url.path + "/top/work", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: scratch.url.path + "/top/outside", withIntermediateDirectories: true)
        objects = try scratch.objects("repository")
        blob = try objects.write(.blob, Array("payload".utf8))
    }

    /// A tree of these entries in this order, whatever they are.
    private func tree(_ entries: [(String, ByteString, ObjectID)]) throws -> ObjectID {
        var content: [UInt8] = []
        for (mode, name, oid) in entries {
            content += Array("\(mode) ".utf8) + name.bytes + [0] + oid.rawBytes
        }
        return try objects.write(.tree, content)
    }

    private func refusal(of tree: ObjectID) -> WorktreeError? {
        let checkout = Checkout(
            objects: objects, workTree: scratch.path / "top/work",
            gitDirectory: scratch.path / "repository/.git", settings: WorktreeSettings())
        do throws(WorktreeError) {
            _ = try checkout.run(tree: tree)
            return nil
        } catch {
            return error
        }
    }

    /// Nothing was written, neither in the work tree nor beside it.
    private func expectNothingWritten() throws {
        let manager = FileManager.default
        #expect(
            try manager.subpathsOfDirectory(atPath: scratch.url.path + "/top").sorted() == [
                "outside", "work",
            ])
    }

    @Test(
        arguments: [
            ".", "..", "../outside/x", "/tmp/x", "a/b", ".git", ".GIT", ".gIt", "git~1", ".git.",
            ".git ",
            ".git::$INDEX_ALLOCATION", ".g\u{200c}it", "a\\..\\b", "x\\.git\\hooks",
        ] as [ByteString])
    func namesThatLeadElsewhereAreRefused(name: ByteString) throws {
        let directory = try tree([("100644", "config", blob)])
        for (mode, oid) in [("100644", blob), ("40000", directory), ("120000", blob)] {
            let error = refusal(of: try tree([(mode, name, oid)]))
            #expect(error?.code == .unsafePath)
            let nested = refusal(of: try tree([("40000", "sub", tree([(mode, name, oid)]))]))
            #expect(nested?.code == .unsafePath)
        }
        try expectNothingWritten()
    }

    @Test func anEmptyNameIsRefused() throws {
        #expect(refusal(of: try tree([("100644", "", blob)])) != nil)
        try expectNothingWritten()
    }

    @Test func gitmodulesAsALinkIsRefused() throws {
        for name: ByteString in [".gitmodules", ".GitModules", "gitmod~1", "gi7eba~1"] {
            #expect(refusal(of: try tree([("120000", name, blob)]))?.code == .unsafePath)
        }
        try expectNothingWritten()
    }

    @Test func aLinkAndADirectoryOfOneNameAreRefused() throws {
        let target = try objects.write(.blob, Array("../outside".utf8))
        let directory = try tree([("100644", "x", blob)])
        for entries in [
            [("120000", "a", target), ("40000", "a", directory)],
            [("40000", "a", directory), ("120000", "a", target)],
            [("120000", "a", target), ("100644", "a-", blob), ("40000", "a", directory)],
            [("120000", "a", target), ("120000", "a", target)],
            [("40000", "a", directory), ("40000", "a", directory)],
        ] as [[(String, ByteString, ObjectID)]] {
            #expect(refusal(of: try tree(entries))?.code == .unsafePath)
        }
        try expectNothingWritten()
    }

    @Test func anUnsortedTreeIsRefused() throws {
        let entries: [(String, ByteString, ObjectID)] = [
            ("100644", "b", blob), ("100644", "a", blob),
        ]
        #expect(refusal(of: try tree(entries))?.code == .unsafePath)
        try expectNothingWritten()
    }

    @Test func aTreeDeeperThanTheLimitIsRefusedWithoutRecursion() throws {
        var oid = try tree([("100644", "x", blob)])
        for _ in 0 ... WorktreeLimits.depth { oid = try tree([("40000", "d", oid)]) }
        #expect(refusal(of: oid)?.code == .unsafePath)
        try expectNothingWritten()
    }

    @Test func aTreeBelowTheDepthLimitIsWritten() throws {
        // More levels than the descriptors that are held open.
        var oid = try tree([("100644", "x", blob), ("100644", "y", blob)])
        for level in 0 ..< 300 {
            oid = try tree([("40000", "d", oid), ("100644", ByteString("f\(level)"), blob)])
        }
        #expect(refusal(of: oid) == nil)
        let path = "top/work/" + String(repeating: "d/", count: 300)
        #expect(try scratch.read(path + "y") == Array("payload".utf8))
        #expect(try scratch.read("top/work/f299") == Array("payload".utf8))
        #expect(
            try scratch.read("top/work/" + String(repeating: "d/", count: 200) + "f99").count == 7)
    }

    @Test func aGitBombEndsInAnError() throws {
        var entries: [(String, ByteString, ObjectID)] = (0 ..< 300).map {
            ("100644", ByteString("f" + pad($0)), blob)
        }
        for _ in 0 ..< 4 {
            let oid = try tree(entries)
            entries = (0 ..< 300).map { ("40000", ByteString("d" + pad($0)), oid) }
        }
        let error = refusal(of: try tree(entries))
        #expect(error?.code == .limit)
        try expectNothingWritten()
    }

    private func pad(_ number: Int) -> String { String(String(number + 1_000).dropFirst()) }

    @Test func aLinkTargetHasALimit() throws {
        let long = try objects.write(.blob, [UInt8](repeating: 0x61, count: 5_000))
        #expect(refusal(of: try tree([("120000", "l", long)]))?.code == .limit)
        let empty = try objects.write(.blob, [])
        #expect(refusal(of: try tree([("120000", "l", empty)]))?.code == .unsafePath)
        try expectNothingWritten()
    }

    @Test func controlCharactersInAMessageAreMasked() throws {
        let error = refusal(
            of: try tree([("40000", "a\u{1b}]0;x\u{7}", tree([("100644", "..", blob)]))]))
        #expect(error?.message == "invalid path 'a\\x1b]0;x\\x07/..': it has a component '..'")
    }

    @Test func nothingIsWrittenThroughALinkThatWasThereBefore() throws {
        try FileManager.default.createSymbolicLink(
            atPath: scratch.url.path + "/top/work/dir", withDestinationPath: "../outside")
        let directory = try tree([("100644", "x", blob)])
        let error = refusal(of: try tree([("40000", "dir", directory)]))
        #expect(error?.code == .conflict)
        #expect(!scratch.exists("top/outside/x"))
        let nested = refusal(of: try tree([("40000", "dir", tree([("40000", "sub", directory)]))]))
        #expect(nested?.code == .conflict)
        #expect(!scratch.exists("top/outside/sub"))
        // Nor is a submodule's directory made there.
        let gitlink = try tree([("160000", "s", blob)])
        #expect(refusal(of: try tree([("40000", "dir", gitlink)]))?.code == .conflict)
        #expect(!scratch.exists("top/outside/s"))
        #expect(refusal(of: try tree([("160000", "dir", blob)]))?.code == .conflict)
    }

    @Test func whatGitMadeLiterallyIsRefusedToo() throws {
        let name = Array("100644 .git\0".utf8) + blob.rawBytes
        let oid = try scratch.git(
            "hash-object", "-t", "tree", "-w", "--stdin", "--literally", at: "repository",
            input: name)
        #expect(refusal(of: try #require(ObjectID(hex: oid)))?.code == .unsafePath)
    }
}
