import Foundation
import GitCore
import GitStore
import Testing

@Suite struct RepositoryCreationTests {
    private func main() throws -> RefName { try #require(RefName("refs/heads/main")) }

    /// Every file and directory below, hooks and what templates bring left out.
    private func tree(_ oracle: RepositoryOracle, _ directory: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: oracle.root + "/" + directory)
            .filter { !$0.contains("hooks") && !$0.contains("branches") }.sorted()
    }

    @Test(arguments: [false, true], ObjectFormat.allCases)
    func makesWhatGitInitMakes(_ bare: Bool, _ format: ObjectFormat) throws {
        let oracle = try RepositoryOracle()
        try oracle.git(
            "init", "-q", "-b", "main", "--object-format=\(format.name)",
            bare ? "--bare" : "--quiet",
            "theirs")
        let repository = try Repository.create(
            at: oracle.path("ours"), bare: bare, initialBranch: main(), format: format,
            environment: oracle.environment)
        #expect(try tree(oracle, "ours") == tree(oracle, "theirs"))
        let inside = bare ? "/" : "/.git/"
        for name in ["HEAD", "config", "description"] {
            #expect(
                try oracle.text("ours" + inside + name) == oracle.text("theirs" + inside + name))
        }
        #expect(repository.format == format)
        #expect(repository.isBare == bare)
        #expect(repository.gitDirectory == oracle.path("ours" + (bare ? "" : "/.git")))
        #expect(repository.workTree == (bare ? nil : oracle.path("ours")))
        try oracle.git("fsck", in: "ours")
    }

    @Test func leavesWhatIsThere() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        try oracle.git("config", "a.b", "c", in: "r")
        try FileManager.default.removeItem(atPath: oracle.root + "/r/.git/info")
        let before = try oracle.text("r/.git/config")
        #expect(Repository.isRepository(gitDirectory: oracle.path("r/.git")))
        #expect(!Repository.isRepository(gitDirectory: oracle.path("r")))
        let repository = try Repository.create(
            at: oracle.path("r"), bare: false,
            initialBranch: try #require(RefName("refs/heads/other")),
            environment: oracle.environment)
        #expect(try repository.refs.resolve(.head)?.oid == oids.last)
        #expect(try oracle.text("r/.git/config") == before)
        #expect(oracle.exists("r/.git/info/exclude"))
        #expect(throws: StoreError.self) {
            try Repository.create(
                at: oracle.path("r"), bare: false, initialBranch: main(), format: .sha256,
                environment: oracle.environment)
        }
    }

    @Test func takesTheInitialBranchFromTheConfiguration() throws {
        func branch(_ text: String) throws -> ByteString {
            try Config(ConfigFile(parsing: Array(text.utf8))).initialBranch().bytes
        }
        #expect(try branch("") == "refs/heads/master")
        #expect(try branch("[init]\ndefaultBranch = trunk/x\n") == "refs/heads/trunk/x")
        #expect(throws: StoreError.self) { try branch("[init]\ndefaultBranch = a..b\n") }
    }

    @Test func editsTheConfigurationUnderItsLock() throws {
        let oracle = try RepositoryOracle()
        let repository = try Repository.create(
            at: oracle.path("r"), bare: false, initialBranch: main(),
            environment: oracle.environment)
        let path = oracle.root + "/r/.git/config"
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let key = try #require(ConfigKey("remote.origin.url"))
        try repository.editConfig { file throws(StoreError) in
            try file.set(key, "https://example.org/x")
        }
        #expect(try oracle.git("config", "remote.origin.url", in: "r") == "https://example.org/x")
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        // What fails halfway changes nothing and leaves no lock.
        let before = try oracle.text("r/.git/config")
        #expect(throws: StoreError.self) {
            try repository.editConfig { file throws(StoreError) in
                try file.set(key, "other")
                throw StoreError(.invalid, "stop")
            }
        }
        #expect(try oracle.text("r/.git/config") == before)
        #expect(!oracle.exists("r/.git/config.lock"))
        try oracle.write("r/.git/config.lock", "")
        let error = #expect(throws: StoreError.self) {
            try repository.editConfig { _ in }
        }
        #expect(error?.code == .conflict)
        #expect(oracle.exists("r/.git/config.lock"))
    }
}

@Suite struct RepositoryDiscoveryTests {
    private func discover(
        _ oracle: RepositoryOracle, _ directory: String, overrides: [(String, ByteString?)] = []
    ) throws -> Repository {
        try Repository.discover(
            from: oracle.path(directory), overrides: overrides, environment: oracle.environment)
    }

    /// Compares where we and git find ourselves in `directory`.
    private func compare(_ oracle: RepositoryOracle, _ directory: String) throws {
        let found = try discover(oracle, directory)
        let git = try oracle.git(
            "rev-parse", "--absolute-git-dir", "--is-bare-repository", "--path-format=absolute",
            "--git-common-dir", in: directory
        ).split(separator: "\n").map(String.init)
        #expect(found.gitDirectory == ByteString(git[0]))
        #expect(found.isBare == (git[1] == "true"))
        #expect(found.commonDirectory == ByteString(git[2]))
        let top = try oracle.run(["rev-parse", "--show-toplevel"], in: directory)
        // In a git directory git speaks of no work tree.
        if top.status == 0 { #expect(found.workTree == ByteString(top.text)) }
    }

    @Test func findsWhatGitFinds() throws {
        let oracle = try RepositoryOracle()
        _ = try oracle.makeCommits("r")
        try oracle.write("r/a/b/file", "x")
        try oracle.git("init", "-q", "--bare", "bare.git")
        try oracle.git("init", "-q", "--separate-git-dir", oracle.root + "/elsewhere", "linked")
        try oracle.git("worktree", "add", "-q", "-b", "side", "../side", in: "r")
        try oracle.git("config", "core.worktree", oracle.root + "/r/a", in: "elsewhere")
        for directory in [
            "r", "r/a", "r/a/b", "r/.git", "r/.git/refs", "bare.git", "bare.git/objects", "linked",
            "side",
        ] { try compare(oracle, directory) }
    }

    @Test func aLinkedWorkTreeSharesRefsAndHasItsOwnHead() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        try oracle.git("worktree", "add", "-q", "-b", "side", "../side", "main~1", in: "r")
        try oracle.git("update-ref", "refs/worktree/own", oids[0].hex, in: "side")
        let side = try discover(oracle, "side")
        let main = try discover(oracle, "r")
        #expect(try side.refs.resolve(.head)?.oid == oids[1])
        #expect(try main.refs.resolve(.head)?.oid == oids[2])
        let own: ByteString = "refs/worktree/own"
        #expect(try side.refs.list(prefix: "").map(\.name.bytes).contains(own))
        #expect(try !main.refs.list(prefix: "").map(\.name.bytes).contains(own))
        #expect(side.workTree == oracle.path("side"))
        let opened = try Repository.open(
            gitDirectory: oracle.path("side/.git"), environment: oracle.environment)
        #expect(opened.gitDirectory == side.gitDirectory && opened.workTree == side.workTree)
        let moved = try Repository.open(
            gitDirectory: oracle.path("r/.git"), workTree: oracle.path("home"),
            environment: oracle.environment)
        #expect(moved.workTree == oracle.path("home"))
    }

    @Test func stopsWhereThereIsNone() throws {
        let oracle = try RepositoryOracle()
        try oracle.write("r/sub/file", "")
        try oracle.git("init", "-q", "r")
        let ceiling = Environment(
            oracle.variables.mapValues { ByteString($0) }.merging(
                ["GIT_CEILING_DIRECTORIES": oracle.path("r")]) { $1 })
        let error = #expect(throws: StoreError.self) {
            try Repository.discover(from: oracle.path("r/sub"), environment: ceiling)
        }
        #expect(error?.code == .notFound)
        #expect(throws: StoreError.self) { try discover(oracle, "home") }
        #expect(throws: StoreError.self) { try discover(oracle, "missing") }
        #expect(throws: StoreError.self) {
            try Repository.open(gitDirectory: oracle.path("r"), environment: oracle.environment)
        }
    }

    @Test func opensTheSourceOfAClone() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "r")
        try oracle.git("init", "-q", "--bare", "b.git")
        for (path, expected) in [
            ("r", "r/.git"), ("r/", "r/.git"), ("r/.git", "r/.git"), ("b", "b.git"),
            ("b.git", "b.git"),
        ] {
            let found = try Repository.open(
                sourceAt: oracle.path(path), environment: oracle.environment)
            #expect(found.gitDirectory == oracle.path(expected))
        }
        #expect(throws: StoreError.self) {
            try Repository.open(sourceAt: oracle.path("x"), environment: oracle.environment)
        }
    }

    @Test(arguments: [
        "gitdir: /nowhere", "gitdir: ", "garbage", "", "gitdir: ../r/.git\0x",
    ]) func refusesAGitFileThatLeadsNowhere(_ content: String) throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "r")
        try oracle.write("w/.git", content)
        #expect(throws: StoreError.self) { try discover(oracle, "w") }
    }

    @Test func refusesFormatsThatItDoesNotKnow() throws {
        for (config, text, opens) in [
            ("[core]\nrepositoryformatversion = 2\n", "found 2", false),
            ("[core]\nrepositoryformatversion = 1\n[extensions]\nfoo = 1\n", "foo", false),
            ("[core]\nrepositoryformatversion = 0\n[extensions]\nfoo = 1\n", "", true),
            (
                "[core]\nrepositoryformatversion = 0\n[extensions]\nobjectformat = sha256\n",
                "objectformat", false
            ),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = md5\n", "md5",
                false
            ),
            ("[core]\nrepositoryformatversion = 1\n[extensions]\nnoop = 1\n", "", true),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\npartialClone = origin\n", "",
                true
            ),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\nrefstorage = reftable\n",
                "reftable", false
            ),
            ("[core\n", "line", false), ("", "", true),
        ] {
            let oracle = try RepositoryOracle()
            try oracle.git("init", "-q", "r")
            try oracle.write("r/.git/config", config)
            let theirs = try oracle.run(["rev-parse", "--git-dir"], in: "r").status == 0
            #expect(theirs == opens, "git on \(config)")
            if opens {
                #expect(try discover(oracle, "r").format == .sha1)
            } else {
                let error = #expect(throws: StoreError.self) { try discover(oracle, "r") }
                #expect(error?.message.contains(text) == true, "\(error as Any)")
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs to make files of another user"))
    func refusesTheRepositoryOfAnotherUser() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "group/r")
        for path in ["group/r", "group/r/.git"] { chown(oracle.root + "/" + path, 4_242, 4_242) }
        let error = #expect(throws: StoreError.self) { try discover(oracle, "group/r") }
        #expect(error?.code == .invalid)
        #expect(error?.message.contains("dubious ownership") == true)
        // The repository cannot vouch for itself; the user and the command line can.
        try oracle.write("group/r/.git/config", "[safe]\n\tdirectory = *\n")
        #expect(throws: StoreError.self) { try discover(oracle, "group/r") }
        #expect(throws: StoreError.self) {
            try Repository.open(sourceAt: oracle.path("group/r"), environment: oracle.environment)
        }
        let place = oracle.path("group/r")
        for trusted: ByteString in ["*", place, oracle.path("group") + "/*"] {
            _ = try discover(oracle, "group/r", overrides: [("safe.directory", trusted)])
        }
        for other: ByteString in ["", oracle.path("group"), place + "x", oracle.path("gro") + "/*"]
        {
            #expect(throws: StoreError.self) {
                try discover(oracle, "group/r", overrides: [("safe.directory", other)])
            }
        }
        #expect(throws: StoreError.self) {
            try discover(
                oracle, "group/r", overrides: [("safe.directory", "*"), ("safe.directory", "")])
        }
        // Named outright, it is the user's own choice.
        _ = try Repository.open(
            gitDirectory: oracle.path("group/r/.git"), environment: oracle.environment)
        let sudo = Environment(
            oracle.variables.mapValues { ByteString($0) }.merging(["SUDO_UID": "4242"]) { $1 })
        _ = try Repository.discover(from: place, environment: sudo)
    }

    @Test func bareRepositoriesCanBeKeptFromBeingFound() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "--bare", "b.git")
        let explicit: [(String, ByteString?)] = [("safe.bareRepository", "explicit")]
        #expect(throws: StoreError.self) { try discover(oracle, "b.git", overrides: explicit) }
        _ = try Repository.open(
            gitDirectory: oracle.path("b.git"), overrides: explicit,
            environment: oracle.environment)
    }
}
