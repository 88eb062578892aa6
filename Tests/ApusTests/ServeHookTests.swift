import TestSupport
import Testing

/// Hooks of a push, beside those that git runs.
@Suite(.timeLimit(.minutes(10))) struct ServeHookTests {
    /// A hook that notes what it is given, says something, and ends with a code.
    private func hook(_ name: String, code: Int = 0, when condition: String = "true") -> String {
        """
        cat >hooks/\(name) <<'END'
        #!/bin/sh
        here=$(cd "$(git rev-parse --git-dir)" && pwd)
        log=$here/log
        {
            echo "== \(name) $*"
            echo "in $(pwd)"
            case \(name) in pre-receive|post-receive|reference-transaction) cat ;; esac >"$here/input"
            cat "$here/input"
            env | grep -E '^(GIT_|REMOTE_)' | grep -vE '^REMOTE_USER=$|^GIT_(CONFIG|HTTP_EXPORT|PROJECT_ROOT|EXEC_PATH|PROTOCOL)|OPTION_COUNT=0' | sort
        } | sed -e "s|$here|HERE|g" -e 's|HERE/[.]/|HERE/|g' -e 's/incoming-[A-Za-z0-9]*/incoming-X/g' >>"$log"
        echo "\(name) on output"
        echo "\(name) on errors" >&2
        if \(condition); then exit \(code); fi
        END
        chmod +x hooks/\(name);
        """
    }

    private func pushAndCompare(
        _ server: String, _ line: String, client: String = ServePushTests.commit,
        config: [String] = [], log: Bool = true, words: ServePair.Words = .all,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let pair = try ServePushTests.pair(
            "history", config: config, server: "mkdir -p hooks; rm -f hooks/*; " + server,
            client: client)
        try pair.git(line, in: "copy", words: words, succeeds: nil, location: location)
        if log {
            let logs = ServePair.Side.allCases.map { side in
                String(decoding: readFile(pair.repository(side) + "/log") ?? [], as: UTF8.self)
                    .split(separator: "\n").map(String.init)
            }
            expectSameLines(logs[0], logs[1], "what hooks are given", location: location)
        }
        try pair.inRepositories { _ = try run("/bin/rm", ["-f", "\($0)/log", "\($0)/input"]) }
        try pair.expectSameServed(location: location)
    }

    @Test(arguments: ["pre-receive", "update", "post-receive", "post-update"])
    func isGivenTheSame(name: String) throws {
        try pushAndCompare(hook(name), "push URL main main:new :maint v1.0~1:refs/tags/t")
        try pushAndCompare(hook(name), "push URL :refs/heads/nothing")
    }

    @Test(arguments: ["pre-receive", "update", "post-receive"])
    func isGivenPushOptions(name: String) throws {
        try pushAndCompare(
            hook(name), "push -o one -o two=2 URL main",
            config: ["receive.advertisePushOptions=true"])
    }

    @Test(arguments: ["pre-receive", "update", "post-receive", "post-update"])
    func fails(name: String) throws {
        try pushAndCompare(hook(name, code: 1), "push URL main main:new")
        try pushAndCompare(hook(name, code: 1), "push --atomic URL main main:new")
    }

    @Test func updateDeclinesOne() throws {
        let one = hook("update", code: 1, when: #"test "$1" = refs/heads/new"#)
        try pushAndCompare(one, "push URL main main:new :maint")
        try pushAndCompare(one, "push --atomic URL main main:new :maint")
    }

    /// What this hook says, git keeps to itself; and where it declines, git drops the connection.
    @Test(arguments: ["committed", "aborted"])
    func transactionHookFails(state: String) throws {
        let hook = hook("reference-transaction", code: 1, when: "test \"$1\" = \(state)")
        try pushAndCompare(hook, "push URL main main:new", words: .verdicts)
        try pushAndCompare(hook, "push --atomic URL main main:new", words: .verdicts)
    }

    @Test(arguments: ["", "--atomic"])
    func transactionHookDeclines(option: String) throws {
        if Apus.isGit { return }
        let hook = hook("reference-transaction", code: 1, when: "test \"$1\" = prepared")
        let pair = try ServePushTests.pair(
            "history", server: "mkdir -p hooks; rm -f hooks/*; " + hook,
            client: ServePushTests.commit)
        let before = try Git.run(["for-each-ref"], in: pair.repository(.apus)).out
        let result = try Git.attempt(
            ["push"] + (option.isEmpty ? [] : [option]) + [ServePair.url, "main", "main:new"],
            in: pair.client(.apus)("copy"), environment: pair.environment(.apus))
        let told = result.errorLines.filter {
            $0.hasPrefix(" ! ") && $0.contains("(reference-transaction hook declined)")
        }
        #expect(told.count == 2, "\(result.err)")
        #expect(try Git.run(["for-each-ref"], in: pair.repository(.apus)).out == before)
        try expectNothingUnfinished(pair.repository(.apus))
    }

    /// Without deletions, for which git runs the transaction's hook twice.
    @Test func allOfThem() throws {
        let all = ["pre-receive", "update", "reference-transaction", "post-receive", "post-update"]
        let hooks = all.map { hook($0) }.joined()
        try pushAndCompare(hooks, "push URL main main:new", words: .verdicts)
        try pushAndCompare(hooks, "push --atomic URL main main:new", words: .verdicts)
    }

    /// A hook sees the objects that are pushed, and nobody else does.
    @Test(arguments: [0, 1])
    func seesTheQuarantine(code: Int) throws {
        let script = """
            cat >hooks/pre-receive <<'END'
            #!/bin/sh
            read old new ref
            git cat-file -p $new:new || echo "not seen"
            git update-ref refs/heads/sneaky $new 2>&1 | head -n 1
            env -u GIT_OBJECT_DIRECTORY -u GIT_QUARANTINE_PATH git cat-file -e $new 2>/dev/null && echo "seen by all"
            exit \(code)
            END
            chmod +x hooks/pre-receive
            """
        try pushAndCompare(
            script, "push URL main",
            client: "echo content >new; git add new; \(ServePushTests.commit)",
            log: false)
    }

    @Test func isThereButMayNotRun() throws {
        try pushAndCompare(
            "echo exit 1 >hooks/pre-receive; chmod -x hooks/pre-receive", "push URL main",
            log: false, words: .verdicts)
    }

    @Test func isSomewhereElse() throws {
        try pushAndCompare(
            hook("pre-receive", code: 1) + "mv hooks other; git config core.hooksPath other",
            "push URL main")
    }

    /// Reads nothing of what it is given.
    @Test func doesNotListen() throws {
        let names = (1 ... 300).map { "main:refs/heads/n/\($0)" }.joined(separator: " ")
        try pushAndCompare(
            "printf '#!/bin/sh\\nexec <&-\\nexit 0\\n' >hooks/pre-receive; chmod +x hooks/pre-receive",
            "push -q URL \(names)", log: false)
    }
}
