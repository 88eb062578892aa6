import TestSupport
import Testing

/// Partial clones, and what they fetch later.
@Suite(.timeLimit(.minutes(10))) struct ServeFilterTests {
    static let filters = [
        "blob:none", "blob:limit=0", "blob:limit=1k", "blob:limit=900", "tree:0", "tree:1",
        "tree:2",
        "tree:3", "object:type=commit", "object:type=tree", "object:type=blob", "object:type=tag",
        "combine:blob:none+tree:2", "combine:blob:limit=1k+tree:3",
        "combine:tree:1+object:type=tree",
    ]

    private func allowing(_ more: [(String, String)] = []) -> (String) throws -> Void {
        { path in
            for (key, value) in [("uploadpack.allowFilter", "true")] + more {
                try Git.run(["config", key, value], in: path)
            }
        }
    }

    @Test(arguments: ServePair.sample(filters), [2, 0])
    func bareCloneHoldsTheSame(filter: String, version: Int) throws {
        let pair = try ServePair("history", version: version, setUp: allowing())
        try pair.git(["clone", "--bare", "--filter=\(filter)", "URL", "copy"], words: .all)
        try pair.expectSameClients()
    }

    @Test(arguments: ["blob:none", "tree:1", "blob:limit=10"])
    func tagsOfEveryKind(filter: String) throws {
        let pair = try ServePair("nested-tags", setUp: allowing())
        try pair.git(["clone", "--mirror", "--filter=\(filter)", "URL", "copy"])
        try pair.expectSameClients()
    }

    /// What a ref names is given, whatever the filter; git leaves out a tree of which it came by before.
    @Test(arguments: ["tree:0", "object:type=tag"], [2, 0])
    func whatIsAskedForByIdIsGiven(filter: String, version: Int) throws {
        if Apus.isGit { return }
        let pair = try ServePair("nested-tags", version: version, setUp: allowing())
        try Git.run(
            ["clone", "-q", "--mirror", "--filter=\(filter)", ServePair.url, "copy"],
            in: pair.client(.apus).path, environment: pair.environment(.apus))
        try Git.run(["fsck", "--strict"], in: pair.client(.apus)("copy"))
    }

    /// What a checkout needs is fetched by id, one at a time or many.
    @Test(arguments: ["blob:none", "blob:limit=500", "tree:0", "tree:1"], [2, 0])
    func missingObjectsAreFetchedLater(filter: String, version: Int) throws {
        let pair = try ServePair(
            "history", version: version,
            setUp: allowing([("uploadpack.allowAnySHA1InWant", "true")]))
        try pair.git(["clone", "--filter=\(filter)", "URL", "copy"], words: .all)
        try pair.expectSameClients()
        try pair.git(["checkout", "-q", "v1.0"], in: "copy")
        try pair.git(["cat-file", "-p", "main~150:folder3/file3.txt"], in: "copy", succeeds: nil)
        try pair.git(["log", "-p", "-5", "--format=%s"], in: "copy", words: .none)
        try pair.expectSameClients()
        try pair.git(["fetch", "-q", "--refetch", "--filter=blob:none", "origin"], in: "copy")
        try pair.expectSameClients()
    }

    /// In version 2 no leave is needed: what shown refs lead to is given.
    @Test func missingObjectsAreFetchedWithoutLeave() throws {
        let pair = try ServePair("history", setUp: allowing())
        try pair.git(["clone", "--filter=blob:none", "URL", "copy"], words: .all)
        try pair.git(["checkout", "-q", "v1.0"], in: "copy")
        try pair.expectSameClients()
    }

    @Test(arguments: [2, 0])
    func partialAndShallow(version: Int) throws {
        let pair = try ServePair("history", version: version, setUp: allowing())
        try pair.git(
            ["clone", "--bare", "--depth=3", "--filter=blob:none", "URL", "copy"], words: .all)
        try pair.expectSameClients()
        try pair.git(["fetch", "-q", "--deepen=5", "origin"], in: "copy", succeeds: nil)
        try pair.expectSameClients()
    }

    /// The same clone with the oracle reading the repository itself: its HTTP server always allows
    /// filters.
    private func locally(
        _ pair: ServePair, _ version: Int, _ filter: String
    ) throws -> [RunResult] {
        try ServePair.Side.allCases.map { side in
            let url = side == .apus ? try pair.url(side) : "file://" + pair.repository(side)
            return try Git.attempt(
                ["clone", "--bare", "--filter=\(filter)", ServePair.url, "copy"],
                in: pair.client(side).path,
                environment: configuration([
                    ("protocol.version", "\(version)"), ("url.\(url).insteadOf", ServePair.url),
                ]))
        }
    }

    @Test(arguments: [2, 0])
    func filtersThatAreNotAllowed(version: Int) throws {
        let pair = try ServePair("tiny", version: version) { path in
            try Git.run(["config", "uploadpack.allowFilter", "false"], in: path)
        }
        let results = try locally(pair, version, "blob:none")
        if Apus.isGit { return }
        #expect(results[0].errorLines == results[1].errorLines)
        #expect(results[0].err.contains("filtering not recognized by server, ignoring"))
        try pair.expectSameClients()
    }

    @Test(
        arguments: [
            ("blob:none", [("uploadpackfilter.blob:none.allow", "false")]),
            ("blob:limit=1k", [("uploadpackfilter.blob:limit.allow", "false")]),
            ("blob:none", [("uploadpackfilter.allow", "false")]),
            (
                "blob:none",
                [("uploadpackfilter.allow", "false"), ("uploadpackfilter.blob:none.allow", "true")]
            ),
            ("tree:2", [("uploadpackfilter.tree.maxDepth", "1")]),
            ("tree:1", [("uploadpackfilter.tree.maxDepth", "1")]),
            ("combine:blob:none+tree:2", [("uploadpackfilter.tree.allow", "false")]),
            ("combine:blob:none+tree:2", [("uploadpackfilter.combine.allow", "false")]),
            ("combine:blob:none+tree:2", [("uploadpackfilter.tree.maxDepth", "1")]),
            ("object:type=tag", [("uploadpackfilter.object:type.allow", "false")]),
            ("sparse:oid=main:file", [("uploadpackfilter.allow", "true")]),
            ("sparse:oid=main:file", [("uploadpackfilter.sparse:oid.allow", "false")]),
        ], [2, 0])
    func rulesOnFilters(_ rule: (filter: String, config: [(String, String)]), version: Int) throws {
        let pair = try ServePair("history", version: version, setUp: allowing(rule.config))
        let results = try locally(pair, version, rule.filter)
        #expect(results[0].succeeded == results[1].succeeded, "\(results[0].err)")
        #expect(results[0].succeeded || results[0].exit == .code(128))
        // The oracle's server writes to the same standard error.
        let said = results[0].errorLines.filter { $0.hasPrefix("fatal: remote error: ") }
        for line in said {
            #expect(results[1].err.contains(line.dropFirst("fatal: remote error: ".count)))
        }
        #expect(results[0].succeeded == said.isEmpty)
        if results[1].succeeded { try pair.expectSameClients() }
    }

    private static let sparseScript = """
        blob=$(printf '/*\\n!/*/\\n/folder1/\\n*3.txt\\n' | git hash-object -w --stdin)
        tree=$( (git ls-tree main; printf '100644 blob %s\\tpatterns\\n' "$blob") | git mktree)
        git update-ref refs/heads/main $(GIT_COMMITTER_DATE='1700000000 +0000' \
            GIT_AUTHOR_DATE='1700000000 +0000' git commit-tree "$tree" -p main -m Patterns)
        hidden=$(echo hidden | git hash-object -w --stdin)
        tree=$( (git ls-tree main; printf '100644 blob %s\\thidden\\n' "$hidden") | git mktree)
        git update-ref refs/hidden/one $(git commit-tree "$tree" -m Hidden)
        git config uploadpack.hideRefs refs/hidden
        """

    @Test(
        arguments: ["main:patterns", "HEAD:patterns", "OID", "main:folder1/file1.txt"], [2, 0])
    func sparsePatterns(name: String, version: Int) throws {
        let pair = try ServePair("history", version: version) { path in
            try allowing()(path)
            try run("/bin/bash", ["-ec", Self.sparseScript], directory: path).required()
        }
        let oid = try Git.line(["rev-parse", "main:patterns"], in: pair.repository(.apus))
        let filter = "sparse:oid=\(name == "OID" ? oid : name)"
        try pair.git(
            ["clone", "--no-checkout", "--filter=\(filter)", "URL", "copy"], words: .verdicts)
        try pair.expectSameClients()
        try pair.git(
            ["clone", "--bare", "--filter=combine:\(filter)+blob:limit=60", "URL", "both"],
            words: .verdicts)
        try pair.expectSameClients()
    }

    /// What a client may not have is to it as what is not there, whatever name it has.
    @Test(arguments: [2, 0])
    func sparsePatternsThatAreNotShown(version: Int) throws {
        if Apus.isGit { return }
        let pair = try ServePair("history", version: version) { path in
            try allowing()(path)
            try run("/bin/bash", ["-ec", Self.sparseScript], directory: path).required()
        }
        func hidden(_ name: String) throws -> String {
            try Git.line(["rev-parse", name], in: pair.repository(.apus))
        }
        let commit = try hidden("refs/hidden/one")
        for name in [
            "refs/hidden/one:hidden", "refs/hidden/one:patterns", "hidden/one:patterns",
            "\(commit):hidden", "\(commit):patterns", try hidden("refs/hidden/one:hidden"),
            commit, "main:", "main:folder1", "main", "nothing", "main:nothing", ":patterns",
            String(repeating: "1", count: 40), "main@{1}:patterns",
        ] {
            let result = try locally(pair, version, "sparse:oid=\(name)")[0]
            #expect(result.exit == .code(128), "\(name)")
            #expect(
                result.err.contains("unable to access sparse blob in '\(name)'"),
                "\(name): \(result.err)")
        }
        // It lives.
        try pair.git(["clone", "URL", "other"])
    }

    @Test(arguments: [
        "nonsense", "tree:", "tree:-1", "blob:limit=", "blob:limit=x", "sparse:path=x", "combine:",
        "combine:blob%3anone+", "object:type=x", "tree:99999999999999999999999",
    ])
    func malformedFilters(filter: String) throws {
        let pair = try ServePair("tiny", setUp: allowing())
        let client = try RawClient(pair)
        let request = RawClient.v2(
            "fetch", ["want \(try client.head())", "filter \(filter)", "done"])
        let answer = try client.post("upload-pack", request)
        #expect(answer.text.contains("ERR "), "\(answer)")
        #expect(!answer.text.contains("packfile"), "\(answer)")
        // It lives.
        try pair.git(["clone", "URL", "copy"])
    }
}
