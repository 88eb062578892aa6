import TestSupport
import Testing

/// Blobs that clients download elsewhere, in packs (`uploadpack.blobPackfileUri`).
@Suite(.timeLimit(.minutes(10))) struct ServePackfileURITests {
    /// How objects lie in the repository that Apus serves. In the one beside it the blobs are loose: of
    /// those in packs Git leaves out none.
    enum Layout: CaseIterable, Sendable { case loose, packed, bitmaps }

    /// A repository of which two blobs are in packs of their own, too, that are served as files.
    private struct Scene {
        let pair: ServePair
        let blobs: [String]
        let checksums: [String]
        let lines: [String]

        /// On a branch, files beside those that there were. `like` is a delta on `big` once it is packed.
        private static let script = """
            big=$(for n in {1..3000}; do echo "line $n $((n * 7919 % 10007))"; done |
                tee small | git hash-object -w --stdin)
            like=$(head -n 2990 small | git hash-object -w --stdin)
            small=$(echo small | git hash-object -w --stdin)
            folder=$(printf '100644 blob %s\\tsmall\\n' "$small" | git mktree)
            tree=$( (git ls-tree main; printf '100644 blob %s\\tbig\\n100644 blob %s\\tlike\\n' \\
                "$big" "$like"; printf '040000 tree %s\\tfolder\\n' "$folder") | git mktree)
            git update-ref refs/heads/more "$(git commit-tree "$tree" -p main -m More)"
            git config uploadpack.allowSidebandAll true
            git config uploadpack.allowFilter true
            """

        init(_ layout: Layout) throws {
            pair = try ServePair("history") { path in
                try run("/bin/bash", ["-ec", Self.script], directory: path).required()
            }
            let (path, server) = (pair.repository(.apus), try GitHTTPServer.shared())
            if layout != .loose {
                try Git.run(["-c", "repack.writeBitmaps=false", "repack", "-qadf"], in: path)
            }
            if layout == .bitmaps { try Git.run(["repack", "-qadb"], in: path) }
            blobs = try ["more:big", "more:folder/small"].map {
                try Git.line(["rev-parse", $0], in: path)
            }
            checksums = try blobs.map { blob in
                let packed = try Git.run(
                    ["pack-objects", "-q", "\(path)/away"], in: path, input: Array(blob.utf8 + [10])
                )
                return String(packed.out.prefix(40))
            }
            let place = "\(server.http)/dumb/\(path.dropFirst(server.root.count + 1))"
            lines = zip(blobs, checksums).map { "\($0) \($1) \(place)/away-\($1).pack" }
            try configure(lines)
        }

        func configure(_ lines: [String]) throws {
            let key = "uploadpack.blobPackfileUri"
            try pair.inRepositories { path in
                _ = try Git.attempt(["config", "--unset-all", key], in: path)
                for line in lines { try Git.run(["config", "--add", key, line], in: path) }
            }
        }

        func id(_ name: String) throws -> String {
            try Git.line(["rev-parse", name], in: pair.repository(.apus))
        }

        /// Whether a clone has the packs from elsewhere.
        func hasPacks(_ side: ServePair.Side, _ folder: String) -> [Bool] {
            checksums.map {
                exists("\(pair.client(side)(folder))/.git/objects/pack/pack-\($0).idx")
            }
        }
    }

    @Test(arguments: Layout.allCases)
    func clones(_ layout: Layout) throws {
        let scene = try Scene(layout)
        let uris = ["-c", "fetch.uriprotocols=https,http"]
        try scene.pair.git(uris + ["clone", "URL", "copy"], words: .none)
        try scene.pair.expectSameClients()
        for side in ServePair.Side.allCases {
            #expect(scene.hasPacks(side, "copy") == [true, true])
        }
        try scene.pair.git(["clone", "URL", "plain"], words: .none)
        try scene.pair.expectSameClients("plain")
        #expect(scene.hasPacks(.apus, "plain") == [false, false])
        try scene.pair.git(
            ["-c", "fetch.uriprotocols=https", "clone", "URL", "secure"], words: .none)
        try scene.pair.expectSameClients("secure")
        #expect(scene.hasPacks(.apus, "secure") == [false, false])
    }

    @Test(arguments: Layout.allCases)
    func fetches(_ layout: Layout) throws {
        let scene = try Scene(layout)
        try scene.pair.git(["clone", "--single-branch", "-b", "main", "URL", "copy"], words: .none)
        try scene.pair.git(
            ["-c", "fetch.uriprotocols=http", "fetch", "origin", "more:refs/heads/more"],
            in: "copy", words: .none)
        try scene.pair.expectSameClients()
        #expect(scene.hasPacks(.apus, "copy") == [true, true])
    }

    /// The same packs are told of, and the other has as many objects. Names in capitals are arguments.
    @Test(arguments: Layout.allCases)
    func tellsTheSame(_ layout: Layout) throws {
        let scene = try Scene(layout)
        let names = [
            "MORE": "want \(try scene.id("more"))", "MAIN": "want \(try scene.id("main"))",
            "HAVE": "have \(try scene.id("main"))", "HAD": "have \(try scene.id("more"))",
            "BIG": "want \(scene.blobs[0])", "TREE": "want \(try scene.id("more:folder"))",
            "HTTP": "packfile-uris http", "HTTPS": "packfile-uris https",
            "BOTH": "packfile-uris https,http", "OTHER": "packfile-uris htt,httpx,,HTTP",
            "NONE": "packfile-uris ", "FILTER": "filter blob:none", "LIMIT": "filter blob:limit=1k",
            "ALL": "sideband-all", "DEPTH": "deepen 1", "THIN": "thin-pack",
        ]
        for (words, count) in ServePair.sample([
            ("ALL HTTP MORE", 2), ("ALL BOTH MORE MAIN", 2), ("ALL HTTPS MORE", 0),
            ("ALL OTHER MORE", 0), ("ALL NONE MORE", 0), ("HTTP MORE", 0), ("ALL MORE", 0),
            ("ALL HTTP MAIN", 0), ("ALL HTTP MORE HAVE", 2), ("ALL HTTP MORE HAVE THIN", 2),
            ("ALL HTTP MAIN HAD", 0), ("ALL HTTP MORE FILTER", 0), ("ALL HTTP MORE LIMIT", 1),
            ("ALL HTTP BIG", 1), ("ALL HTTP TREE", 1), ("ALL HTTP MORE DEPTH", 2),
        ]) {
            let arguments = words.split(separator: " ").compactMap { names[String($0)] }
            let body = RawClient.v2("fetch", arguments + ["no-progress", "ofs-delta", "done"])
            let apus = try RawClient(scene.pair).post("upload-pack", body).parts
            let git = try RawClient(scene.pair, .git).post("upload-pack", body).parts
            // In Git's answer they have no order.
            #expect(apus.lines.sorted() == git.lines.sorted(), "\(words)")
            #expect(apus.pack.prefix(12) == git.pack.prefix(12), "\(words)")
            #expect(apus.lines.count { $0.hasSuffix(".pack\n") } == count, "\(words)")
            guard count > 0 else { continue }
            let told = scene.checksums.indices.filter { number in
                apus.lines.contains { $0.hasPrefix(scene.checksums[number]) }
            }
            #expect(told.count == count, "\(words)")
            #expect(apus.lines.last == "0000" && apus.lines.contains("packfile-uris\n"))
        }
    }

    /// Of a pack that has two of the blobs, clients are told once.
    @Test func tellsOfAPackOnce() throws {
        let scene = try Scene(.loose)
        let path = scene.pair.repository(.apus)
        let input = Array(scene.blobs.map { $0 + "\n" }.joined().utf8)
        let packed = try Git.run(["pack-objects", "-q", "\(path)/away"], in: path, input: input)
        let checksum = String(packed.out.prefix(40))
        let uri = (scene.lines[0].split(separator: " ").last ?? "")
            .replacing(scene.checksums[0], with: checksum)
        try scene.configure(scene.blobs.map { "\($0) \(checksum) \(uri)" })
        let body = RawClient.v2(
            "fetch", ["want \(try scene.id("more"))", "sideband-all", "packfile-uris http", "done"])
        let lines = try RawClient(scene.pair).post("upload-pack", body).parts.lines
        #expect(lines.filter { $0 == "\(checksum) \(uri)\n" }.count == 1)
        let client = scene.pair.client(.apus)
        try Git.run(
            ["-c", "fetch.uriprotocols=http", "clone", "-q", ServePair.url, "once"],
            in: client.path, environment: scene.pair.environment(.apus))
        try Git.run(["fsck", "--strict"], in: client("once"))
        #expect(exists("\(client("once"))/.git/objects/pack/pack-\(checksum).idx"))
    }

    /// What is named but is no blob stays in the pack.
    @Test func leavesOutBlobsOnly() throws {
        let scene = try Scene(.bitmaps)
        try scene.configure(
            try ["more", "more^{tree}", "more:folder", "v1.0"].map {
                "\(try scene.id($0)) \(scene.checksums[0]) http://127.0.0.1:1/none.pack"
            })
        let body = RawClient.v2(
            "fetch", ["want \(try scene.id("more"))", "sideband-all", "packfile-uris http", "done"])
        let lines = try RawClient(scene.pair).post("upload-pack", body).parts.lines
        #expect(!lines.contains("packfile-uris\n") && lines.contains("packfile\n"))
    }

    @Test func offersThemWhereThereAreAny() throws {
        let scene = try Scene(.loose)
        func features() throws -> [String] {
            try ServePair.Side.allCases.map { side in
                let lines = try RawClient(scene.pair, side).advertisement("upload-pack").parts.lines
                return lines.first { $0.hasPrefix("fetch=") } ?? ""
            }
        }
        let with = try features()
        #expect(with[0] == with[1] && with[0].contains("packfile-uris"))
        try scene.configure([])
        #expect(try !features()[0].contains("packfile-uris"))
        let body = RawClient.v2("fetch", ["packfile-uris http", "done"])
        #expect(try RawClient(scene.pair).post("upload-pack", body).text.contains("ERR "))
    }

    @Test func refusesAMalformedLine() throws {
        let scene = try Scene(.loose)
        try scene.configure(scene.lines + ["nonsense"])
        #expect(try RawClient(scene.pair).advertisement("upload-pack").status == 404)
        let words = "must be of the form '<object-hash> <pack-hash> <uri>' (got 'nonsense')"
        let start = ContinuousClock.now
        func isTold() throws -> Bool {
            try ApusServer.shared().requests().contains { $0.contains(words) }
        }
        while try !isTold(), ContinuousClock.now - start < .seconds(10) {}
        #expect(try isTold())
    }
}
