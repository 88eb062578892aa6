import Foundation
import Testing

@testable import GitCore
@testable import GitStore

/// Repositories that git makes by script.
enum PackFixture {
    /// A repository `name` with `commits` commits over a growing tree, a merge, tags of commits, trees
    /// and blobs, a gitlink, a symbolic link, and blobs from nothing to half a mebibyte; all loose.
    static func history(
        _ scratch: PackScratch, _ name: String = "w", commits: Int = 40,
        format: ObjectFormat = .sha1
    ) throws {
        try scratch.git("init", "-q", "-b", "main", "--object-format=\(format.name)", name)
        try scratch.git("config", "gc.auto", "0", in: name)
        try scratch.git("fast-import", "--quiet", in: name, input: stream(commits, format))
        let tagger = ["-c", "core.fsync=none"]
        _ = try scratch.attempt(tagger + ["tag", "-a", "-m", "one", "v1", "main~3"], in: name)
        _ = try scratch.attempt(
            tagger + ["tag", "-a", "-m", "of a tag", "v1-again", "v1"], in: name)
        _ = try scratch.attempt(
            tagger + ["tag", "-a", "-m", "tree", "tree", "main^{tree}"], in: name)
        _ = try scratch.attempt(
            tagger + ["tag", "-a", "-m", "blob", "blob", "main:file0"], in: name)
    }

    private static func stream(_ commits: Int, _ format: ObjectFormat) -> [UInt8] {
        var out: [UInt8] = []
        func say(_ text: String) { out += Array(text.utf8) }
        func data(_ bytes: [UInt8]) {
            say("data \(bytes.count)\n")
            out += bytes + [0x0a]
        }
        var random = PackRandom(state: 7)
        for number in 0 ..< commits {
            say("commit refs/heads/\(number % 5 == 4 ? "side" : "main")\nmark :\(number + 1)\n")
            say("committer C <c@x> \(1_700_000_000 + number) +0100\n")
            data(Array("commit \(number)".utf8))
            if number % 5 == 0, number > 5 { say("merge refs/heads/side\n") }
            say("M 100644 inline file\(number % 7)\n")
            data(text(number, &random))
            say("M 100755 inline dir\(number % 3)/sub/script\n")
            data(Array("#!/bin/sh\necho \(number)\n".utf8))
            if number == 1 {
                say("M 120000 inline link\n")
                data(Array("file0".utf8))
                say("M 160000 \(String(repeating: "5", count: format.hexCount)) module\n")
                say("M 100644 inline empty\n")
                data([])
                say("M 100644 inline big\n")
                data(PackRandom.bytes(1 << 19))
            }
        }
        say("done\n")
        return out
    }

    /// Lines of which most stay the same from one number to the next.
    private static func text(_ number: Int, _ random: inout PackRandom) -> [UInt8] {
        let lines = (0 ..< 200).map { line in
            line % 40 == number % 40 ? "\(random.next())" : "line \(line) of \(number % 7)"
        }
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// All objects of a repository in one pack, as git makes it with these options.
    static func pack(
        _ scratch: PackScratch, _ name: String = "w", _ options: String...
    ) throws -> [UInt8] {
        try scratch.attempt(
            ["pack-objects", "--stdout", "--all", "--revs", "-q"] + options, in: name
        ).output
    }
}
