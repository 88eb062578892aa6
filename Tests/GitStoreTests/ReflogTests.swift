import GitCore
import Testing

@testable import GitStore

@Suite struct ReflogTests {
    /// Runs the same changes through git and through us, and compares every log byte for byte.
    private func compare(
        _ policy: ReflogPolicy, _ configured: String,
        _ names: [ByteString] = [
            "HEAD", "refs/heads/main", "refs/heads/a/b", "refs/tags/t", "refs/x/y",
        ]
    ) throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("ours")
        _ = try oracle.makeCommits("theirs")
        let committer = try Identity.current(
            .committer, config: Config(ConfigFile()), environment: oracle.environment, strict: true)
        let store = refStore(oracle, "ours", policy: policy)
        try oracle.git("config", "core.logAllRefUpdates", configured, in: "theirs")
        let message = "  one:\ttwo \n three  "
        for name in names.dropFirst(2) {
            try oracle.git(
                "update-ref", "-m", message, name.printable, oids[0].hex, in: "theirs")
            var change = RefTransaction(committer: committer, message: ByteString(message))
            change.update(try ref(name), to: oids[0], expecting: .missing)
            try store.update(change)
        }
        for (name, oid) in [
            ("HEAD", oids[1]), ("refs/heads/main", oids[0]), ("refs/tags/t", oids[2]),
        ] {
            try oracle.git("update-ref", "-m", "again", name, oid.hex, in: "theirs")
            var change = RefTransaction(committer: committer, message: "again")
            change.update(try ref(ByteString(name)), to: oid, followingSymbolic: true)
            try store.update(change)
        }
        try oracle.git("symbolic-ref", "-m", "moving", "HEAD", "refs/heads/a/b", in: "theirs")
        var move = RefTransaction(committer: committer, message: "moving")
        move.setSymbolic(.head, to: try ref("refs/heads/a/b"))
        try store.update(move)
        for name in names {
            let path = "/.git/logs/" + name.printable
            #expect(oracle.exists("ours" + path) == oracle.exists("theirs" + path), "\(name)")
            guard oracle.exists("ours" + path) else { continue }
            #expect(try oracle.text("ours" + path) == oracle.text("theirs" + path), "\(name)")
        }
        var delete = RefTransaction(committer: committer, message: "gone")
        delete.delete(try ref("refs/heads/a/b"))
        try store.update(delete)
        try oracle.git("update-ref", "-m", "gone", "-d", "refs/heads/a/b", in: "theirs")
        #expect(try oracle.text("ours/.git/logs/HEAD") == oracle.text("theirs/.git/logs/HEAD"))
        #expect(!oracle.exists("ours/.git/logs/refs/heads/a"))
    }

    @Test func logsWhatGitLogs() throws { try compare(.branches, "true") }

    @Test func logsEverythingWhenAsked() throws { try compare(.all, "always") }

    @Test func goesOnWithLogsThatAreThere() throws { try compare(.none, "false") }

    @Test(arguments: [
        ("[core]\nlogallrefupdates = always\n", "refs/tags/x", true),
        ("[core]\nlogallrefupdates\n", "refs/tags/x", false),
        ("[core]\nlogallrefupdates = no\n", "HEAD", false), ("", "HEAD", true),
        ("[core]\nlogallrefupdates = 1\n", "refs/heads/x", true), ("", "refs/heads/x", true),
        ("", "refs/notes/x", true),
        ("", "refs/remotes/o/x", true), ("", "refs/stash", false), ("", "ORIG_HEAD", false),
    ]) func choosesWhatToLog(_ text: String, _ name: String, _ expected: Bool) throws {
        let config = Config(try ConfigFile(parsing: Array(text.utf8)))
        let policy = try ReflogPolicy(config, isBare: false)
        let bare = try ReflogPolicy(config, isBare: true)
        #expect(bare.logs(try ref(ByteString(name))) == (expected && !text.isEmpty))
        #expect(policy.logs(try ref(ByteString(name))) == expected)
    }

    @Test func readsLogsBack() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        let log = try refStore(oracle).reflog(.head)
        #expect(log.map(\.new) == oids)
        #expect(log.map(\.old) == [.zero(.sha1)] + oids.dropLast())
        #expect(log.first?.message == "commit (initial): commit 0")
        #expect(log.first?.committer.encoded == "C O Mitter <mitter@example.org> 1112912053 -0700")
        #expect(try refStore(oracle).reflog(ref("refs/heads/none")) == [])
        try oracle.write("r/.git/logs/HEAD", try oracle.text("r/.git/logs/HEAD") + "garbage\n")
        #expect(throws: StoreError.self) { try refStore(oracle).reflog(.head) }
    }
}
