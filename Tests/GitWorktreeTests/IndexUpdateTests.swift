import Foundation
import GitCore
import GitStore
import Testing

@testable import GitWorktree

@Suite struct IndexUpdateTests {
    private let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.git("init", "-q")
        for name in ["a", "b.sh", "d/x", "d/y", "d/e/z", "d.f/w", "d-g"] {
            try scratch.write(name, "content of \(name)\n")
        }
    }

    private func update(_ settings: WorktreeSettings = WorktreeSettings()) throws -> IndexUpdate {
        try IndexUpdate(
            indexPath: scratch.path / ".git/index", objects: try scratch.objects(),
            workTree: scratch.path, gitDirectory: scratch.path / ".git", settings: settings)
    }

    private let all: [ByteString] = ["d/e/z", "a", "b.sh", "d/x", "d/y", "d.f/w", "d-g"]

    @Test func addedFilesMakeTheTreeThatGitMakes() throws {
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: scratch.url.path + "/b.sh")
        try FileManager.default.createSymbolicLink(
            atPath: scratch.url.path + "/link", withDestinationPath: "nowhere")
        var update = try update()
        for path in all + ["link"] { try update.update(path, .add) }
        let tree = try update.writeTree()
        let prefixed = try update.writeTree(prefix: "d/e/")
        try update.commit()
        #expect(try scratch.git("status", "--porcelain").contains("??") == false)
        #expect(try scratch.git("diff-files", "--name-only") == "")
        #expect(try scratch.git("write-tree") == tree.hex)
        #expect(try scratch.git("write-tree", "--prefix=d/e/") == prefixed.hex)
        let listed = try scratch.git("ls-files", "--stage")
        try scratch.git("rm", "-r", "-q", "--cached", ".")
        try scratch.git("add", ".")
        #expect(try scratch.git("ls-files", "--stage") == listed)
        try scratch.git("fsck", "--strict")
    }

    @Test func theCachedTreesAreThoseThatGitWrites() throws {
        var update = try update()
        for path in all { try update.update(path, .add) }
        _ = try update.writeTree()
        try update.commit()
        let ours = try scratch.read(".git/index")
        // Git changes nothing where it finds its own cached trees complete.
        try scratch.git("write-tree")
        #expect(try scratch.read(".git/index") == ours)
        let index = try Index(parsing: ours.span, format: .sha1)
        #expect(
            index.cacheTree.tree(of: "d")?.hex == (try scratch.git("write-tree", "--prefix=d/")))
    }

    @Test func aChangeForgetsOnlyTheTreesItIsIn() throws {
        try scratch.git("add", ".")
        try scratch.git("write-tree")
        try scratch.write("d/e/z", "new")
        var update = try update()
        try update.update("d/e/z", [])
        let changed = update.index.cacheTree
        #expect(changed.tree(of: "") == nil)
        #expect(changed.tree(of: "d") == nil)
        #expect(changed.tree(of: "d/e") == nil)
        #expect(changed.tree(of: "d.f") != nil)
        let tree = try update.writeTree()
        try update.commit()
        try scratch.git("read-tree", "--empty")
        try scratch.git("add", ".")
        #expect(try scratch.git("write-tree") == tree.hex)
    }

    @Test func newAndMissingFilesNeedTheirOption() throws {
        var update = try update()
        let unadded = #expect(throws: WorktreeError.self) { try update.update("a", []) }
        #expect(unadded?.message == "a: cannot add to the index - missing --add option?")
        try update.update("a", .add)
        try update.update("a", [])
        try FileManager.default.removeItem(atPath: scratch.url.path + "/a")
        let missing = #expect(throws: WorktreeError.self) { try update.update("a", .add) }
        #expect(missing?.message == "a: does not exist and --remove not passed")
        try update.update("a", .remove)
        #expect(update.index.entries.isEmpty)
        let directory = #expect(throws: WorktreeError.self) { try update.update("d", .add) }
        #expect(directory?.message == "d: is a directory - add files inside instead")
    }

    @Test func aFileAndADirectoryOfOneNameNeedReplace() throws {
        let blob = try scratch.objects().write(.blob, [0x78])
        var update = try update()
        try update.insert(mode: .regular, oid: blob, path: "d", .add)
        #expect(throws: WorktreeError.self) { try update.update("d/x", .add) }
        try update.update("d/x", [.add, .replace])
        #expect(update.index.entries.map(\.path) == ["d/x"])
        try update.insert(mode: .regular, oid: blob, path: "d", [.add, .replace])
        #expect(update.index.entries.map(\.path) == ["d"])
    }

    @Test(arguments: ["../x", ".git/config", "/a", "d//x", "a/", "", "d/.GIT/x"] as [ByteString])
    func unsafePathsAreNotAdded(path: ByteString) throws {
        var update = try update()
        let oid = try scratch.objects().write(.blob, [])
        #expect(throws: WorktreeError.self) { try update.update(path, .add) }
        #expect(throws: WorktreeError.self) {
            try update.insert(mode: .regular, oid: oid, path: path, .add)
        }
        #expect(update.index.entries.isEmpty)
    }

    @Test func nothingIsAddedThroughALink() throws {
        try FileManager.default.createSymbolicLink(
            atPath: scratch.url.path + "/l", withDestinationPath: "d")
        var update = try update()
        let error = #expect(throws: WorktreeError.self) { try update.update("l/x", .add) }
        #expect(error?.code == .conflict)
        // The update goes on after a failure.
        try update.update("d/x", .add)
        #expect(update.index.entries.count == 1)
    }

    @Test func withoutCommitNothingChanges() throws {
        do {
            var update = try update()
            try update.update("a", .add)
            #expect(throws: WorktreeError.self) { _ = try self.update() }
        }
        #expect(!scratch.exists(".git/index"))
        #expect(!scratch.exists(".git/index.lock"))
    }

    @Test func aMissingObjectIsRefusedUnlessAllowed() throws {
        var update = try update()
        let missing = try #require(ObjectID(hex: String(repeating: "3", count: 40)))
        try update.insert(mode: .regular, oid: missing, path: "d/gone", .add)
        let error = #expect(throws: WorktreeError.self) { try update.writeTree() }
        #expect(error?.message == "invalid object 100644 \(missing) for 'd/gone'")
        let tree = try update.writeTree(allowMissing: true)
        try update.commit()
        #expect(try scratch.git("write-tree", "--missing-ok") == tree.hex)
    }

    @Test func anUnfinishedMergeMakesNoTree() throws {
        let blob = try scratch.objects().write(.blob, [0x78])
        let lines = (1 ... 3).map { "100644 \(blob) \($0)\tconflict\n" }.joined()
        try scratch.git("update-index", "--index-info", input: Array(lines.utf8))
        var update = try update()
        #expect(throws: WorktreeError.self) { try update.writeTree() }
        try scratch.write("conflict", "resolved")
        try update.update("conflict", [])
        #expect(update.index.entries.map(\.stage) == [0])
        _ = try update.writeTree()
    }

    @Test func intendedFilesAreInNoTree() throws {
        try scratch.git("add", "a")
        try scratch.git("add", "-N", "d/e/z")
        var update = try update()
        let tree = try update.writeTree()
        try update.commit()
        #expect(try scratch.git("write-tree") == tree.hex)
        #expect(try scratch.git("ls-tree", "--name-only", tree.hex) == "a")
    }

    @Test func anEmptyIndexMakesTheEmptyTree() throws {
        var update = try update()
        #expect(try update.writeTree().hex == "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    }

    /// Files written in the same second as the index could change without a trace in their stat data;
    /// rewriting the index must not make git trust them.
    @Test func racilyCleanEntriesStayUntrusted() throws {
        try scratch.git("add", ".")
        let file = scratch.url.appendingPathComponent("a")
        let before = try FileManager.default.attributesOfItem(atPath: file.path)
        let date = try #require(before[.modificationDate])
        // The index as old as the file; then the file changed, its stat data but ctime kept.
        try FileManager.default.setAttributes(
            [.modificationDate: date], ofItemAtPath: scratch.url.path + "/.git/index")
        let handle = try FileHandle(forWritingTo: file)
        try handle.write(contentsOf: Data("C".utf8))
        try handle.close()
        try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: file.path)
        Thread.sleep(forTimeInterval: 1.1)
        try scratch.write("new", "x")
        var update = try update()
        try update.update("new", .add)
        try update.commit()
        let trusting = ["-c", "core.trustctime=false", "-c", "core.checkStat=minimal"]
        let status = try scratch.gitBytes(trusting + ["status", "--porcelain", "a", "d"])
        #expect(String(decoding: status, as: UTF8.self) == "AM a\nA  d/e/z\nA  d/x\nA  d/y\n")
    }

    @Test func modesThatTheFileSystemCannotSayStay() throws {
        var settings = WorktreeSettings()
        settings.hasFileMode = false
        try scratch.git("add", "a", "b.sh")
        try scratch.git("update-index", "--chmod=+x", "a")
        var update = try update(settings)
        try update.update("a", [])
        try update.update("b.sh", [])
        #expect(update.index["a"]?.mode == .executable)
        #expect(update.index["b.sh"]?.mode == .regular)
    }
}
