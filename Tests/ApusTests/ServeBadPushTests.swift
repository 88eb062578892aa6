import TestSupport
import Testing

/// Pushes that stock git would not make: packs with faults, names that make no sense.
@Suite(.timeLimit(.minutes(10))) struct ServeBadPushTests {
    private static let zero = String(repeating: "0", count: 40)

    /// A repository on each side that takes pushes, and what to push made by a script in it; the script
    /// prints ids: the new tip, then the objects of the pack.
    private struct Scene {
        let pair: ServePair
        let tip: String
        let pack: [UInt8]
        let before: Set<String>

        init(_ script: String, config: [String] = [], fixture: String = "tiny") throws {
            pair = try ServePushTests.pair(fixture, config: config)
            let copy = pair.client(.apus)("copy")
            let lib = """
                raw_tree() { while read -r mode name id; do printf "$mode $name\\\\0"
                printf "$(printf '%s' "$id" | sed 's/../\\\\x&/g')"; done | git hash-object -w -t tree --literally --stdin; }
                commit() { git commit-tree "$1" -p HEAD -m Bad; }
                raw() { git hash-object -w -t "$1" --literally --stdin; }
                """
            let out = try run("/bin/bash", ["-ec", lib + "\n" + script], directory: copy).required()
                .out
            let ids = out.split(whereSeparator: { $0 == "\n" || $0 == " " }).map(String.init)
            tip = ids.first ?? ""
            let list = Array((ids.joined(separator: "\n") + "\n").utf8)
            pack = try Git.run(["pack-objects", "--stdout", "-q"], in: copy, input: list).stdout
            before = try objectIDs(pair.repository(.apus))
        }

        /// What each server answers, as lines of the report.
        func push(
            _ commands: [(old: String, new: String, name: String)]? = nil,
            pack other: [UInt8]? = nil,
            capabilities: String = "report-status"
        ) throws -> (apus: [String], git: [String]) {
            let commands = commands ?? [(ServeBadPushTests.zero, tip, "refs/heads/bad")]
            var body: [UInt8] = []
            for (number, command) in commands.enumerated() {
                var line = Array("\(command.old) \(command.new) \(command.name)".utf8)
                if number == 0 { line += [0] + Array(" \(capabilities)".utf8) }
                body += RawClient.line(line)
            }
            body += RawClient.flush + (other ?? pack)
            let answers = try ServePair.Side.allCases.map { side in
                let answer = try RawClient(pair, side).post("receive-pack", body, version: 0)
                #expect(answer.status == 200, "\(side): \(answer)")
                return Self.lines(answer.body)
            }
            return (answers[0], answers[1])
        }

        private static func lines(_ body: [UInt8]) -> [String] {
            var lines: [String] = []
            var rest = body[...]
            while let size = Int(String(decoding: rest.prefix(4), as: UTF8.self), radix: 16),
                size >= 4, size <= rest.count
            {
                lines.append(printable(rest.prefix(size).dropFirst(4)).replacing("\\x0a", with: ""))
                rest = rest.dropFirst(size)
            }
            return lines
        }

        /// Nothing came of it.
        func expectNothing(location: SourceLocation = #_sourceLocation) throws {
            if Apus.isGit { return }
            #expect(try objectIDs(pair.repository(.apus)) == before, sourceLocation: location)
            try expectNothingUnfinished(pair.repository(.apus), location: location)
            let refs = try Git.run(["for-each-ref"], in: pair.repository(.apus)).out
            #expect(!refs.contains("bad"), sourceLocation: location)
        }
    }

    private static func isUnpacked(_ report: [String]) -> Bool { report.first == "unpack ok" }

    // MARK: Objects that are not there

    @Test(
        arguments: [
            (
                "a blob",
                "t=$(printf '100644 blob %s\\tx\\n' $(echo absent | git hash-object --stdin) | git mktree --missing); echo $(commit $t) $t"
            ),
            (
                "a tree",
                "b=$(echo b | git hash-object -w --stdin); t=$(printf '100644 blob %s\\tx\\n' $b | git mktree); echo $(commit $t) $b"
            ),
            (
                "a subtree",
                "s=$(printf '100644 blob %s\\tx\\n' $(echo y | git hash-object -w --stdin) | git mktree); t=$(printf '040000 tree %s\\tx\\n' $s | git mktree); echo $(commit $t) $t"
            ),
            (
                "a parent",
                "p=$(git commit-tree HEAD^{tree} -p HEAD -m P); git commit-tree HEAD^{tree} -p $p -m C"
            ),
            (
                "what a tag is of",
                "p=$(git commit-tree HEAD^{tree} -p HEAD -m P); git tag -a -m T t $p; git rev-parse t"
            ),
            (
                "one deep below",
                "p=$(git commit-tree $(printf '100644 blob %s\\tx\\n' $(echo gone | git hash-object --stdin) | git mktree --missing) -p HEAD -m P); c=$(git commit-tree HEAD^{tree} -p $p -m C); echo $c $p $(git rev-parse $p^{tree})"
            ),
        ])
    func somethingIsMissing(_ what: (name: String, script: String)) throws {
        let scene = try Scene(what.script)
        let report = try scene.push()
        #expect(report.apus == report.git, "\(what.name)")
        #expect(report.apus == ["unpack ok", "ng refs/heads/bad missing necessary objects"])
        try scene.expectNothing()
    }

    /// One of two refs lacks something: the other is taken, unless they go together. (Git takes it then,
    /// too.)
    @Test(arguments: ["report-status", "report-status atomic"])
    func oneOfTwoIsMissingSomething(capabilities: String) throws {
        if Apus.isGit { return }
        let scene = try Scene(
            "p=$(git commit-tree HEAD^{tree} -p HEAD -m P); git commit-tree HEAD^{tree} -p $p -m C")
        let head = try RawClient(scene.pair).head()
        let report = try scene.push(
            [(Self.zero, scene.tip, "refs/heads/bad"), (Self.zero, head, "refs/heads/good")],
            capabilities: capabilities)
        let isAtomic = capabilities.contains("atomic")
        let other = isAtomic ? "ng refs/heads/good atomic push failure" : "ok refs/heads/good"
        #expect(
            report.apus == [
                "unpack ok", "ng refs/heads/bad missing necessary objects", other,
            ])
        if isAtomic { try scene.expectNothing() }
    }

    // MARK: Packs that are none

    @Test func aPackThatIsBroken() throws {
        let scene = try Scene(
            "b=$(seq 2000 | git hash-object -w --stdin); t=$(printf '100644 blob %s\\tx\\n' $b | git mktree); echo $(commit $t) $t $b"
        )
        let pack = scene.pack
        var flipped = pack
        flipped[pack.count / 2] ^= 0x10
        var trailer = pack
        trailer[pack.count - 1] ^= 1
        var version = pack
        version[7] = 9
        var count = pack
        count[11] = 0xff
        var huge = pack
        huge[8] = 0x7f
        let broken = [
            flipped, trailer, version, count, huge, Array(pack.dropLast(30)),
            Array(pack.prefix(12)), Array(pack.prefix(3)),
            [], Array("not a pack at all".utf8), pack + [0],
        ]
        for (number, pack) in broken.enumerated() {
            let report = try scene.push(pack: pack)
            #expect(!Self.isUnpacked(report.git) || number == 10, "\(number): \(report.git)")
            #expect(!Self.isUnpacked(report.apus), "\(number)")
            #expect(
                report.apus.last == "ng refs/heads/bad unpacker error", "\(number): \(report.apus)")
            try scene.expectNothing()
        }
        // It goes on.
        let report = try scene.push()
        #expect(report.apus == ["unpack ok", "ok refs/heads/bad"])
    }

    @Test func anEmptyPack() throws {
        let scene = try Scene("git rev-parse HEAD")
        let copy = scene.pair.client(.apus)("copy")
        let empty = try Git.run(["pack-objects", "--stdout", "-q"], in: copy).stdout
        let report = try scene.push(pack: empty)
        #expect(report.apus == report.git)
        #expect(report.apus == ["unpack ok", "ok refs/heads/bad"])
        try scene.pair.expectSameServed()
    }

    // MARK: Objects with faults

    static let faults: [(name: String, script: String)] = [
        (
            ".git in a tree",
            "b=$(echo x | git hash-object -w --stdin); t=$(raw_tree <<<\"100644 .git $b\"); echo $(commit $t) $t $b"
        ),
        (
            ".GIT as a folder",
            "s=$(git rev-parse HEAD^{tree}); t=$(raw_tree <<<\"40000 .GIT $s\"); echo $(commit $t) $t"
        ),
        (
            "dots",
            "b=$(echo x | git hash-object -w --stdin); t=$(raw_tree <<<\"100644 .. $b\"); echo $(commit $t) $t $b"
        ),
        (
            "a slash in a name",
            "b=$(echo x | git hash-object -w --stdin); t=$(raw_tree <<<\"100644 a/b $b\"); echo $(commit $t) $t $b"
        ),
        (
            "a mode with a zero in front",
            "s=$(git rev-parse HEAD^{tree}); t=$(raw_tree <<<\"040000 x $s\"); echo $(commit $t) $t"
        ),
        (
            "one name twice",
            "b=$(echo x | git hash-object -w --stdin); t=$(printf '100644 x %s\\n100644 x %s\\n' $b $b | raw_tree); echo $(commit $t) $t $b"
        ),
        (
            "names out of order",
            "b=$(echo x | git hash-object -w --stdin); t=$(printf '100644 y %s\\n100644 x %s\\n' $b $b | raw_tree); echo $(commit $t) $t $b"
        ),
        (
            "a commit without author",
            "c=$(printf 'tree %s\\ncommitter A <a@b> 1 +0000\\n\\nx\\n' $(git rev-parse HEAD^{tree}) | raw commit); echo $c"
        ),
        (
            "a date that is too large",
            "c=$(printf 'tree %s\\nauthor A <a@b> 99999999999999999999 +0000\\ncommitter A <a@b> 1 +0000\\n\\nx\\n' $(git rev-parse HEAD^{tree}) | raw commit); echo $c"
        ),
        (
            "a tag without a tagger's line end",
            "c=$(printf 'object %s\\ntype commit\\ntag x\\ntagger A\\n\\nx\\n' $(git rev-parse HEAD) | raw tag); echo $c"
        ),
        (
            "a submodule that is an option",
            "b=$(printf '[submodule \"x\"]\\n\\tpath = x\\n\\turl = --upload-pack=x\\n' | git hash-object -w --stdin); t=$(printf '100644 .gitmodules %s\\n' $b | raw_tree); echo $(commit $t) $t $b"
        ),
        (
            ".gitmodules that is a link",
            "b=$(printf elsewhere | git hash-object -w --stdin); t=$(printf '120000 .gitmodules %s\\n' $b | raw_tree); echo $(commit $t) $t $b"
        ),
    ]

    /// Where the configuration says nothing, objects are checked, as git checks them where it is told to.
    @Test(arguments: ServePair.sample(faults))
    func anObjectWithAFaultIsRefused(_ fault: (name: String, script: String)) throws {
        for config in [["receive.fsckObjects=true"], ["transfer.fsckObjects=true"], []] {
            let scene = try Scene(fault.script, config: config)
            let report = try scene.push()
            #expect(!Self.isUnpacked(report.apus), "\(report.apus)")
            #expect(report.apus.last == "ng refs/heads/bad unpacker error")
            if !config.isEmpty { #expect(!Self.isUnpacked(report.git), "\(report.git)") }
            try scene.expectNothing()
        }
    }

    @Test(arguments: ServePair.sample(faults))
    func anObjectWithAFaultIsTakenWhereNothingIsChecked(_ fault: (name: String, script: String))
        throws
    {
        let scene = try Scene(fault.script, config: ["receive.fsckObjects=false"])
        let report = try scene.push()
        #expect(report.apus == report.git)
    }

    @Test(arguments: [
        ("receive.fsck.zeroPaddedFilemode=ignore", true),
        ("receive.fsck.zeroPaddedFilemode=warn", true),
        ("receive.fsck.zeroPaddedFilemode=error", false),
    ])
    func faultsThatAreAllowed(config: String, isTaken: Bool) throws {
        let scene = try Scene(Self.faults[4].script, config: ["receive.fsckObjects=true", config])
        let report = try scene.push()
        #expect(Self.isUnpacked(report.apus) == isTaken, "\(report.apus)")
        #expect(Self.isUnpacked(report.git) == isTaken, "\(report.git)")
    }

    // MARK: Commands

    private static let good = "git commit-tree HEAD^{tree} -p HEAD -m Good"

    private static let names = [
        "refs/heads/a..b", "refs/heads/.a", "refs/heads/a.lock", "refs/heads/a b",
        "refs/heads/a~1",
        "refs/heads/a^", "refs/heads/a:b", "refs/heads/a?", "refs/heads/a*", "refs/heads/[a",
        "refs/heads/a\\b", "refs/heads/a/", "refs/heads//a", "refs/heads/@{x", "HEAD", "main",
        "foo/bar", "refs", "refs/", "refs/heads", "refs/x", "refs/heads/HEAD", "refs/../config",
        "../config", "objects/x", "refs/heads/é",
        "config",
        "refs/heads/@", "refs/heads/-x", "/etc/passwd", "FETCH_HEAD",
    ]

    @Test func namesThatMakeNoSense() throws {
        let scene = try Scene(Self.good)
        for name in Self.names {
            let report = try scene.push([(Self.zero, scene.tip, name)])
            #expect(report.apus == report.git, "\(name)")
        }
        try scene.pair.expectSameServed(objects: false)
    }

    @Test func commandsThatMakeNoSense() throws {
        let scene = try Scene(Self.good)
        let head = try RawClient(scene.pair).head()
        let missing = String(repeating: "ab", count: 20)
        let cases: [(commands: [(old: String, new: String, name: String)], pack: [UInt8]?)] = [
            ([(missing, scene.tip, "refs/heads/main")], nil),
            ([(Self.zero, scene.tip, "refs/heads/main")], nil),
            ([(head, scene.tip, "refs/heads/nothing")], nil),
            ([(head, Self.zero, "refs/heads/nothing")], []),
            ([(Self.zero, Self.zero, "refs/heads/nothing")], []),
            ([(Self.zero, missing, "refs/heads/x")], nil),
        ]
        for (number, one) in cases.enumerated() {
            let report = try scene.push(one.commands, pack: one.pack)
            #expect(report.apus == report.git, "\(number)")
        }
        try scene.pair.expectSameServed(objects: false)
    }

    /// Refused as a whole, where git takes part of it.
    @Test func commandsThatGitPutsUpWith() throws {
        if Apus.isGit { return }
        let scene = try Scene(Self.good)
        let head = try RawClient(scene.pair).head()
        let missing = String(repeating: "ab", count: 20)
        let twice = [(head, scene.tip, "refs/heads/main"), (head, head, "refs/heads/main")]
        let report = try scene.push(twice.map { (old: $0.0, new: $0.1, name: $0.2) }).apus
        #expect(report.count == 1 && report[0].contains("multiple updates for ref"), "\(report)")
        for name in ["refs/heads/a\u{1}b", "refs/heads/a\u{7f}"] {
            let report = try scene.push([(Self.zero, scene.tip, name)]).apus
            #expect(report.count == 1 && report[0].contains("control character"), "\(report)")
        }
        // A ref that does not hold what is said is not deleted, even if that is no object.
        let deletion = try scene.push([(missing, Self.zero, "refs/tags/v1")], pack: []).apus
        #expect(deletion == ["unpack ok", "ng refs/tags/v1 failed to update ref"])
        try scene.expectNothing()
    }

    /// Every command of a push by version 0 to 2 ends the same.
    @Test(arguments: [0, 1, 2])
    func versionsOfAPush(version: Int) throws {
        let pair = try ServePushTests.pair("history", client: ServePushTests.commit)
        try pair.git("-c protocol.version=\(version) push URL main main:new", in: "copy")
        try pair.expectSameServed()
    }
}
