import TestSupport
import Testing

/// `cat-file` of very many objects: on all processors, in any order, and where the store is damaged.
@Suite(.timeLimit(.minutes(10))) struct BatchCommandTests {
    /// One record of `cat-file --batch`.
    private struct Record: Hashable {
        let line: [UInt8]
        let content: ArraySlice<UInt8>
    }

    /// Takes the output of `cat-file --batch` apart: a record begins with a line that ends in a size.
    private func records(_ output: [UInt8]) throws -> [Record] {
        var records: [Record] = []
        var rest = output[...]
        while !rest.isEmpty {
            let line = Array(rest.prefix { $0 != 0x0a })
            let size = try #require(
                Int(String(decoding: line, as: UTF8.self).split(separator: " ").last ?? ""))
            rest = rest.dropFirst(line.count + 1)
            records.append(Record(line: line, content: rest.prefix(size)))
            try #require(rest.count > size && rest[rest.startIndex + size] == 0x0a)
            rest = rest.dropFirst(size + 1)
        }
        return records
    }

    private func compareUnordered(
        _ path: String, environment: [String: String] = [:],
        location: SourceLocation = #_sourceLocation
    ) throws {
        let all = ["cat-file", "--batch-all-objects", "--unordered"]
        let git = try records(Git.run(all + ["--batch"], in: path).stdout)
        let apus = try Apus.run(all + ["--batch"], in: path).required()
        let ours = try records(apus.stdout)
        #expect(ours.count == git.count, sourceLocation: location)
        let isSame = Set(ours) == Set(git)
        #expect(isSame, "the objects differ", sourceLocation: location)
        for format in ["", "=%(objectname)", "=%(objectsize)|%(objecttype)"] {
            let arguments = all + ["--batch-check\(format)"]
            let lines = try Git.run(arguments, in: path).out.split(separator: "\n")
            let own = try Apus.run(arguments, in: path).required().out.split(separator: "\n")
            #expect(own.sorted() == lines.sorted(), "\(arguments)", sourceLocation: location)
        }
    }

    private static let fixtures =
        ["tiny", "history", "nested-tags", "alternates", "many-packs", "sha256", "empty"]
        + (ServePair.isThorough ? ["big-blob"] : [])

    @Test(arguments: fixtures)
    func everyObjectInAnyOrder(fixture: String) throws {
        try compareUnordered(Fixture.named(fixture).path)
    }

    /// Contents under, at and over what is copied into a block and what makes one.
    @Test func recordsOfAllSizesStayWhole() throws {
        let folder = try TemporaryDirectory()
        try Git.run(["init", "-q", "--bare", "r"], in: folder.path)
        let path = folder("r")
        for size in [0, 1, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 200_000, 1_000_000] {
            for byte in [0x0a, 0x20, 0x41] as [UInt8] {
                let content = [UInt8](repeating: byte, count: size) + [byte &+ 1]
                try Git.run(["hash-object", "-w", "--stdin"], in: path, input: content)
            }
        }
        try compareUnordered(path)
        let names = try Git.run(
            ["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"], in: path
        ).stdout
        for options in [["--batch"], ["--batch", "--buffer"]] {
            let git = try Git.run(["cat-file"] + options, in: path, input: names)
            let apus = try Apus.run(["cat-file"] + options, in: path, input: names)
            let isSame = apus.stdout == git.stdout
            #expect(isSame, "\(options)")
        }
        try Git.run(["pack-objects", "-q", "objects/pack/pack"], in: path, input: names)
        try Git.run(["prune-packed", "-q"], in: path)
        try Git.run(["multi-pack-index", "write"], in: path)
        try compareUnordered(path)
    }

    @Test func oneAnswerFollowsEachLineUnlessBuffered() throws {
        // Who asks waits for the answer before the next question.
        let path = try Fixture.named("history").path
        let script = #"""
            mkfifo "$1/in" "$1/out"
            "$0" cat-file --batch-check <"$1/in" >"$1/out" &
            exec 3>"$1/in" 4<"$1/out"
            for name in main main~1 none v1.0; do echo $name >&3; read -r line <&4; echo "$line"; done
            exec 3>&-
            wait
            """#
        let (ours, gits) = (try TemporaryDirectory(), try TemporaryDirectory())
        let apus = try run("/bin/bash", ["-c", script, Apus.path, ours.path], directory: path)
        let git = try run("/bin/bash", ["-c", script, "git", gits.path], directory: path)
        #expect(apus.out == git.out)
        #expect(apus.out.split(separator: "\n").count == 4)
    }

    // MARK: Damage

    /// A repository of three packs with objects of their own, of which one is damaged by `body`; and
    /// the ids of all that there was, a line each.
    private func damaged(_ ending: String, _ body: (String) throws -> Void) throws -> (
        folder: TemporaryDirectory, path: String, names: [UInt8]
    ) {
        let folder = try TemporaryDirectory()
        let path = folder("r")
        try Git.run(["init", "-q", "--bare", "r"], in: folder.path)
        var all: [UInt8] = []
        for number in 1 ... 3 {
            let blobs = (0 ..< 20).map { Array("content \(number) \($0)\n".utf8) }
            var names: [UInt8] = []
            for blob in blobs {
                names += try Git.run(
                    ["hash-object", "-w", "--stdin"], in: path, input: blob
                ).stdout
            }
            try Git.run(["pack-objects", "-q", "objects/pack/pack"], in: path, input: names)
            try Git.run(["prune-packed", "-q"], in: path)
            all += names
        }
        let names = try TreeListing(of: folder("r/objects/pack")).entries.keys
        let name = try #require(names.filter { $0.hasSuffix(ending) }.min())
        try run("/bin/chmod", ["u+w", folder("r/objects/pack/\(name)")]).required()
        try body(folder("r/objects/pack/\(name)"))
        return (folder, path, all)
    }

    @Test(arguments: [".idx", ".pack"])
    func aPackThatIsNoUseIsToldOfAndPassedOver(ending: String) throws {
        let (folder, path, names) = try damaged(ending) { name in
            try run("/usr/bin/truncate", ["-s", "100", name]).required()
        }
        defer { withExtendedLifetime(folder) {} }
        for options in [["--batch"], ["--unordered", "--batch"]] {
            let arguments = ["cat-file", "--batch-all-objects"] + options
            let apus = try Apus.run(arguments, in: path)
            let git = try Git.attempt(arguments, in: path)
            #expect(apus.err.contains("error: pack"))
            if ending == ".idx" {
                #expect(apus.exit == .code(0))
                #expect(try Set(records(apus.stdout)) == Set(records(git.stdout)))
            }
        }
        try expectSameAnswers(path, names, hasMissing: true)
    }

    /// The answers to every id that there was; says nothing of their errors.
    private func expectSameAnswers(
        _ path: String, _ input: [UInt8], hasMissing: Bool
    ) throws {
        let apus = try Apus.run(["cat-file", "--batch-check"], in: path, input: input)
        let git = try Git.attempt(["cat-file", "--batch-check"], in: path, input: input)
        #expect(apus.out == git.out)
        #expect(apus.exit == git.exit)
        #expect(apus.out.contains(" missing\n") == hasMissing)
    }

    @Test func aWrongMultiPackIndexIsToldOfAndPassedOver() throws {
        let (folder, path, names) = try damaged(".idx") { _ in }
        defer { withExtendedLifetime(folder) {} }
        try Git.run(["multi-pack-index", "write"], in: path)
        try expectSameAnswers(path, names, hasMissing: false)
        let name = "\(path)/objects/pack/multi-pack-index"
        try run("/bin/chmod", ["u+w", name]).required()
        try run("/usr/bin/truncate", ["-s", "2000", name]).required()
        let whole = try Git.run(
            ["-c", "core.multiPackIndex=false", "cat-file", "--batch-all-objects", "--batch"],
            in: path)
        let apus = try Apus.run(["cat-file", "--batch-all-objects", "--batch"], in: path)
        #expect(apus.stdout == whole.stdout)
        #expect(apus.exit == .code(0))
        #expect(apus.errorLines.count == 1)
        #expect(apus.err.hasPrefix("error: multi-pack-index"))
        let off = try Apus.run(
            ["-c", "core.multiPackIndex=false", "cat-file", "--batch-all-objects", "--batch"],
            in: path)
        #expect(off.stdout == whole.stdout)
        #expect(off.stderr.isEmpty)
    }

    // MARK: Where it prints to

    @Test func aFullDiskEndsAllThreads() throws {
        let path = try Fixture.named("many-packs").path
        let script = #""$0" cat-file --batch-all-objects --unordered --batch >/dev/full"#
        let result = try run("/bin/sh", ["-c", script, Apus.path], directory: path)
        #expect(result.exit == .code(128))
        #expect(result.err.contains("No space left on device"))
        #expect(result.errorLines.count == 1)
    }

    @Test func aReaderThatGoesAwayEndsAllThreads() throws {
        let path = try Fixture.named("heavy").path
        let script =
            #"{ "$0" cat-file --batch-all-objects --unordered --batch; echo $? >&2; } | head -c 9"#
        let result = try run("/bin/sh", ["-c", script, Apus.path], directory: path)
        #expect(result.err == "141\n")
    }
}
