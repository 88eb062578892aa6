import GitCore
import GitStore
import TestSupport
import Testing

@testable import GitClient
@testable import GitWire

/// Fetches beside `git fetch` of the same, from stock git's server.
@Suite(.timeLimit(.minutes(10))) struct FetchTests {
    enum History: CaseIterable {
        case behind, diverged, unrelated, ahead, rewritten, empty, merged
    }

    /// A repository at `copy`, and what happened since on both sides.
    private func make(_ history: History, _ scene: FetchScene) throws -> String {
        if history == .empty { return try scene.emptyRepository("copy") }
        if history == .unrelated {
            let copy = try scene.emptyRepository("copy")
            try scene.git("clone", "-q", copy, scene.path("other"))
            try scene.commit(4, in: scene.path("other"), file: "other")
            try scene.git("push", "-q", "origin", "HEAD:main", in: scene.path("other"))
            return copy
        }
        let copy = try scene.clone("copy")
        switch history {
        case .diverged:
            try scene.commit(3, in: copy, file: "mine")
            try scene.commit(3)
        case .ahead: try scene.commit(3, in: copy, file: "mine")
        case .rewritten:
            try scene.git("reset", "-q", "--hard", "HEAD~3")
            try scene.commit(4)
        case .merged:
            try scene.git("checkout", "-q", "-b", "side", "HEAD~2")
            try scene.commit(2, file: "side")
            try scene.git("checkout", "-q", "main")
            try scene.git("merge", "-q", "-m", "Merge", "side")
            try scene.git("tag", "-a", "-m", "One", "v1")
        default: try scene.commit(3)
        }
        return copy
    }

    @Test(arguments: History.allCases, [ProtocolVersion.v0, .v1, .v2])
    func bringsWhatGitBrings(history: History, version: ProtocolVersion) async throws {
        try await compare(try FetchScene(), history, version)
    }

    @Test(arguments: [History.behind, .diverged, .empty], [ProtocolVersion.v0, .v2])
    func bringsWhatGitBringsInSHA256(history: History, version: ProtocolVersion) async throws {
        try await compare(try FetchScene(sha256: true), history, version)
    }

    /// A server that has never heard of versions.
    @Test(arguments: [History.diverged, .rewritten])
    func speaksVersionZeroWhenTheServerDoes(history: History) async throws {
        try await compare(try FetchScene(location: "old"), history, .v2)
    }

    private func compare(
        _ scene: FetchScene, _ history: History, _ version: ProtocolVersion
    ) async throws {
        let copy = try make(history, scene)
        let before = try FetchScene.objects(copy)
        let twin = try scene.twin(of: "copy")
        let summary = try await scene.fetch(into: copy, version: version)
        try Git.run(
            [
                "-c", "protocol.version=\(version.rawValue)", "fetch", "-q", scene.url,
                "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*",
            ], in: twin)
        #expect(try FetchScene.faults(copy) == "")
        #expect(try FetchScene.refs(copy) == FetchScene.refs(twin))
        let after = try FetchScene.objects(copy)
        #expect(try after == FetchScene.objects(twin))
        #expect(summary.objectCount == after.subtracting(before).count)
        #expect(try FetchScene.files(copy).filter { $0.contains("tmp_") } == [])
        #expect(try FetchScene.files(copy).filter { $0.hasSuffix(".keep") } == [])
        // Once more: all is there.
        let again = try await scene.fetch(into: copy, version: version)
        #expect(again.requestCount == 0 && again.objectCount == 0 && again.wants == [])
    }

    @Test func asksNothingOfTheServerWhereAllIsThere() async throws {
        let scene = try FetchScene()
        let copy = try scene.clone("copy")
        let files = try FetchScene.files(copy)
        try await scene.fetch(into: copy)
        #expect(try FetchScene.files(copy) == files)
        let requests = scene.server.requests(with: scene.name)
        // The clone's, then the advertisement and the refs.
        #expect(requests.count { $0.hasPrefix("POST") } == 2 + 1)
    }

    /// An object that is here without what it leads to does not count as here.
    @Test func fetchesWhatIsThereInPart() async throws {
        let scene = try FetchScene()
        let copy = try scene.clone("copy")
        try scene.commit(1)
        let tip = try scene.git("rev-parse", "HEAD")
        let content = try Git.run(["cat-file", "commit", tip], in: scene.upstream).stdout
        let written = try Git.run(
            ["hash-object", "-w", "-t", "commit", "--stdin"], in: copy, input: content
        ).out
        #expect(written == tip + "\n")
        let summary = try await scene.fetch(into: copy)
        #expect(summary.wants.map(\.hex) == [tip])
        #expect(try FetchScene.faults(copy) == "")
        #expect(try scene.git("rev-parse", "origin/main", in: copy) == tip)
    }

    @Test(arguments: [ProtocolVersion.v0, .v2])
    func findsTheCommonCommitFarBack(version: ProtocolVersion) async throws {
        let scene = try FetchScene()
        let copy = try scene.clone("copy")
        try scene.commit(60, in: copy, file: "mine")
        try scene.git("remote", "remove", "origin", in: copy)
        try scene.commit(3)
        let twin = try scene.twin(of: "copy")
        let summary = try await scene.fetch(into: copy, version: version)
        try scene.git("fetch", "-q", scene.url, "main", in: twin)
        #expect(summary.objectCount == 3 * 4)
        #expect(summary.requestCount > 1)
        #expect(try FetchScene.objects(copy) == FetchScene.objects(twin))
    }

    /// Of commits behind one that is common none is told.
    @Test func doesNotTellWhatIsBehindACommonCommit() async throws {
        let scene = try FetchScene(commits: 200)
        let copy = try scene.clone("copy")
        try scene.git("checkout", "-q", "-b", "next")
        try scene.commit(1)
        let seen = Seen()
        var options = FetchOptions()
        options.sink = { seen.add($0) }
        let summary = try await scene.fetch(into: copy, options)
        #expect(summary.requestCount == 1)
        #expect(summary.objectCount == 4)
        #expect(seen.commonCount == 0)  // The one request was the last.
    }

    @Test func givesUpAfterManyCommitsInVain() async throws {
        let scene = try FetchScene()
        let copy = try scene.clone("copy")
        // Much that the server has not, older than what is common.
        try scene.git("checkout", "-q", "--orphan", "old", in: copy)
        try importCommits(3_000, branch: "long", in: copy)
        try scene.git("remote", "remove", "origin", in: copy)
        try scene.commit(1)
        let summary = try await scene.fetch(into: copy)
        #expect(try FetchScene.faults(copy) == "")
        // 16, 32, … 256 new ones, and no more.
        #expect(summary.requestCount <= 6)
        #expect(summary.objectCount == 4)
    }

    private func importCommits(_ count: Int, branch: String, in directory: String) throws {
        var text = ""
        for number in 0 ..< count {
            text += "commit refs/heads/\(branch)\n"
            text += "committer A <a@example.com> \(1_000_000 + number) +0000\ndata 1\nx\n"
        }
        try Git.run(["fast-import", "--quiet"], in: directory, input: Array(text.utf8))
    }

    @Test func showsEveryByteOfThePackAndTheServersProgress() async throws {
        let scene = try FetchScene()
        let copy = try scene.emptyRepository("copy")
        let seen = Seen()
        var options = FetchOptions()
        options.sink = { seen.add($0) }
        let summary = try await scene.fetch(into: copy, options)
        #expect(seen.pack.count == summary.byteCount)
        #expect(seen.progress.contains("Total \(summary.objectCount)"))
        let other = try scene.emptyRepository("other")
        let indexed = try Git.run(["index-pack", "--stdin"], in: other, input: seen.pack)
        #expect(indexed.succeeded)
        #expect(try FetchScene.objects(other) == FetchScene.objects(copy))
    }

    /// Larger than what may wait in memory, and the sink is done before the pack is verified.
    @Test func whatTheSinkHasSeenWaitsInAFile() async throws {
        let scene = try FetchScene()
        try scene.commit(1)
        _ = try run(
            "sh",
            [
                "-c",
                #"cd "$0" && head -c 9000000 /dev/urandom >noise && git add noise && git commit -qm noise"#,
                scene.upstream,
            ]
        ).required()
        let copy = try scene.emptyRepository("copy")
        let seen = Seen()
        let end = Monitor<Int?>(nil)
        var options = FetchOptions()
        options.sink = { seen.add($0) }
        options.sinkGoesFirst = true
        options.sinkHasAll = { end.change { $0 = seen.pack.count } }
        let summary = try await scene.fetch(into: copy, options)
        #expect(summary.byteCount > 9_000_000)
        #expect(end.look { $0 } == summary.byteCount)
        #expect(try FetchScene.faults(copy) == "")
        #expect(
            try Git.line(["rev-parse", "origin/main"], in: copy) == scene.git("rev-parse", "main"))
        #expect(
            try FetchScene.files(copy).allSatisfy { !$0.contains("tmp_") && !$0.contains("spool") })
    }

    @Test(arguments: [0, 100]) func keepsAPackOrPartsIt(limit: Int) async throws {
        let scene = try FetchScene()
        let copy = try scene.clone("copy")
        try scene.commit(2)
        let tip = try #require(ObjectID(hex: try scene.git("rev-parse", "HEAD")))
        var options = FetchOptions()
        options.unpackLimit = limit
        let summary = try await scene.fetch(into: copy, wants: [tip], options)
        #expect(summary.objectCount == 8)
        let packs = try FetchScene.files(copy).count { $0.hasSuffix(".pack") }
        #expect(packs == (limit == 0 ? 2 : 1))
        #expect(try FetchScene.faults(copy) == "")
    }

    @Test func goesOnWithAShallowRepository() async throws {
        let scene = try FetchScene()
        let copy = try scene.clone("copy", "--depth=2")
        try scene.commit(2)
        let summary = try await scene.fetch(into: copy)
        #expect(summary.objectCount == 8)
        #expect(try FetchScene.faults(copy) == "")
        #expect(try scene.git("rev-list", "--count", "origin/main", in: copy) == "4")
    }

    @Test func refusesAnotherHashAlgorithm() async throws {
        let scene = try FetchScene(sha256: true)
        try Git.run(["init", "-q", scene.path("copy")])
        await #expect { try await scene.fetch(into: scene.path("copy")) } throws: { error in
            (error as? ClientError)?.code == .unsupported
        }
    }

    @Test func checksObjectsWhereTheConfigurationSaysSo() async throws {
        let scene = try FetchScene()
        let tree = try scene.git("rev-parse", "HEAD^{tree}")
        let bad = "tree \(tree)\nauthor A <a@b> 01 +0000\ncommitter A <a@b> 1 +0000\n\nBad\n"
        let oid = try Git.run(
            ["hash-object", "-w", "-t", "commit", "--stdin", "--literally"], in: scene.upstream,
            input: Array(bad.utf8)
        ).out.dropLast()
        try scene.git("update-ref", "refs/heads/bad", String(oid))
        let copy = try scene.emptyRepository("copy")
        try scene.git("config", "fetch.fsckObjects", "true", in: copy)
        let files = try FetchScene.files(copy)
        await #expect { try await scene.fetch(into: copy) } throws: { error in
            "\(error)".contains("zeroPaddedDate")
        }
        #expect(try FetchScene.files(copy) == files)
    }
}
