import TestSupport
import Testing

/// What is shown is all that is given.
@Suite(.timeLimit(.minutes(10))) struct ServeVisibilityTests {
    /// Objects of the fixture by what leads to them.
    private struct Objects {
        private let ids: [String: String]

        /// The ids are the same in each copy.
        private static let shared = Result {
            let path = try Fixture.named("secrets").path
            let lost = String(decoding: (readFile("\(path)/lost") ?? []).dropLast(), as: UTF8.self)
            let names = ServeVisibilityTests.shown + ServeVisibilityTests.hidden + ["main~9"]
            let ids = try Git.run(
                ["rev-parse"]
                    + names.map { $0.hasPrefix("lost") ? lost + $0.dropFirst(4) : $0 }, in: path)
            return Dictionary(
                uniqueKeysWithValues: zip(names, ids.out.split(separator: "\n").map(String.init)))
        }

        init() throws { ids = try Self.shared.get() }

        func id(_ name: String) throws -> String {
            if name == ServeVisibilityTests.absent {
                return String(repeating: "12345678", count: 5)
            }
            return try #require(ids[name])
        }
    }

    private func pair(_ config: [String], version: Int? = nil) throws -> ServePair {
        try ServePair("secrets", version: version) { path in
            for one in ["transfer.hideRefs=refs/secret"] + config {
                let parts = one.split(separator: "=", maxSplits: 1).map(String.init)
                try Git.run(["config", "--add", parts[0], parts[1]], in: path)
            }
        }
    }

    private static let shown = [
        "main", "main~20", "main~5^{tree}", "main~3:folder1/file1.txt", "refs/tags/v1.0", "v1.0^{}",
    ]
    private static let hidden = [
        "refs/secret/tip", "refs/secret/tip~1", "refs/secret/tip^{tree}", "refs/secret/tip:secret1",
        "refs/secret/tag", "lost", "lost^{tree}", "lost:lost",
    ]
    /// The name for an id that no object has.
    private static let absent = "nothing"

    private func isGiven(
        _ client: RawClient, _ id: String, _ version: Int
    ) throws -> Bool {
        let body =
            version == 2
            ? RawClient.v2("fetch", ["want \(id)", "no-progress", "done"])
            : RawClient.v0(wants: [id])
        let answer = try client.post("upload-pack", body, version: version)
        let isGiven = answer.text.contains("PACK")
        if !isGiven {
            #expect(answer.text.contains("ERR upload-pack: not our ref \(id)"), "\(answer)")
        }
        return isGiven
    }

    @Test(arguments: [2, 1, 0])
    func whatIsHiddenIsNotGiven(version: Int) throws {
        let pair = try pair([])
        let (client, objects) = (try RawClient(pair), try Objects())
        if Apus.isGit { return }
        for name in Self.hidden + [Self.absent] {
            #expect(try !isGiven(client, objects.id(name), version), "\(name)")
        }
        #expect(try isGiven(client, objects.id("main"), version))
        #expect(try isGiven(client, objects.id("refs/tags/v1.0"), version))
    }

    @Test func versionTwoGivesWhatShownRefsLeadTo() throws {
        let pair = try pair([])
        let (client, objects) = (try RawClient(pair), try Objects())
        for name in Self.shown { #expect(try isGiven(client, objects.id(name), 2), "\(name)") }
    }

    /// What the configuration allows, beside git. Git gives blobs and trees that nothing shown leads to
    /// where it is asked for things that are reachable: that is not followed.
    @Test(
        arguments: [
            [], ["uploadpack.allowTipSHA1InWant=true"],
            ["uploadpack.allowReachableSHA1InWant=true"],
            ["uploadpack.allowAnySHA1InWant=true"],
        ], [0, 1])
    func leaveToAskForMore(config: [String], version: Int) throws {
        let pair = try pair(config)
        let (apus, git) = (try RawClient(pair), try RawClient(pair, .git))
        let objects = try Objects()
        for name in Self.shown + Self.hidden + [Self.absent] {
            let id = try objects.id(name)
            let gives = try isGiven(apus, id, version)
            let gitGives = try isGiven(git, id, version)
            let isAny = config.contains { $0.contains("Any") }
            if Self.hidden.contains(name), !isAny, name.contains("{tree}") || name.contains(":") {
                let isHidden = config.isEmpty || name.hasPrefix("lost")
                #expect(gives != isHidden || Apus.isGit, "\(name)")
            } else {
                #expect(gives == gitGives, "\(name) by git: \(gitGives)")
            }
        }
    }

    @Test func leaveToAskForAnythingInVersionTwo() throws {
        let pair = try pair(["uploadpack.allowAnySHA1InWant=true"])
        let (client, objects) = (try RawClient(pair), try Objects())
        for name in Self.shown + Self.hidden {
            #expect(try isGiven(client, objects.id(name), 2), "\(name)")
        }
        #expect(try !isGiven(client, objects.id(Self.absent), 2))
    }

    @Test func aHiddenTipMayBeAllowedInVersionTwo() throws {
        let pair = try pair(["uploadpack.allowTipSHA1InWant=true"])
        let (client, objects) = (try RawClient(pair), try Objects())
        #expect(try isGiven(client, objects.id("refs/secret/tip"), 2))
        if !Apus.isGit { #expect(try !isGiven(client, objects.id("lost"), 2)) }
    }

    /// To say that a hidden object is common would tell that it is here.
    @Test(arguments: [2, 0], ["refs/secret/tip", "refs/secret/tip:secret1", "lost", "lost:lost"])
    func whatIsHiddenIsNotAcknowledged(version: Int, name: String) throws {
        if Apus.isGit { return }
        let pair = try pair([])
        let (client, objects) = (try RawClient(pair), try Objects())
        let (hidden, shown, main) = (
            try objects.id(name), try objects.id("main~9"), try objects.id("main")
        )
        for have in [hidden, shown] {
            let body =
                version == 2
                ? RawClient.v2("fetch", ["want \(main)", "have \(have)", "wait-for-done"])
                : RawClient.v0(wants: [main], haves: [have])
            let answer = try client.post("upload-pack", body, version: version)
            #expect(answer.text.contains("ACK \(have)") == (have == shown), "\(answer)")
        }
    }

    /// To deepen behind a hidden commit would give what is behind it.
    @Test(arguments: ["refs/secret/tip", "lost"])
    func whatIsHiddenIsNotDeepened(name: String) throws {
        if Apus.isGit { return }
        let pair = try pair([])
        let (client, objects) = (try RawClient(pair), try Objects())
        let (hidden, shown, main) = (
            try objects.id(name), try objects.id("main~9"), try objects.id("main")
        )
        for shallow in [hidden, shown] {
            let body = RawClient.v2(
                "fetch", ["want \(main)", "shallow \(shallow)", "deepen 2147483647", "done"])
            let answer = try client.post("upload-pack", body, version: 2)
            #expect(answer.text.contains("packfile"), "\(answer)")
            #expect(answer.text.contains("unshallow \(shallow)") == (shallow == shown))
        }
    }

    @Test(
        arguments: [
            ["transfer.hideRefs=refs/heads/topic"], ["uploadpack.hideRefs=refs/tags"],
            ["uploadpack.hideRefs=refs/heads", "uploadpack.hideRefs=!refs/heads/main"],
            ["transfer.hideRefs=^refs/pull"],
            ["transfer.hideRefs=refs", "uploadpack.hideRefs=!refs/tags/v1.0"],
            ["uploadpack.hideRefs=refs/heads/mai"], ["uploadpack.hideRefs=refs/tags/"],
            ["transfer.hideRefs=HEAD"], ["transfer.hideRefs=refs/heads/main"],
            ["receive.hideRefs=refs/heads"],
        ], [2, 1, 0])
    func whatIsShown(config: [String], version: Int) throws {
        let pair = try pair(config, version: version)
        try pair.git(["ls-remote", "--symref", "URL"], succeeds: nil)
        try pair.git(["clone", "--mirror", "URL", "copy"], words: .none, succeeds: nil)
        if exists(pair.client(.git)("copy")) { try pair.expectSameClients() }
    }

    // MARK: What is advertised

    @Test(
        arguments: [
            [], ["uploadpack.allowFilter=true"], ["uploadpack.allowRefInWant=true"],
            ["uploadpack.allowTipSHA1InWant=true"], ["uploadpack.allowReachableSHA1InWant=true"],
            ["uploadpack.allowAnySHA1InWant=true"], ["uploadpack.allowSidebandAll=true"],
            ["lsrefs.unborn=ignore"], ["lsrefs.unborn=allow"],
            ["transfer.advertiseObjectInfo=true"],
            [
                "uploadpack.advertiseBundleURIs=true", "bundle.version=1", "bundle.mode=all",
                "bundle.one.uri=https://example.com/one.bundle",
            ], ["receive.advertiseAtomic=false"], ["receive.advertisePushOptions=true"],
            ["repack.useDeltaBaseOffset=false"],
        ])
    func capabilities(config: [String]) throws {
        let pair = try pair(config + ["http.receivepack=true"])
        for service in ["upload-pack", "receive-pack"] {
            for version in [2, 1, 0] {
                let apus = try RawClient(pair).advertisement(service, version: version)
                let git = try RawClient(pair, .git).advertisement(service, version: version)
                #expect(apus.status == git.status)
                let (mine, theirs) = (Self.capabilities(apus), Self.capabilities(git))
                #expect(
                    mine.symmetricDifference(theirs) == [],
                    "\(service) \(version)")
            }
        }
    }

    /// Lines and capabilities, without those that tell of the program; the oracle always allows filters.
    private static func capabilities(_ answer: RawClient.Answer) -> Set<String> {
        let text = answer.text.replacing("\\x0a", with: " ").replacing("\\x00", with: " ")
        return Set(
            text.split(separator: " ").map(String.init).map { word in
                word.firstMatch(of: /^(?:[0-9a-f]{4})*([a-z].*)$/).map { String($0.1) } ?? word
            }
        ).filter { word in
            // That of the oracle is older, or newer.
            !["agent=", "filter", "object-info", "bundle-uri", "session-id", "service="].contains {
                word.contains($0)
            } && !word.hasPrefix("fetch=") && word != "001f#"
        }
    }

    /// Which the oracle may be too old for.
    @Test func listsBundles() throws {
        if Apus.isGit { return }
        let pair = try pair([
            "uploadpack.advertiseBundleURIs=true", "bundle.version=1", "bundle.mode=all",
            "bundle.one.uri=https://example.com/one.bundle",
            "bundle.two.uri=https://example.com/two.bundle",
        ])
        let client = try RawClient(pair)
        #expect(try client.advertisement("upload-pack").text.contains("bundle-uri\\x0a"))
        let answer = try client.post("upload-pack", RawClient.v2("bundle-uri", []))
        let lines = [
            "bundle.version=1", "bundle.mode=all", "bundle.one.uri=https://example.com/one.bundle",
            "bundle.two.uri=https://example.com/two.bundle",
        ]
        let expected = lines.flatMap { RawClient.line(Array($0.utf8)) } + RawClient.flush
        #expect(answer.body == expected)
    }

    @Test func whatIsOnlyTurnedOnIsAdvertised() throws {
        if Apus.isGit { return }
        for (key, word) in [
            ("transfer.advertiseObjectInfo", "object-info"), ("uploadpack.allowFilter", "filter"),
            ("uploadpack.advertiseBundleURIs", "bundle-uri"),
        ] {
            for value in ["true", "false"] {
                let pair = try pair(["\(key)=\(value)", "bundle.version=1"])
                let text = try RawClient(pair).advertisement("upload-pack").text
                #expect(text.contains(word) == (value == "true"), "\(text)")
            }
        }
    }

    @Test func tellsOfObjects() throws {
        let pair = try pair(["transfer.advertiseObjectInfo=true"])
        let objects = try Objects()
        let ids = try Self.shown.map(objects.id).map { "oid \($0)" }
        let answers = try ServePair.Side.allCases.map {
            try RawClient(pair, $0).post("upload-pack", RawClient.v2("object-info", ["size"] + ids))
        }
        #expect(answers[0].text == answers[1].text)
        if Apus.isGit { return }
        // What is hidden looks like what is not there.
        for name in Self.hidden + [Self.absent] {
            let id = try objects.id(name)
            let answer = try RawClient(pair).post(
                "upload-pack", RawClient.v2("object-info", ["size", "oid \(id)"]))
            #expect(answer.text.contains("\(id) 0000"), "\(name): \(answer)")
        }
    }

    /// The branch moves between what a client of version 0 is shown and what it asks for.
    @Test(arguments: [0, 1])
    func aBranchThatMovesOnMeanwhile(version: Int) throws {
        let pair = try pair([])
        let old = try RawClient(pair).head()
        try pair.inRepositories { path in
            let new = try Git.line(
                ["commit-tree", "-p", "main", "-m", "New", "main^{tree}"], in: path)
            try Git.run(["update-ref", "refs/heads/main", new], in: path)
        }
        for side in ServePair.Side.allCases {
            #expect(try isGiven(RawClient(pair, side), old, version))
        }
    }
}
