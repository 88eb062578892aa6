import Foundation
import GitCore
import Synchronization
import Testing

@testable import GitStore

@Suite struct HookTests {
    private func run(
        _ fixture: ReceivingFixture, _ hook: Hook, quarantine: Quarantine? = nil,
        _ configure: (inout HookRunner) -> Void = { _ in }
    ) throws -> (outcome: HookRunner.Outcome, output: String) {
        var runner = HookRunner(try fixture.host(), environment: fixture.oracle.environment)
        configure(&runner)
        var output: [UInt8] = []
        let outcome = try runner.run(hook, quarantine: quarantine) { output += $0 }
        return (outcome, String(decoding: output, as: UTF8.self))
    }

    private func change(_ fixture: ReceivingFixture, _ name: ByteString = "refs/heads/main")
        -> RefChange
    {
        RefChange(name: name, old: fixture.oids[1], new: fixture.oids[2])
    }

    @Test func aHookThatIsNotThereAcceptsNothingAndRefusesNothing() throws {
        let fixture = try ReceivingFixture()
        #expect(try run(fixture, .preReceive([])).outcome == .absent)
        try fixture.hook("pre-receive", "exit 1", mode: 0o644)
        let (outcome, output) = try run(fixture, .preReceive([]))
        #expect(outcome == .absent)
        #expect(output.contains("hint: The 'hooks/pre-receive' hook was ignored"))
        try fixture.oracle.git("config", "advice.ignoredHook", "false", in: "host.git")
        #expect(try run(fixture, .preReceive([])).output == "")
    }

    /// The same script under `git push` says the same.
    @Test func runsAsUnderGit() throws {
        let fixture = try ReceivingFixture()
        let oracle = fixture.oracle
        try oracle.git("config", "receive.advertisePushOptions", "true", in: "host.git")
        let script = """
            echo "$0"; for a in "$@"; do echo "arg $a"; done
            pwd; cat; env | grep -v -e ^_= -e ^PWD= -e ^SHLVL= -e ^OLDPWD= -e ^LD_ -e ^SHELL= \
            | sed -e s/tmp_objdir-incoming-....../Q/g -e s:/[.]/:/:g | sort
            """
        let names = ["pre-receive", "update", "post-receive", "post-update"]
        for name in names {
            try fixture.hook(name, "exec >> \(oracle.root)/log-\(name) 2>&1\n" + script)
        }
        let tip = try fixture.commit("more", ["b": "b\n"])
        // As a server starts it, and with nothing of a terminal's.
        try oracle.git("push", "-q", "-o", "one", "-o", "two x", "../host.git", "main", in: "work")
        let change = RefChange(name: "refs/heads/main", old: fixture.oids[2], new: tip)
        let hooks: [Hook] = [
            .preReceive([change]), .update(change), .postReceive([change]),
            .postUpdate([change.name]),
        ]
        let left: Set = [
            // What the pusher's own git left in the environment of its child.
            "GIT_EXEC_PATH", "GIT_PREFIX", "GIT_PROTOCOL", "PATH", "GIT_AUTHOR_NAME",
            "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL",
            "GIT_COMMITTER_DATE",
        ]
        func relevant(_ text: String) -> [String] {
            text.split(separator: "\n").map(String.init).filter { line in
                !left.contains(String(line.prefix { $0 != "=" }))
            }
        }
        for (name, hook) in zip(names, hooks) {
            let theirs = relevant(try oracle.text("log-" + name))
            try FileManager.default.removeItem(atPath: oracle.root + "/log-" + name)
            let quarantine = name == "pre-receive" ? try Quarantine(try fixture.host()) : nil
            let (outcome, output) = try run(fixture, hook, quarantine: quarantine) {
                $0.pushOptions = ["one", "two x"]
            }
            #expect(outcome == .accepted, "\(outcome)")
            #expect(output == "")
            let ours = relevant(try oracle.text("log-" + name))
            #expect(ours == theirs, "\(name): \(ours) \(theirs)")
        }
    }

    @Test func neitherSideWaitsForTheOther() throws {
        let fixture = try ReceivingFixture()
        let many = (0 ..< 20_000).map { change(fixture, ByteString("refs/heads/branch-\($0)")) }
        // More than a pipe holds, both ways at once.
        try fixture.hook("pre-receive", "cat; cat >&2")
        let (outcome, output) = try run(fixture, .preReceive(many))
        #expect(outcome == .accepted)
        #expect(Array(output.utf8) == many.flatMap(\.line))
        // One that closes its output before it reads.
        try fixture.hook(
            "pre-receive", "exec > \(fixture.oracle.root)/read 2>&1; sleep 0.2; cat")
        #expect(try run(fixture, .preReceive(many)).outcome == .accepted)
        #expect(try fixture.oracle.read("read") == many.flatMap(\.line))
        // One that does not read, and one that stops in the middle.
        try fixture.hook("pre-receive", "exec <&-; sleep 0.2; echo done")
        #expect(try run(fixture, .preReceive(many)).output == "done\n")
        try fixture.hook("pre-receive", "head -c 100000 > /dev/null; exit 3")
        #expect(
            try run(fixture, .preReceive(many)).outcome
                == .refused("pre-receive hook exited with status 3"))
    }

    @Test func isEndedWithAllThatItStarted() throws {
        let fixture = try ReceivingFixture()
        let mark = fixture.oracle.root + "/alive"
        try fixture.hook(
            "update", "trap '' TERM; (trap '' TERM; sleep 4; touch \(mark)) & echo begun; sleep 30")
        let start = ContinuousClock.now
        let (outcome, output) = try run(fixture, .update(change(fixture))) {
            $0.timeout = .milliseconds(300)
        }
        #expect(outcome == .refused("update hook took too long and was ended"))
        #expect(output == "begun\n")
        #expect(ContinuousClock.now - start < .seconds(10))
        // Closing its output is no way out.
        try fixture.hook("update", "exec >&- 2>&-; sleep 30")
        #expect(
            try run(fixture, .update(change(fixture))) { $0.timeout = .milliseconds(200) }.outcome
                == .refused("update hook took too long and was ended"))
        try fixture.hook("update", "sleep 30")
        let error = #expect(throws: StoreError.self) {
            try run(fixture, .update(change(fixture))) { runner in
                let cancel = runner.canceller
                Thread.detachNewThread {
                    usleep(200_000)
                    cancel()
                }
            }
        }
        #expect(error?.code == .cancelled)
        try fixture.hook("update", "kill -9 $$")
        #expect(
            try run(fixture, .update(change(fixture))).outcome
                == .refused("update hook died of signal 9"))
        usleep(2_500_000)
        #expect(!fixture.oracle.exists("alive"))
    }

    @Test func refusesWhatCouldBeTakenForSomethingElse() throws {
        let fixture = try ReceivingFixture()
        try fixture.hook("pre-receive", "env; cat")
        for text: ByteString in ["a\nGIT_DIR=/x", "a\0b", "a\u{1b}[1m", "a\u{7f}"] {
            let error = #expect(throws: StoreError.self) {
                try run(fixture, .preReceive([])) { $0.pushOptions = [text] }
            }
            #expect(error?.code == .invalid)
            #expect(throws: StoreError.self) {
                try run(fixture, .preReceive([])) { $0.variables = [("REMOTE_USER", text)] }
            }
            #expect(throws: StoreError.self) {
                try run(fixture, .preReceive([change(fixture, "refs/heads/" + text)]))
            }
        }
        for name in ["", "1A", "A=B", "A B", "É"] {
            #expect(throws: StoreError.self) {
                try run(fixture, .preReceive([])) { $0.variables = [(name, "x")] }
            }
        }
        let (_, output) = try run(fixture, .preReceive([])) {
            $0.pushOptions = ["$(touch /tmp/x); `id`"]
            $0.variables = [("REMOTE_USER", "me; rm"), ("GIT_DIR", "/elsewhere")]
        }
        #expect(output.contains("GIT_PUSH_OPTION_0=$(touch /tmp/x); `id`\n"))
        #expect(output.contains("REMOTE_USER=me; rm\n"))
        #expect(output.contains("GIT_DIR=.\n"))
        #expect(!output.contains("/elsewhere"))
        // Of the server's own, only what is on the list.
        #expect(!output.contains("GIT_COMMITTER_NAME"))
    }

    @Test func leavesNoDescriptorOpen() throws {
        let fixture = try ReceivingFixture()
        try fixture.hook("update", "ls /proc/self/fd | wc -l")
        let first = try run(fixture, .update(change(fixture))).output
        #expect(
            Int(first.trimmingCharacters(in: .whitespacesAndNewlines)) == 4, "0, 1, 2 and ls's own")
        let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        for _ in 0 ..< 20 { _ = try run(fixture, .update(change(fixture))) }
        let after = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        #expect(after <= before + 10)
    }

    @Test func findsHooksWhereTheyAreConfigured() throws {
        let fixture = try ReceivingFixture()
        try fixture.hook("update", "echo wrong")
        for (path, file) in [
            ("my", "host.git/my/update"), (fixture.oracle.root + "/h", "h/update"),
        ] {
            // Without a first line that says what runs it.
            try fixture.oracle.write(file, "echo right $1 \"$0\"\n")
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: fixture.oracle.root + "/" + file)
            try fixture.oracle.git("config", "core.hooksPath", path, in: "host.git")
            let (outcome, output) = try run(fixture, .update(change(fixture)))
            #expect(outcome == .accepted)
            #expect(output == "right refs/heads/main \(path)/update\n")
        }
        try fixture.oracle.write("h/update", "#!/nowhere\n")
        let outcome = try run(fixture, .update(change(fixture))).outcome
        guard case .refused(let reason) = outcome else { return #expect(Bool(false), "\(outcome)") }
        #expect(reason.hasPrefix("cannot run"))
    }
}
