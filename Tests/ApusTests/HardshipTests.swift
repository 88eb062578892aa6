import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A machine that gives little, or whose other users are no friends.
@Suite(.timeLimit(.minutes(10)), .enabled(if: !Apus.isGit)) struct HardshipTests {
    /// Arguments that other programs would take for options or for commands to run.
    @Test(
        arguments: [
            ["--", "--upload-pack=touch owned", "copy"], ["--", "-utouch owned", "copy"],
            ["ext::sh -c touch% owned", "copy"], ["ssh://-oProxyCommand=touch%20owned/x", "copy"],
            ["-oProxyCommand=touch:owned", "copy"], ["--upload-pack=touch owned", "x", "copy"],
            ["file:///etc", "copy"], ["git://127.0.0.1:1/%0ahost=x", "copy"],
            ["http://127.0.0.1:1\\@other/a", "copy"], ["http://127.0.0.1:1/a%00b", "copy"],
            ["-c", "core.fsmonitor=touch owned", "http://127.0.0.1:1/a", "copy"],
        ])
    func runsNothingThatItsArgumentsName(arguments: [String]) throws {
        let scratch = try TemporaryDirectory()
        let result = try Apus.run(["clone"] + arguments, in: scratch.path)
        #expect([.code(128), .code(129)].contains(result.exit), "\(result.err)")
        expectNoControlCharacters(result)
        #expect(try TreeListing(of: scratch.path).entries.isEmpty)
    }

    /// Links that lie where the clone is to go: none is followed to where something is.
    @Test(arguments: ["to-nothing", "to-a-full-folder", "to-a-file", "to-itself"])
    func doesNotWriteThroughALinkInItsPlace(kind: String) throws {
        let scratch = try TemporaryDirectory()
        try scratch.write("full/file", "A file\n".utf8)
        let target =
            ["to-a-full-folder": "full", "to-a-file": "full/file", "to-itself": "copy"][kind]
            ?? "nothing"
        try run("/bin/ln", ["-s", target, "copy"], directory: scratch.path).required()
        let before = try TreeListing(of: scratch.path)
        let result = try Apus.run(
            ["clone", try Fixture.named("tiny").url(), "copy"], in: scratch.path)
        expectFailure(result)
        #expect(try TreeListing(of: scratch.path).differences(from: before) == [])
    }

    /// A folder above cannot be made: those that could be are gone again.
    @Test func unmakesTheFoldersAboveOneThatCannotBeMade() throws {
        let scratch = try TemporaryDirectory()
        let result = try Apus.run(
            [
                "clone", try Fixture.named("tiny").url(),
                "a/b/\(String(repeating: "x", count: 300))/copy",
            ], in: scratch.path)
        expectFailure(result)
        #expect(try TreeListing(of: scratch.path).entries.isEmpty)
    }

    /// While the clone is under way its folder is replaced by a link to another: that one is not
    /// emptied when the clone fails.
    @Test func emptiesOnlyTheFolderThatItMade() throws {
        let scratch = try TemporaryDirectory()
        try scratch.write("victim/precious", "Precious\n".utf8)
        let url = try Fixture.named("heavy").url("slow")
        let clone = try ChildProcess(Apus.path, ["clone", url, "copy"], directory: scratch.path)
        // From when the pack comes until it is here, nothing else is written below the folder.
        let search = ["copy/.git/objects", "-name", "tmp_pack_*"]
        func hasBegun() throws -> Bool {
            try !run("/usr/bin/find", search, directory: scratch.path).stdout.isEmpty
        }
        for _ in 0 ..< 1000 where try !hasBegun() { usleep(20_000) }
        try #require(try hasBegun())
        #expect(rename(scratch("copy"), scratch("away")) == 0)
        #expect(symlink("victim", scratch("copy")) == 0)
        clone.send(SIGTERM)
        #expect(try clone.wait(timeout: .seconds(20)).exit == .signal(SIGTERM))
        #expect(readFile(scratch("victim/precious")) == Array("Precious\n".utf8))
    }

    /// With a umask of 077 nothing of the repository is anyone else's to read, to write or to run;
    /// with one of 022 nothing is anyone else's to write.
    @Test(arguments: ["077", "022"])
    func leavesToOthersWhatTheUmaskLeaves(umask: String) throws {
        let scratch = try TemporaryDirectory()
        try shell("umask \(umask); exec", "modes", scratch).required()
        let mask = try #require(mode_t(umask, radix: 8))
        for (path, mode) in try modes(below: scratch("copy")) where mode & S_IFMT != S_IFLNK {
            #expect(mode & mask & 0o777 == 0, "\(path): \(String(mode, radix: 8))")
            #expect(mode & 0o7000 == 0, "\(path): \(String(mode, radix: 8))")
        }
    }

    /// Few file descriptors: it works, or it says so.
    @Test(arguments: [24, 32, 64])
    func managesWithFewDescriptors(count: Int) throws {
        let scratch = try TemporaryDirectory()
        let result = try shell("ulimit -n \(count); exec", "history", scratch)
        guard !result.succeeded else {
            return #expect(try Git.run(["fsck"], in: scratch("copy")).stdout == [])
        }
        expectFailure(result)
        #expect(!exists(scratch("copy")))
    }

    /// One branch is cloned with tags that come along, many times more than files may be open.
    @Test func writesMoreRefsThanFilesMayBeOpen() throws {
        let scratch = try TemporaryDirectory()
        let fixture = try Fixture.named("many-refs")
        try run(
            "/bin/sh",
            [
                "-c", "ulimit -n 64; exec \"$0\" clone --single-branch \"$1\" copy", Apus.path,
                fixture.url(),
            ], directory: scratch.path
        ).required()
        let tags = ["for-each-ref", "refs/tags"]
        let ours = try Git.run(tags, in: scratch("copy")).stdout
        #expect(ours == (try Git.run(tags, in: fixture.path)).stdout)
        #expect(ours.count(where: { $0 == 0x0a }) == 2_500)
    }

    /// File systems from too small for the pack to too small for the files: each is left empty.
    @Test(.enabled(if: canMount), arguments: [64, 256, 1024, 3072])
    func leavesAFullDiskEmpty(kibibytes: Int) throws {
        let scratch = try TemporaryDirectory()
        try mount(scratch.path, "size=\(kibibytes)k")
        defer { unmount(scratch.path) }
        let result = try shell("exec", "heavy", scratch)
        expectFailure(result)
        #expect(try TreeListing(of: scratch.path, ignoring: []).entries.isEmpty)
    }

    /// As root no permission keeps anyone from writing, but this does.
    @Test(.enabled(if: canMount)) func saysThatTheDiskIsReadOnly() throws {
        let scratch = try TemporaryDirectory()
        try mount(scratch.path, "ro")
        defer { unmount(scratch.path) }
        let result = try shell("exec", "tiny", scratch)
        expectFailure(result)
        #expect(result.err.contains("Read-only"), "\(result.err)")
    }

    private func shell(
        _ before: String, _ fixture: String, _ scratch: TemporaryDirectory
    ) throws -> RunResult {
        try run(
            "/bin/sh",
            ["-c", "\(before) \"$0\" clone \"$1\" copy", Apus.path, Fixture.named(fixture).url()],
            directory: scratch.path)
    }

    private func modes(below folder: String) throws -> [(String, mode_t)] {
        let listing = try run("/usr/bin/find", [folder, "-printf", "%m %y %p\\n"]).required()
        return listing.out.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count == 3, let bits = mode_t(words[0], radix: 8) else { return nil }
            return (String(words[2]), bits | (words[1] == "l" ? S_IFLNK : 0))
        }
    }
}

/// Whether this process may mount file systems: root outside of most containers.
private let canMount: Bool = {
    guard let scratch = try? TemporaryDirectory(), (try? mount(scratch.path, "size=64k")) != nil
    else { return false }
    unmount(scratch.path)
    return true
}()

private func mount(_ path: String, _ options: String) throws {
    try run("mount", ["-t", "tmpfs", "-o", options, "none", path]).required()
}

private func unmount(_ path: String) {
    _ = try? run("umount", [path])
}
