import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Commands that hash many objects at a time, beside git.
@Suite(.timeLimit(.minutes(10))) struct ManyObjectsTests {
    private static let makeFiles = """
        set -e
        perl -e 'open R, "/dev/urandom"; for $n (1 .. 600) {
            open F, ">u$n"; read R, $bytes, $n * $n % 9000; print F $bytes;
            open F, ">t$n"; print F "$_\\n" for 1 .. $n }'
        : >empty; head -c 3000000 /dev/urandom >large; printf 'a\\r\\nb\\r\\n' >crlf
        """

    // MARK: fsck

    /// Damage of several kinds among hundreds of sound objects.
    @Test(arguments: [false, true]) func fsckFindsTheSameDamagedObjects(hasLinks: Bool) throws {
        let folder = try TemporaryDirectory()
        let script = #"""
            set -e
            # The same objects each time: which are damaged goes by the order of their ids.
            export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
            git init -q -b main . && git config user.name A && git config user.email a@b
            mkdir d && cd d && \#(Self.makeFiles)
            cd .. && git add . && if [ $1 = true ]; then git commit -q -m x; fi
            paths=$(find .git/objects/?? -type f | sort)
            file() { echo "$paths" | sed -n "$1p"; }
            chmod -R u+w .git/objects
            : >$(file 3)
            head -c 20 $(file 50) >t && cat t >$(file 50)
            echo nonsense >$(file 120)
            printf 'x' >>$(file 333)
            cat $(file 401) >t && cat t >$(file 400)
            printf 'blob 7\0hello' | perl -MCompress::Zlib -0777 -ne 'print compress($_)' >t
            cat t >$(file 555)
            printf 'blob 5\0hello' | perl -MCompress::Zlib -0777 -ne 'print compress($_)' >t
            cat t >$(file 777)
            big=.git/objects/$(git hash-object d/large | sed 's,^..,&/,')
            head -c 2999000 $big >t && cat t >$big && rm t
            """#
        try run("/bin/bash", ["-c", script, "x", "\(hasLinks)"], directory: folder.path).required()
        let apus = try Apus.run(["fsck"], in: folder.path)
        let git = try Git.attempt(["fsck"], in: folder.path)
        #expect(apus.exit == git.exit, "\(apus.err)")
        #expect(objects(git.err).count >= 8)
        #expect(objects(apus.err) == objects(git.err), "\(apus.err)\n\(git.err)")
        // The order is always the same: that of the ids.
        for _ in 0 ..< 5 {
            let again = try Apus.run(["fsck"], in: folder.path)
            #expect(again.stderr == apus.stderr && again.stdout == apus.stdout)
        }
        let told = apus.err.split(separator: "\n").filter { $0.contains("is corrupt") }
        #expect(told == told.sorted())
    }

    /// The objects whose files are said to be wrong.
    private func objects(_ text: String) -> Set<String> {
        Set(text.matches(of: /objects\/([0-9a-f]{2})\/([0-9a-f]{38})/).map { "\($0.1)\($0.2)" })
            .union(text.matches(of: /loose object ([0-9a-f]{40}) is/).map { "\($0.1)" })
    }

    // MARK: hash-object

    private func pair() throws -> CommandPair {
        let pair = try CommandPair()
        let model = try TemporaryDirectory()
        try run("/bin/bash", ["-c", Self.makeFiles], directory: model.path).required()
        try pair.setUp { folder in
            try run("/bin/cp", ["-r", model.path + "/.", folder.path]).required()
            try Git.run(["init", "-q"], in: folder.path)
            try folder.write(".gitattributes", "crlf text\n".utf8)
        }
        return pair
    }

    private var names: [String] {
        (1 ... 200).flatMap { ["u\($0)", "t\($0)"] } + ["empty", "large", "crlf", "empty"]
    }

    @Test func hashObjectAnswersInTheOrderOfThePaths() throws {
        let pair = try pair()
        for order in [names, names.reversed(), names.shuffled()] {
            let input = order.joined(separator: "\n")
            for options in [[], ["--no-filters"]] {
                try pair.compare(["hash-object", "--stdin-paths"] + options, input: input + "\n")
            }
            try pair.compare(["hash-object", "--stdin-paths"], input: input)
            try pair.compare(["hash-object"] + order)
        }
        // Git warns of the line ends that it changes.
        try pair.compare(
            ["hash-object", "--stdin-paths", "-w"], input: names.joined(separator: "\n"),
            standardErrorToo: false)
        try pair.expectSameObjects()
    }

    /// What stands before is answered, and written; what stands behind is not.
    @Test(arguments: ["none", "\"bad", "."]) func hashObjectStopsAtAFault(_ bad: String) throws {
        let pair = try pair()
        var names = names
        names.insert(bad, at: 300)
        let input = names.joined(separator: "\n") + "\n"
        let apus = try pair.compare(["hash-object", "-w", "--stdin-paths"], input: input)
        #expect(apus.exit == .code(128))
        #expect(apus.out.split(separator: "\n").count == 300)
        if bad != "\"bad" { try pair.compare(["hash-object", "-w"] + names) }
        try pair.expectSameObjects()
    }

    @Test func hashObjectStopsAtAMalformedObject() throws {
        let pair = try pair()
        let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        let commit = "tree \(empty)\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nx"
        try pair.setUp { folder in
            try folder.write("good", commit.utf8)
            try folder.write("bad", commit.dropFirst(4).utf8)
        }
        let names = Array(repeating: "good", count: 20) + ["bad", "good"]
        let apus = try pair.compare(["hash-object", "-t", "commit", "-w"] + names)
        #expect(apus.out.split(separator: "\n").count == 20)
        try pair.expectSameObjects()
    }

    /// Somebody writes a path and waits for its id before the next.
    @Test(arguments: ["", "t2"]) func hashObjectAnswersWhoWaits(ahead: String) throws {
        let folder = try TemporaryDirectory()
        try run("/bin/bash", ["-c", Self.makeFiles], directory: folder.path).required()
        var (input, output): ([Int32], [Int32]) = ([0, 0], [0, 0])
        try #require(pipe(&input) == 0 && pipe(&output) == 0)
        for end in input + output { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let child = try ChildProcess(
            Apus.path, ["hash-object", "--stdin-paths"], inputDescriptor: input[0],
            outputDescriptor: output[1], directory: folder.path)
        close(input[0])
        close(output[1])
        // The start of the next line may be there already.
        var (text, name) = ("t1\n" + ahead, "t1")
        for round in 0 ..< 20 {
            #expect(send(text, to: input[1]))
            let expected = try Git.line(["hash-object", name], in: folder.path)
            let answer = receiveLine(from: output[0])
            if answer != expected { close(input[1]) }
            try #require(answer == expected, "round \(round)")
            if !ahead.isEmpty { (text, name) = ("\n" + ahead, ahead) }
        }
        close(input[1])
        try child.wait().required()
        close(output[0])
    }

    private func send(_ text: String, to descriptor: Int32) -> Bool {
        let bytes = Array(text.utf8)
        return write(descriptor, bytes, bytes.count) == bytes.count
    }

    /// The next line; nil where none comes within seconds.
    private func receiveLine(from descriptor: Int32) -> String? {
        var line: [UInt8] = []
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&waiting, 1, 20_000) == 1 {
            var byte: UInt8 = 0
            guard read(descriptor, &byte, 1) == 1 else { return nil }
            if byte == 0x0a { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return nil
    }
}
