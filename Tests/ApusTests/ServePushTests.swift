import TestSupport
import Testing

/// Stock git pushes to `apus serve` and to `git http-backend`: what it is told, and what is then there,
/// is equal.
@Suite(.timeLimit(.minutes(10))) struct ServePushTests {
    /// A push: how the repository is set up, what the client does before, and what it pushes.
    struct Push: Sendable, CustomTestStringConvertible {
        let line: String
        var client = "true"
        var config: [String] = []
        var server = "true"
        var fixture = "history"
        var words = ServePair.Words.all
        var testDescription: String { "\(line) \(config) \(client) \(server)" }
    }

    static let commit = "git commit -q --allow-empty -m New"
    static let pushes: [Push] = [
        Push(line: "push URL main", client: "\(commit); \(commit)"),
        Push(line: "push URL main", client: "echo new >new; git add new; \(commit)"),
        Push(line: "push URL main"),
        Push(line: "push -q URL main", client: commit),
        Push(line: "push --progress -q URL main:new", client: commit),
        Push(line: "push --porcelain URL main :maint main:new", client: commit),
        Push(line: "push --dry-run URL main", client: commit),
        Push(line: "push URL main:refs/heads/new main:refs/deep/er/one"),
        Push(line: "push URL :topic/one :refs/notes/commits"),
        Push(line: "push URL :refs/heads/nothing"),
        Push(line: "push --force URL main", client: "git reset -q --hard HEAD~2; \(commit)"),
        Push(line: "push URL main", client: "git reset -q --hard HEAD~2; \(commit)"),
        Push(line: "push URL +main~5:maint main~7:topic/one"),
        Push(line: "push URL --tags", client: "\(commit); git tag -a -m T new; git tag newlight"),
        Push(line: "push --follow-tags URL main", client: "\(commit); git tag -a -m T new"),
        Push(line: "push --force URL v1.0", client: "git tag -f -a -m T v1.0 2>/dev/null"),
        Push(line: "push URL :v1.0 :light"),
        Push(line: "push --mirror URL", client: commit),
        Push(line: "push --all URL", client: "git branch other; \(commit)"),
        Push(line: "push --prune URL refs/heads/*"),
        Push(line: "push --force-with-lease=main:main~1 URL main", client: commit),
        Push(line: "push --atomic URL main main:new :maint", client: commit),
        Push(
            line: "push --atomic URL main :maint", client: commit,
            config: ["receive.denyDeletes=true"]),
        Push(line: "push URL main :maint", client: commit, config: ["receive.denyDeletes=true"]),
        Push(line: "push URL :v1.0", config: ["receive.denyDeletes=true"]),
        Push(
            line: "push --force URL main~2:main main:new",
            config: ["receive.denyNonFastForwards=true"]),
        Push(
            line: "push --atomic --force URL main~2:main main:new",
            config: ["receive.denyNonFastForwards=true"]),
        Push(line: "push --force URL light:v1.0", config: ["receive.denyNonFastForwards=true"]),
        Push(line: "push URL :main", words: .verdicts),
        Push(line: "push URL :main :maint", words: .verdicts),
        Push(line: "push URL :main", config: ["receive.denyDeleteCurrent=ignore"]),
        Push(line: "push URL :main", config: ["receive.denyDeleteCurrent=warn"]),
        Push(line: "push URL :main", config: ["receive.denyDeleteCurrent=refuse"]),
        Push(
            line: "push URL main main:new", client: commit, config: ["core.bare=false"],
            words: .verdicts),
        Push(
            line: "push URL main", client: commit,
            config: ["core.bare=false", "receive.denyCurrentBranch=ignore"]),
        Push(
            line: "push URL main", client: commit,
            config: ["core.bare=false", "receive.denyCurrentBranch=warn"]),
        Push(
            line: "push URL main", client: commit,
            config: ["core.bare=false", "receive.denyCurrentBranch=refuse"]),
        Push(
            line: "push URL main:maint :topic/one main:new", client: commit,
            config: ["transfer.hideRefs=refs/heads/maint"]),
        Push(line: "push URL :maint", config: ["receive.hideRefs=refs/heads/maint"]),
        Push(
            line: "push URL main:maint main:topic/x", client: commit,
            config: ["receive.hideRefs=refs/heads", "receive.hideRefs=!refs/heads/topic"]),
        Push(line: "push URL main:refs/heads/main/sub main:refs/heads/topic", words: .verdicts),
        Push(line: "push URL :maint main:maint/sub"),
        Push(
            line: "push URL main:alias", client: commit,
            server: "git symbolic-ref refs/heads/alias refs/heads/main"),
        Push(
            line: "push URL main main:alias", client: commit,
            server: "git symbolic-ref refs/heads/alias refs/heads/main"),
        Push(
            line: "push URL main main~1:alias", client: commit,
            server: "git symbolic-ref refs/heads/alias refs/heads/main"),
        Push(
            line: "push URL main", client: commit,
            server: "git symbolic-ref refs/heads/alias refs/heads/nowhere"),
        Push(
            line: "push URL main:dangling", client: commit,
            server: "git symbolic-ref refs/heads/dangling refs/heads/nowhere"),
        Push(
            line:
                "push URL main:refs/heads/branch^0 main^{tree}:refs/heads/tree main^{tree}:refs/trees/one"
        ),
        Push(line: "push URL main:file.lock"),
        Push(line: "push URL main:refs/new main:refs/heads/HEAD"),
        Push(
            line: "push URL main", client: commit, server: ": >refs/heads/main.lock",
            words: .verdicts),
        Push(
            line: "push --atomic URL main main:new", client: commit,
            server: "mkdir -p refs/heads; : >refs/heads/main.lock", words: .verdicts),
        Push(
            line: "push URL :v1.0",
            server: ": >packed-refs.lock; (sleep 0.5; rm packed-refs.lock) >/dev/null 2>&1 &"),
        Push(line: "push --mirror URL", fixture: "nested-tags"),
        Push(line: "push URL main", client: commit, fixture: "sha256"),
        Push(
            line: "push URL :main main:new", config: ["receive.denyDeleteCurrent=ignore"],
            fixture: "sha256"),
        Push(
            line: "push URL HEAD:refs/heads/main", client: "\(commit); \(commit)", fixture: "empty"),
        Push(line: "push URL --all", client: commit, fixture: "unborn-only"),
        Push(line: "push URL main", client: "echo more >file; \(commit) -a", fixture: "alternates"),
        Push(
            line: "push -o one -o two=2 URL main", client: commit,
            config: ["receive.advertisePushOptions=true"]),
        Push(line: "push -o one URL main", client: commit),
        Push(line: "push --signed=if-asked URL main", client: commit),
        Push(
            line: "push URL main", client: commit, config: ["http.receivepack=false"],
            words: .verdicts),
        Push(
            line: "-c pack.threads=1 push --thin URL main",
            client: "echo x >>folder1/file1.txt; \(commit) -a"),
        Push(line: "push --no-thin URL main", client: "echo x >>folder1/file1.txt; \(commit) -a"),
        Push(line: "push URL main", client: commit, config: ["core.logAllRefUpdates=true"]),
        Push(
            line: "push URL main :maint", client: commit, config: ["core.logAllRefUpdates=always"]),
    ]

    /// The pair, with a clone of each repository in `copy`.
    static func pair(
        _ fixture: String, config: [String] = [], server: String = "true", client: String = "true"
    ) throws -> ServePair {
        let pair = try ServePair(fixture) { path in
            for one in ["http.receivepack=true"] + config {
                let parts = one.split(separator: "=", maxSplits: 1).map(String.init)
                try Git.run(["config", "--add", parts[0], parts[1]], in: path)
            }
        }
        for side in ServePair.Side.allCases {
            let repository = pair.repository(side)
            _ = try Git.attempt(["clone", "-q", repository, "copy"], in: pair.client(side).path)
            let copy = pair.client(side)("copy")
            try Git.run(["fetch", "-q", "origin", "+refs/*:refs/remotes/all/*"], in: copy)
            try shell(client, in: copy)
            try shell(server, in: repository)
        }
        return pair
    }

    static func shell(_ script: String, in directory: String) throws {
        if script == "true" { return }
        try run("/bin/sh", ["-ec", script], directory: directory).required()
    }

    @Test(arguments: ServePair.sample(pushes))
    func tellsAndLeavesTheSame(push: Push) throws {
        let pair = try Self.pair(
            push.fixture, config: push.config, server: push.server, client: push.client)
        try pair.git(push.line, in: "copy", words: push.words, succeeds: nil)
        try pair.inRepositories { path in
            for name in ["refs/heads/main.lock", "packed-refs.lock"] {
                _ = try run("/bin/rm", ["-f", "\(path)/\(name)"])
            }
        }
        try pair.expectSameServed()
    }

    /// Git deletes what it leads to, whatever the rules say of that.
    @Test func aSymbolicRefIsDeletedItself() throws {
        if Apus.isGit { return }
        let pair = try Self.pair(
            "history", server: "git symbolic-ref refs/heads/alias refs/heads/main")
        try pair.git("push URL :alias", in: "copy")
        let after = try Git.run(["for-each-ref"], in: pair.repository(.apus)).out
        #expect(after == (try Git.run(["for-each-ref"], in: Fixture.named("history").path).out))
    }

    @Test(arguments: [1, 1000], [5, 150])
    func packsAreKeptOrParted(limit: Int, files: Int) throws {
        let pair = try Self.pair(
            "tiny", config: ["receive.unpackLimit=\(limit)"],
            client: "for n in $(seq \(files)); do echo $n >$n; done; git add .; \(Self.commit)")
        try pair.git("push URL main", in: "copy")
        try pair.expectSameServed()
        let counts = try ServePair.Side.allCases.map { side in
            try Git.run(["count-objects", "-v"], in: pair.repository(side)).out
                .split(separator: "\n").filter { !$0.hasPrefix("size") }
        }
        #expect(counts[0] == counts[1])
    }

    /// Words on why a pack is refused are each server's own; the verdict is not.
    @Test func aPackThatIsTooLarge() throws {
        let pair = try Self.pair(
            "tiny", config: ["receive.maxInputSize=2000"],
            client: "head -c 30000 /dev/urandom >random; git add random; \(Self.commit)")
        let before = try objectIDs(pair.repository(.apus))
        let result = try pair.git("push URL main", in: "copy", words: .none, succeeds: false)
        #expect(result.err.contains("! [remote rejected] main -> main (unpacker error)"))
        #expect(result.err.contains("2000"), "\(result.err)")
        #expect(try objectIDs(pair.repository(.apus)) == before)
        try pair.expectSameServed()
    }

    /// Large enough that the client asks first, then sends in chunks.
    @Test func aLargePush() throws {
        let pair = try Self.pair(
            "tiny",
            client:
                "head -c 3000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 >random 2>/dev/null; git add random; \(Self.commit)"
        )
        try pair.git(
            "push URL main", in: "copy",
            environment: ["GIT_TRACE_CURL": pair.client(.apus)("trace")])
        try pair.expectSameServed()
    }

    @Test(arguments: ["receive.shallowUpdate=false", "receive.shallowUpdate=true"])
    func fromAShallowClone(config: String) throws {
        // What is behind the cut is there: nothing is missing.
        let pair = try Self.pair("history", config: [config])
        for side in ServePair.Side.allCases {
            try Git.run(
                ["clone", "-q", "--depth=3", "file://" + pair.repository(side), "cut"],
                in: pair.client(side).path)
            try Self.shell(Self.commit, in: pair.client(side)("cut"))
        }
        try pair.git("push URL main", in: "cut")
        try pair.expectSameServed()
    }

    @Test func shallowHistoryIsRefused() throws {
        let pair = try Self.pair("tiny")
        let other = try Fixture.named("history")
        for side in ServePair.Side.allCases {
            try Git.run(
                ["clone", "-q", "--depth=3", "file://" + other.path, "cut"],
                in: pair.client(side).path)
        }
        try pair.git("push URL main:other", in: "cut", succeeds: false)
        try pair.git("push URL main:other main:another", in: "cut", succeeds: false)
        try pair.expectSameServed(objects: false)
        if !Apus.isGit {
            #expect(
                try objectIDs(pair.repository(.apus)).count
                    == objectIDs(Fixture.named("tiny").path).count)
        }
    }
}
