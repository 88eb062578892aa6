import Foundation
import GitCore
import GitStore
import Testing

@testable import GitWorktree

@Suite struct GuardedWriterTests {
    private let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        for name in ["work", "outside"] {
            try FileManager.default.createDirectory(
                atPath: scratch.url.path + "/" + name, withIntermediateDirectories: false)
        }
    }

    private func root() throws -> File {
        try File(scratch.path / "work", O_RDONLY | O_DIRECTORY)
    }

    @Test func aDirectoryReplacedByALinkIsNotWrittenThrough() throws {
        let root = try root()
        var writer = GuardedWriter(root: root.descriptor, existing: .refused)
        _ = try writer.createFile("a/b/one", executable: false)
        let manager = FileManager.default
        let work = scratch.url.path + "/work"
        try manager.moveItem(atPath: work + "/a/b", toPath: work + "/moved")
        try manager.createSymbolicLink(atPath: work + "/a/b", withDestinationPath: "../../outside")
        // The open directory is still the one that was made.
        _ = try writer.createFile("a/b/two", executable: false)
        #expect(scratch.exists("work/moved/two"))
        // Left and entered again, it is a link, and refused.
        _ = try writer.createFile("c/three", executable: false)
        let error = #expect(throws: WorktreeError.self) {
            _ = try writer.createFile("a/b/four", executable: false)
        }
        #expect(error?.code == .conflict)
        #expect(try manager.contentsOfDirectory(atPath: scratch.url.path + "/outside").isEmpty)
    }

    @Test func afterAFailureTheWriterStillKnowsWhereItIs() throws {
        let root = try root()
        var writer = GuardedWriter(root: root.descriptor, existing: .refused)
        try scratch.write("work/a/file", "x")
        #expect(throws: WorktreeError.self) {
            _ = try writer.createFile("a/file/below/x", executable: false)
        }
        _ = try writer.createFile("a/below/x", executable: false)
        _ = try writer.createFile("below/x", executable: false)
        #expect(scratch.exists("work/a/below/x"))
        #expect(scratch.exists("work/below/x"))
    }

    @Test func aFileInTheWayIsReplacedNeverOpened() throws {
        let root = try root()
        try scratch.write("outside/target", "old")
        let manager = FileManager.default
        try manager.createSymbolicLink(
            atPath: scratch.url.path + "/work/x", withDestinationPath: "../outside/target")
        var writer = GuardedWriter(root: root.descriptor, existing: .replaced)
        let file = try writer.createFile("x", executable: false)
        try file.write(Array("new".utf8))
        #expect(try scratch.read("outside/target") == Array("old".utf8))
        #expect(try scratch.read("work/x") == Array("new".utf8))
        let refusing = #expect(throws: WorktreeError.self) {
            var writer = GuardedWriter(root: root.descriptor, existing: .refused)
            _ = try writer.createFile("x", executable: false)
        }
        #expect(refusing?.code == .conflict)
        // A directory in the way is no file that could be replaced.
        try manager.createDirectory(
            atPath: scratch.url.path + "/work/directory", withIntermediateDirectories: false)
        #expect(throws: WorktreeError.self) {
            _ = try writer.createFile("directory", executable: false)
        }
    }

    @Test func readingDoesNotFollowLinksEither() throws {
        let root = try root()
        try scratch.write("outside/secret", "secret")
        let manager = FileManager.default
        try manager.createSymbolicLink(
            atPath: scratch.url.path + "/work/dir", withDestinationPath: "../outside")
        var reader = GuardedReader(root: root.descriptor)
        let error = #expect(throws: WorktreeError.self) { _ = try reader.item("dir/secret") }
        #expect(error?.code == .conflict)
        guard case .link(let target, _) = try reader.item("dir") else {
            Issue.record("not read as a link")
            return
        }
        #expect(target == Array("../outside".utf8))
        guard case .missing = try reader.item("nothing/at/all") else {
            Issue.record("found something")
            return
        }
    }
}
