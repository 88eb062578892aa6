import Foundation
import GitCore
import Testing

@testable import GitStore

@Suite struct RefObserverTests {
    private static let log = """
        echo "$1" >> "$LOG"; cat >> "$LOG"
        """

    private func setUp(bare: Bool) throws -> (ReceivingFixture, [ObjectID]) {
        let fixture = try ReceivingFixture(bare: bare)
        let hooks = bare ? "host.git/hooks" : "host.git/.git/hooks"
        let path = hooks + "/reference-transaction"
        try fixture.oracle.write(
            path, "#!/bin/sh\n" + Self.log.replacing("$LOG", with: fixture.oracle.root + "/log"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: fixture.oracle.root + "/" + path)
        return (fixture, fixture.oids)
    }

    private func taken(_ fixture: ReceivingFixture) throws -> String {
        guard fixture.oracle.exists("log") else { return "" }
        defer { try? FileManager.default.removeItem(atPath: fixture.oracle.root + "/log") }
        return try fixture.oracle.text("log")
    }

    /// Without what git of this version tells of packed-refs, when it takes a ref out of there: later ones
    /// do not. All is zeros in it.
    private func withoutPacking(_ log: String) -> String {
        var sections: [[Substring]] = []
        for line in log.split(separator: "\n") {
            if line.contains(" ") {
                sections[sections.count - 1].append(line)
            } else {
                sections.append([line])
            }
        }
        let zeros = String(repeating: "0", count: 40)
        return sections.filter { section in
            !section.dropFirst().allSatisfy { $0.hasPrefix("\(zeros) \(zeros) ") }
        }.map { $0.joined(separator: "\n") + "\n" }.joined()
    }

    /// The same changes made by update-ref and by us are told of alike.
    @Test(arguments: [true, false]) func isToldWhatGitTells(bare: Bool) throws {
        let steps: [(String, (inout RefTransaction, [ObjectID]) throws -> Void)] = [
            (
                "create refs/heads/z 0\ncreate refs/heads/a/b 1\n",
                { change, oids in
                    change.update(
                        try ref("refs/heads/z"), to: oids[0], expecting: .missing,
                        followingSymbolic: true)
                    change.update(
                        try ref("refs/heads/a/b"), to: oids[1], expecting: .missing,
                        followingSymbolic: true)
                }
            ),
            (
                "update refs/heads/main 1 2\nupdate refs/heads/z 1\n",
                { change, oids in
                    change.update(
                        try ref("refs/heads/main"), to: oids[1], expecting: .oid(oids[2]),
                        followingSymbolic: true)
                    change.update(try ref("refs/heads/z"), to: oids[1], followingSymbolic: true)
                }
            ),
            (
                "update HEAD 2 1\n",
                { change, oids in
                    change.update(
                        .head, to: oids[2], expecting: .oid(oids[1]), followingSymbolic: true)
                }
            ),
            (
                "update refs/heads/sym 0 1\n",
                { change, oids in
                    change.update(
                        try ref("refs/heads/sym"), to: oids[0], expecting: .oid(oids[1]),
                        followingSymbolic: true)
                }
            ),
            (
                "delete refs/heads/a/b 1\ndelete refs/heads/z\n",
                { change, oids in
                    change.delete(
                        try ref("refs/heads/a/b"), expecting: .oid(oids[1]), followingSymbolic: true
                    )
                    change.delete(try ref("refs/heads/z"), followingSymbolic: true)
                }
            ),
            (
                "verify refs/heads/t 0\ndelete refs/heads/main 2\n",
                { change, oids in
                    change.verify(try ref("refs/heads/t"), expecting: .oid(oids[0]))
                    change.delete(
                        try ref("refs/heads/main"), expecting: .oid(oids[2]),
                        followingSymbolic: true)
                }
            ),
        ]
        let (fixture, oids) = try setUp(bare: bare)
        let (twin, _) = try setUp(bare: bare)
        for one in [fixture, twin] {
            try one.oracle.git("update-ref", "refs/heads/t", "\(oids[1])", in: "host.git")
            try one.oracle.git("symbolic-ref", "refs/heads/sym", "refs/heads/t", in: "host.git")
            try one.oracle.git("pack-refs", "--all", in: "host.git")
            _ = try taken(one)
        }
        for (number, (commands, build)) in steps.enumerated() {
            let input = commands.split(separator: "\n").map { line in
                line.split(separator: " ").map { word in
                    Int(word).map { oids[$0].hex } ?? String(word)
                }.joined(separator: " ") + "\n"
            }.joined()
            let outcome = try twin.oracle.run(
                ["update-ref", "--stdin"], in: "host.git", input: Array(input.utf8))
            try #require(outcome.status == 0, "\(number): \(outcome.errors)")
            var change = RefTransaction()
            try build(&change, oids)
            let host = try fixture.host()
            try host.refs.update(
                change,
                observer: HookRunner(host, environment: fixture.oracle.environment).observer())
            let (ours, theirs) = (try taken(fixture), withoutPacking(try taken(twin)))
            #expect(ours == theirs, "step \(number):\n\(ours)\n\(theirs)")
        }
        #expect(
            try fixture.oracle.git("for-each-ref", in: "host.git")
                == twin.oracle.git("for-each-ref", in: "host.git"))
    }

    @Test func aRefusalLeavesEverythingAsItWas() throws {
        let (fixture, oids) = try setUp(bare: false)
        let before = try fixture.files()
        let log = try fixture.oracle.text("host.git/.git/logs/refs/heads/main")
        try fixture.hook("x", "")
        let path = "host.git/.git/hooks/reference-transaction"
        let script = try fixture.oracle.text(path)
        try fixture.oracle.write(path, script + "\ntest \"$1\" != prepared")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: fixture.oracle.root + "/" + path)
        let host = try fixture.host()
        var change = RefTransaction(
            committer: Identity(name: "C", mail: "c@x", date: GitDate(seconds: 1, zoneMinutes: 0)),
            message: "push")
        change.update(try ref("refs/heads/main"), to: oids[0])
        change.update(try ref("refs/heads/new/deep"), to: oids[0])
        let observer = HookRunner(host, environment: fixture.oracle.environment).observer()
        let error = #expect(throws: StoreError.self) {
            try host.refs.update(change, observer: observer)
        }
        #expect(error?.message == "ref updates aborted by hook")
        let lines = try taken(fixture).split(separator: "\n").filter { !$0.contains(" ") }
        #expect(lines == ["prepared", "aborted"])
        #expect(try fixture.oracle.text("host.git/.git/logs/refs/heads/main") == log)
        #expect(try fixture.files().filter { !$0.hasPrefix("hooks") } == before)
    }

    @Test func isNotCalledWhereARefIsNotAsExpected() throws {
        let (fixture, oids) = try setUp(bare: true)
        let host = try fixture.host()
        var change = RefTransaction()
        change.update(try ref("refs/heads/main"), to: oids[0], expecting: .oid(oids[1]))
        var phases: [RefTransaction.Phase] = []
        #expect(throws: StoreError.self) {
            try host.refs.update(change) { phase, _ in phases.append(phase) }
        }
        #expect(phases == [])
    }
}
