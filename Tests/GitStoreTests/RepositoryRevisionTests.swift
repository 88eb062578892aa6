import GitCore
import GitStore
import Testing

@Suite struct RepositoryRevisionTests {
    private func makeHistory() throws -> RepositoryOracle {
        let oracle = try RepositoryOracle()
        _ = try oracle.makeCommits("r", count: 4)
        try oracle.write("r/file", "content\n")
        try oracle.write("r/dir/sub/deep", "deep\n")
        try oracle.git("add", ".", in: "r")
        try oracle.git("commit", "-q", "-m", "files", in: "r")
        try oracle.git("checkout", "-q", "-b", "side", "main~2", in: "r")
        try oracle.git("commit", "-q", "--allow-empty", "-m", "side", in: "r")
        try oracle.git("checkout", "-q", "main", in: "r")
        try oracle.git("merge", "-q", "--no-ff", "-m", "merge", "side", in: "r")
        try oracle.git("tag", "-a", "-m", "x", "v1", in: "r")
        try oracle.git("tag", "-a", "-m", "x", "v2", "v1", in: "r")
        try oracle.git("tag", "blob", "main:file", in: "r")
        try oracle.git("update-ref", "refs/remotes/origin/main", "main~1", in: "r")
        try oracle.git(
            "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main", in: "r")
        try oracle.git("update-ref", "refs/tags/side", "main", in: "r")
        try oracle.git("update-ref", "refs/heads/beef", "main~1", in: "r")
        return oracle
    }

    private func open(_ oracle: RepositoryOracle) throws -> Repository {
        try Repository.open(
            gitDirectory: oracle.path("r/.git"), environment: oracle.environment)
    }

    static let revisions = [
        "HEAD", "@", "main", "heads/main", "refs/heads/main", "side", "heads/side", "tags/v1", "v1",
        "v2", "origin", "origin/main", "remotes/origin/HEAD", "beef", "blob", "nothing", "", "^",
        "~",
        "HEAD^", "HEAD~", "HEAD^^", "HEAD^2", "HEAD^3", "HEAD^0", "HEAD~0", "HEAD~2", "HEAD~2^0",
        "HEAD^2~1", "HEAD~99", "@~1", "@^", "v1^0", "v2^{}", "v2^{commit}", "v2^{tree}", "v2^{tag}",
        "v2^{object}", "v1^{blob}", "blob^{}", "blob^{blob}", "blob^{commit}", "blob^0", "blob~1",
        "HEAD^{nonsense}", "HEAD^{", "HEAD^x", "HEAD~1x", "HEAD:file", "HEAD:dir", "HEAD:dir/",
        "HEAD:dir/sub/deep", "HEAD:", "HEAD:nothing", "HEAD:file/x", "HEAD:file/", "HEAD:/file",
        "v2:file",
        "HEAD^{tree}:dir/sub", "HEAD~1:file", "blob:x", "HEAD^{tree}^{tree}", "HEAD^{tree}~1",
        "HEAD^99999999999999999999", "a b", "HEAD..main", "x@{y", "-x", "HEAD:dir//sub",
    ]

    @Test func namesWhatGitNames() throws {
        let oracle = try makeHistory()
        let repository = try open(oracle)
        for text in Self.revisions where text != "HEAD:dir//sub" {
            let outcome = try oracle.run(
                ["rev-parse", "--verify", "--end-of-options", text], in: "r")
            let ours = try? repository.resolve(revision: ByteString(text)).oid.hex
            #expect(ours == (outcome.status == 0 ? outcome.text : nil), "of '\(text)'")
        }
    }

    @Test func saysWhichRefItWasAndWhichItWasNot() throws {
        let oracle = try makeHistory()
        defer { withExtendedLifetime(oracle) {} }
        let repository = try open(oracle)
        let side = try repository.resolve(revision: "side")
        #expect(side.ref?.bytes == "refs/tags/side")
        #expect(side.alternatives.map(\.bytes) == ["refs/heads/side"])
        #expect(try repository.resolve(revision: "@").ref == .head)
        #expect(try repository.resolve(revision: "HEAD~1").ref == nil)
        #expect(try repository.resolve(revision: "HEAD:file").mode == .regular)
    }

    @Test func takesAbbreviations() throws {
        let oracle = try makeHistory()
        let repository = try open(oracle)
        let oid = try oracle.git("rev-parse", "HEAD", in: "r")
        for text in [
            oid, oid.uppercased(), String(oid.prefix(8)), oid.prefix(8).uppercased(),
            "v1-3-g" + oid.prefix(10), oid.prefix(12) + "^{tree}", oid.prefix(39) + "",
        ] {
            let theirs = try oracle.git("rev-parse", "--verify", text, in: "r")
            #expect(try repository.resolve(revision: ByteString(text)).oid.hex == theirs, "\(text)")
        }
        #expect(throws: StoreError.self) {
            try repository.resolve(revision: ByteString(String(oid.prefix(3))))
        }
        #expect(throws: StoreError.self) { try repository.resolve(revision: "0123456789") }
        // Whole ids are taken as they are.
        let absent = String(repeating: "1", count: 40)
        #expect(try repository.resolve(revision: ByteString(absent)).oid.hex == absent)
    }

    @Test func listsTheCandidatesOfAnAmbiguousAbbreviation() throws {
        let oracle = try makeHistory()
        // Enough blobs that two of them share their first four digits.
        var seen: [String: String] = [:]
        var pair: (String, String)?
        for number in 0 ..< 400 { try oracle.write("blobs/\(number)", "blob \(number)\n") }
        let paths = (0 ..< 400).map { oracle.root + "/blobs/\($0)" }
        let outcome = try oracle.run(["hash-object", "-w"] + paths, in: "r")
        for oid in outcome.text.split(separator: "\n").map(String.init) {
            if let other = seen.updateValue(oid, forKey: String(oid.prefix(4))) {
                pair = (other, oid)
            }
        }
        let (a, b) = try #require(pair)
        let repository = try open(oracle)
        let error = #expect(throws: StoreError.self) {
            try repository.resolve(revision: ByteString(String(a.prefix(4))))
        }
        #expect(error?.code == .invalid)
        #expect(error?.message.contains("\(a) blob") == true)
        #expect(error?.message.contains("\(b) blob") == true)
        #expect(try repository.resolve(revision: ByteString(a)).oid.hex == a)
    }

    @Test func refusesFormsThatItDoesNotKnow() throws {
        let oracle = try makeHistory()
        defer { withExtendedLifetime(oracle) {} }
        let repository = try open(oracle)
        for text: ByteString in ["HEAD@{1}", "@{-1}", "main@{u}", "HEAD^{/files}"] {
            let error = #expect(throws: StoreError.self) { try repository.resolve(revision: text) }
            #expect(error?.code == .unsupported, "\(text)")
        }
        for text: ByteString in [":file", ":/files", "HEAD\0"] {
            #expect(throws: StoreError.self) { try repository.resolve(revision: text) }
        }
    }

    @Test func peelsRefsInListings() throws {
        let oracle = try makeHistory()
        let repository = try open(oracle)
        for _ in 0 ..< 2 {
            let theirs = try oracle.git("show-ref", "--dereference", in: "r")
            let ours = try repository.refs.list(prefix: "").flatMap { entry in
                ["\(entry.oid) \(entry.name)"]
                    + (entry.peeled.map { ["\($0) \(entry.name)^{}"] } ?? [])
            }
            #expect(ours.joined(separator: "\n") == theirs)
            try oracle.git("pack-refs", "--all", in: "r")
        }
    }
}
