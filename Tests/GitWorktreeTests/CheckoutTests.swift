import Foundation
import GitCore
import GitStore
import GitWorktree
import Testing

@Suite struct CheckoutTests {
    /// A repository `source` with every kind of file and odd names.
    private func source(_ scratch: Scratch) throws {
        try scratch.git("init", "-q", "source")
        for directory in ["d", "d.e", "d/deep/deeper", "dd"] {
            for number in 0 ..< 30 {
                try scratch.write("source/\(directory)/f\(number)", "\(directory) \(number)\n")
            }
        }
        try scratch.write("source/empty", "")
        try scratch.write("source/run.sh", "#!/bin/sh\n")
        try scratch.write("source/with space\ttab", "x")
        try scratch.write("source/back\\slash", "x")
        try scratch.write("source/.gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = ../s\n")
        try scratch.write("source/big", [UInt8](repeating: 0x61, count: 300_000))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: scratch.url.path + "/source/run.sh")
        try FileManager.default.createSymbolicLink(
            atPath: scratch.url.path + "/source/link", withDestinationPath: "d/f1")
        try FileManager.default.createSymbolicLink(
            atPath: scratch.url.path + "/source/dangling", withDestinationPath: "../../nowhere")
        try scratch.git("add", ".", at: "source")
        let blob = try scratch.git("hash-object", "-w", "--stdin", at: "source", input: [0x79])
        try scratch.git(
            "update-index", "--add", "-z", "--index-info", at: "source",
            input: Array("100644 \(blob)\tlatin-".utf8) + [0xe9, 0]
                + Array(
                    "160000 \(String(repeating: "1", count: 40))\ts/ub\0".utf8))
        try scratch.git("commit", "-q", "-m", "all", at: "source")
    }

    @Test func aCheckoutIsWhatGitsCloneIs() throws {
        let scratch = try Scratch()
        try source(scratch)
        try scratch.git("clone", "-q", "source", "theirs")
        try checkOut(scratch, from: "source", to: "ours")
        #expect(try scratch.git("status", "--porcelain", at: "ours") == "")
        #expect(try listing(scratch, "ours") == listing(scratch, "theirs"))
        let stage = ["ls-files", "--stage", "-z"]
        #expect(
            try scratch.gitBytes(stage, at: "ours") == scratch.gitBytes(stage, at: "theirs"))
    }

    /// Each path with its type, permissions and content or target.
    private func listing(_ scratch: Scratch, _ directory: String) throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.currentDirectoryURL = scratch.url.appendingPathComponent(directory)
        process.arguments = [
            "-c",
            """
            find . -path ./.git -prune -o -printf '%p %y %m %l ' \
            \\( -type f -exec sha1sum {} \\; -o -printf '\\n' \\) | LC_ALL=C sort
            """,
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(lines.count > 100)
        return lines
    }

    @Test func theIndexIsGitsButForTheStatData() throws {
        let scratch = try Scratch()
        try source(scratch)
        try scratch.git("clone", "-q", "source", "theirs")
        try checkOut(scratch, from: "source", to: "ours")
        func withoutStat(_ name: String) throws -> [UInt8] {
            var index = try scratch.read("\(name)/.git/index")
            var position = 12
            let parsed = try Index(parsing: index.span, format: .sha1)
            for entry in parsed.entries {
                for offset in Array(0 ..< 24) + Array(28 ..< 36) { index[position + offset] = 0 }
                position += (62 + entry.path.count + 8) / 8 * 8
            }
            return index.dropLast(20)
        }
        let (ours, theirs) = (try withoutStat("ours"), try withoutStat("theirs"))
        #expect(ours == theirs)
        // TREE, as git wrote it, is in both.
        #expect(String(decoding: ours, as: UTF8.self).contains("TREE"))
    }

    @Test func theStatDataIsThatOfTheFiles() throws {
        let scratch = try Scratch()
        try source(scratch)
        let index = try checkOut(scratch, from: "source", to: "ours")
        for entry in index.entries where entry.mode != .gitlink {
            let path = scratch.path / "ours" / entry.path
            let status = try #require(FileSystem.status(path, followLinks: false))
            #expect(entry.stat == IndexStat(status), "\(entry.path)")
        }
    }

    /// Contents are replaced behind git's back, with size and mtime kept; git that trusts only these two
    /// then sees no change, which it could not if it read the files.
    @Test func gitTrustsTheIndexWithoutReadingFiles() throws {
        let scratch = try Scratch()
        try source(scratch)
        let index = try checkOut(scratch, from: "source", to: "ours")
        Thread.sleep(forTimeInterval: 1.1)
        try index.write(to: scratch.path / "ours/.git/index")
        let file = scratch.url.appendingPathComponent("ours/d/f7")
        let before = try FileManager.default.attributesOfItem(atPath: file.path)
        let handle = try FileHandle(forWritingTo: file)
        try handle.write(contentsOf: Data("D".utf8))
        try handle.close()
        try FileManager.default.setAttributes(
            [.modificationDate: try #require(before[.modificationDate])], ofItemAtPath: file.path)
        let trusting = ["-c", "core.trustctime=false", "-c", "core.checkStat=minimal"]
        let diff = try scratch.gitBytes(trusting + ["diff-files", "--name-only"], at: "ours")
        #expect(diff.isEmpty)
        // And with all of the stat data it does see it.
        #expect(try scratch.git("diff-files", "--name-only", at: "ours") == "d/f7")
    }

    @Test func withoutSymbolicLinksTheirTargetsAreFiles() throws {
        let scratch = try Scratch()
        try source(scratch)
        var settings = WorktreeSettings()
        settings.hasSymbolicLinks = false
        try checkOut(scratch, from: "source", to: "ours", settings: settings)
        #expect(try scratch.read("ours/link") == Array("d/f1".utf8))
        let type =
            try FileManager.default.attributesOfItem(
                atPath: scratch.url.path + "/ours/link")[.type] as? FileAttributeType
        #expect(type == .typeRegular)
        try scratch.git("config", "core.symlinks", "false", at: "ours")
        #expect(try scratch.git("status", "--porcelain", at: "ours") == "")
    }

    @Test func progressEndsWithAllAndCancellingStops() throws {
        let scratch = try Scratch()
        try source(scratch)
        let workTree = scratch.path / "out"
        try FileManager.default.createDirectory(
            atPath: scratch.url.path + "/out", withIntermediateDirectories: false)
        let checkout = Checkout(
            objects: try scratch.objects("source"), workTree: workTree,
            gitDirectory: workTree / ".git", settings: WorktreeSettings())
        let tree = try scratch.oid("HEAD^{tree}", at: "source")
        let error = #expect(throws: WorktreeError.self) {
            try checkout.run(tree: tree, isCancelled: { true })
        }
        #expect(error?.code == .cancelled)
        #expect(!scratch.exists("out/d"))
        var steps: [(Int, Int)] = []
        let index = try checkout.run(tree: tree, progress: { steps.append(($0, $1)) })
        let last = try #require(steps.last)
        #expect(last == (index.entries.count, index.entries.count))
    }

    @Test func aMissingBlobIsNamedWithItsPath() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q", "source")
        let missing = String(repeating: "2", count: 40)
        let tree = try scratch.git(
            "mktree", "--missing", at: "source", input: Array("100644 blob \(missing)\tgone\n".utf8)
        )
        let checkout = Checkout(
            objects: try scratch.objects("source"), workTree: scratch.path,
            gitDirectory: scratch.path / ".git", settings: WorktreeSettings())
        let error = #expect(throws: WorktreeError.self) {
            try checkout.run(tree: try #require(ObjectID(hex: tree)))
        }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("'gone'") == true)
    }

    @Test func aFileWhoseObjectIsNoBlobIsRefused() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q", "source")
        let objects = try scratch.objects("source")
        let empty = try objects.write(.tree, [])
        let tree = try objects.write(
            .tree, encodeTree([TreeEntry(mode: .regular, name: "x", oid: empty)]))
        let checkout = Checkout(
            objects: objects, workTree: scratch.path, gitDirectory: scratch.path / ".git",
            settings: WorktreeSettings())
        let error = #expect(throws: WorktreeError.self) { try checkout.run(tree: tree) }
        #expect(error?.code == .corrupt)
    }

    @Test func aFileInTheWayIsAnErrorAndStays() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q", "source")
        try scratch.write("outside", "outside")
        try FileManager.default.createDirectory(
            atPath: scratch.url.path + "/out", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(
            atPath: scratch.url.path + "/out/file", withDestinationPath: "../outside")
        let objects = try scratch.objects("source")
        let blob = try objects.write(.blob, Array("inside".utf8))
        let tree = try objects.write(
            .tree, encodeTree([TreeEntry(mode: .regular, name: "file", oid: blob)]))
        let checkout = Checkout(
            objects: objects, workTree: scratch.path / "out", gitDirectory: scratch.path / ".git",
            settings: WorktreeSettings())
        let error = #expect(throws: WorktreeError.self) { try checkout.run(tree: tree) }
        #expect(error?.code == .conflict)
        #expect(try scratch.read("outside") == Array("outside".utf8))
    }

    @Test func permissionsAreThoseOfTheUmask() throws {
        let scratch = try Scratch()
        try scratch.git("init", "-q", "source")
        let objects = try scratch.objects("source")
        let blob = try objects.write(.blob, [0x78])
        // Mode 0104777: set-uid, writable by all.
        let content = Array("104777 x\0".utf8) + blob.rawBytes
        let tree = try objects.write(.tree, content)
        let checkout = Checkout(
            objects: objects, workTree: scratch.path, gitDirectory: scratch.path / ".git",
            settings: WorktreeSettings())
        let index = try checkout.run(tree: tree)
        let mode =
            try FileManager.default.attributesOfItem(
                atPath: scratch.url.path + "/x")[.posixPermissions] as? Int
        #expect(mode == Int(FileSystem.underUmask(0o777)))
        #expect(index["x"]?.mode == .executable)
    }
}
