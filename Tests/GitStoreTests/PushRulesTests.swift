import Foundation
import GitCore
import Testing

@testable import GitStore

@Suite struct PushRulesTests {
    /// What `git push` reports for a change under a configuration, and what we say.
    private func compare(
        bare: Bool = true, _ settings: [(String, String)], _ name: String,
        _ new: (ReceivingFixture) -> String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String? {
        let fixture = try ReceivingFixture(bare: bare)
        for (key, value) in settings {
            try fixture.oracle.git("config", "--add", key, value, in: "host.git")
        }
        let host = try fixture.host()
        let new = new(fixture)
        let rules = try PushRules(host)
        let zero = ObjectID.zero(.sha1)
        let current = try fixture.oracle.run(["rev-parse", "-q", "--verify", name], in: "host.git")
            .text
        let change = RefChange(
            name: ByteString(name), old: ObjectID(hex: current) ?? zero,
            new: ObjectID(hex: new) ?? zero)
        let verdict = try rules.verdict(on: change)
        let ours = rules.refusalOfHidden(change) ?? verdict.refusal
        let outcome = try fixture.oracle.run(
            ["push", "--porcelain", "../host.git", "+\(new):\(name)"], in: "work")
        let theirs = outcome.output.split(separator: 0x0a).map {
            String(decoding: $0, as: UTF8.self)
        }
        .first { $0.hasPrefix("!") }
        .flatMap { line in
            line.firstIndex(of: "(").map { String(line[$0...].dropFirst().dropLast()) }
        }
        #expect(ours == theirs, "\(outcome.text) \(outcome.errors)", sourceLocation: sourceLocation)
        if rules.refusalOfHidden(change) == nil {
            for message in verdict.messages {
                #expect(
                    outcome.errors.contains("remote: " + message), "\(message): \(outcome.errors)",
                    sourceLocation: sourceLocation)
            }
        }
        return ours
    }

    @Test func judgesAsGitDoes() throws {
        let old = { (fixture: ReceivingFixture) in fixture.oids[0].hex }
        let none = { (_: ReceivingFixture) in "" }
        #expect(try compare([], "refs/heads/main", old) == nil)
        let direction = ("receive.denyNonFastForwards", "true")
        #expect(try compare([direction], "refs/heads/main", old) == "non-fast-forward")
        #expect(try compare([direction], "refs/heads/new", old) == nil)
        #expect(
            try compare([], "refs/heads/main", none) == "deletion of the current branch prohibited")
        for (value, isAllowed) in [
            ("ignore", true), ("warn", true), ("refuse", false), ("false", true), ("yes", false),
        ] {
            let verdict = try compare(
                [("receive.denyDeleteCurrent", value)], "refs/heads/main", none)
            #expect((verdict == nil) == isAllowed, "\(value)")
        }
        #expect(
            try compare([("receive.denyDeletes", "true")], "refs/heads/main", none)
                == "deletion prohibited")
        #expect(
            try compare(bare: false, [], "refs/heads/main", old)
                == "branch is currently checked out")
        for (value, isAllowed) in [
            ("ignore", true), ("warn", true), ("refuse", false), ("false", true),
        ] {
            let verdict = try compare(
                bare: false, [("receive.denyCurrentBranch", value)], "refs/heads/main", old)
            #expect((verdict == nil) == isAllowed, "\(value)")
        }
        #expect(
            try compare([("transfer.hideRefs", "refs/heads/secret")], "refs/heads/secret/x", old)
                == "deny updating a hidden ref")
    }

    @Test func refusesWhatOnlyAnotherClientWouldAskFor() throws {
        let fixture = try ReceivingFixture(bare: false)
        try fixture.oracle.git("worktree", "add", "-q", "-b", "side", "../linked", in: "host.git")
        try fixture.oracle.git(
            "config", "receive.denyCurrentBranch", "updateInstead", in: "host.git")
        try fixture.oracle.git("config", "receive.denyNonFastForwards", "true", in: "host.git")
        let rules = try PushRules(try fixture.host())
        func refusal(_ name: ByteString, _ new: ObjectID) throws -> String? {
            try rules.verdict(on: RefChange(name: name, old: fixture.oids[2], new: new)).refusal
        }
        for name: ByteString in [
            "HEAD", "refs/heads/a..b", "refs/heads/x.lock", "main", "refs/x\n", "refs/../x",
        ] {
            #expect(try refusal(name, fixture.oids[0]) == "funny refname", "\(name)")
        }
        #expect(try refusal("refs/heads/side", fixture.oids[0])?.contains("updateInstead") == true)
        let missing = try #require(ObjectID(hex: String(repeating: "1", count: 40)))
        #expect(try refusal("refs/heads/x", missing) == "bad pack")
        let tree = try #require(
            ObjectID(hex: try fixture.oracle.git("rev-parse", "main:", in: "work")))
        #expect(try refusal("refs/heads/x", tree) == "bad ref")
        #expect(try refusal("refs/tags/x", tree) == nil)
    }

    /// What ls-remote shows under these settings.
    @Test(arguments: [
        ["refs/heads"], ["refs/heads/a"], ["refs/heads/a/"], ["refs/heads", "!refs/heads/a"],
        ["!refs/heads/a", "refs/heads"], ["^refs/heads/a"], ["refs/heads", "!^refs/heads/a/b"],
        ["refs/heads/a/b", "!refs/heads/a"], [""], ["refs"],
    ])
    func hidesWhatGitHides(patterns: [String]) throws {
        let fixture = try ReceivingFixture()
        let names = ["heads/a/b", "heads/a/c", "heads/ab", "tags/a"].map { "refs/" + $0 }
        for name in names {
            try fixture.oracle.git("update-ref", name, fixture.oids[0].hex, in: "host.git")
        }
        for (number, pattern) in patterns.enumerated() {
            let section = number % 2 == 0 ? "transfer" : "uploadpack"
            try fixture.oracle.git(
                "config", "--add", section + ".hideRefs", pattern, in: "host.git")
        }
        try fixture.oracle.git("config", "receive.hideRefs", "refs/tags", in: "host.git")
        let shown = try fixture.oracle.git("ls-remote", "host.git").split(separator: "\n")
            .map { String($0.split(separator: "\t")[1]) }
        let hidden = try HiddenRefs(try fixture.host().config, section: "uploadpack")
        for name in names {
            #expect(hidden.contains(ByteString(name)) == !shown.contains(name), "\(name)")
        }
    }
}
