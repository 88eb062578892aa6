import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What once went wrong in `apus cache`.
@Suite(.timeLimit(.minutes(10))) struct CacheRegressionTests {
    /// Git's configuration of who runs the cache says who gets what of repositories of theirs, and nothing
    /// of mirrors.
    @Test(arguments: ["file", "environment", "system"])
    func theConfigurationOfWhoRunsItOpensNothing(place: String) throws {
        let store = try CacheStore()
        let open = ["allowAnySHA1InWant", "allowTipSHA1InWant", "allowReachableSHA1InWant"]
        try store.folder.write(
            ".gitconfig", Array("[uploadpack]\n\(open.map { "\t\($0) = true\n" }.joined())".utf8))
        let environment: [String: String] =
            switch place {
            case "file": ["HOME": store.folder.path, "GIT_CONFIG_GLOBAL": ""]
            case "system":
                ["GIT_CONFIG_SYSTEM": store.folder(".gitconfig"), "GIT_CONFIG_NOSYSTEM": ""]
            default: configuration(open.map { ("uploadpack.\($0)", "true") })
            }
        let cache = try ApusServer(
            cacheIn: store.path, of: CachePair.upstreams(), environment: environment)
        let upstream = try Upstream(commits: 3)
        let common = try upstream.git("rev-parse", "main")
        try upstream.git("checkout", "-q", "-b", "not-for-grace")
        try upstream.commit(1, file: "secret")
        let secret = try upstream.git("rev-parse", "not-for-grace")
        let blob = try upstream.git("rev-parse", "not-for-grace:folder/secret")
        try upstream.git("checkout", "-q", "main")
        let url = "\(cache.http)/git/only/both/\(upstream.name).git"
        let ada = RawClient(url: url, headers: [CacheUser.ada.header])
        #expect(try ada.post("upload-pack", .fetch(secret)).parts.pack.count > 0)

        let grace = RawClient(url: url, headers: [CacheUser.grace.header])
        for version in [0, 1] {
            let refs = try grace.advertisement("upload-pack", version: version).text
            #expect(refs.contains(common) && !refs.contains("sha1-in-want"), "\(refs)")
            for want in [secret, blob] {
                let answer = try grace.post(
                    "upload-pack", RawClient.v0(wants: [want]), version: version)
                #expect(!answer.text.contains("PACK"), "\(answer)")
                #expect(answer.text.contains("not our ref \(want)"), "\(answer)")
            }
        }
        for want in [secret, blob] {
            let answer = try grace.post("upload-pack", .fetch(want))
            #expect(answer.parts.pack == [], "\(answer)")
            #expect(answer.text.contains("not our ref \(want)"), "\(answer)")
        }
        #expect(try grace.post("upload-pack", .fetch(common)).parts.pack.count > 0)
    }

    /// The cache was killed after the objects had come, and before there were refs for them.
    @Test(arguments: [2, 0], ["clone", "clone --depth 2", "fetch"])
    func aMirrorHasObjectsAndNoRefs(version: Int, command: String) throws {
        let store = try CacheStore()
        let upstream = try Upstream()
        let first = try store.start()
        let path = "/git/git/\(upstream.name).git"
        try store.clone(first.http + path, "first")
        try first.end(by: SIGKILL)
        let mirror = try #require(
            try store.find("-name", "packed-refs", "-o", "-name", "refs").first)
        let folder = mirror.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
        #expect(try Git.run(["for-each-ref"], in: folder).out != "")
        try run("sh", ["-c", #"rm -f "$0"/packed-refs && find "$0"/refs -type f -delete"#, folder])
            .required()
        try run("sh", ["-c", #"find "$0" -type f -delete"#, "\(store.path)/answers"]).required()
        #expect(try Git.run(["for-each-ref"], in: folder).out == "")
        #expect(try store.kept().packs.count > 0)

        let second = try store.start()
        let environment = protocolVersion(version)
        if command == "fetch" {
            try upstream.commit(1)
            try Git.run(
                ["fetch", "-q", second.http + path, "main"], in: store.folder("first"),
                environment: environment)
            try Git.run(["init", "-q", store.folder("copy")])
            try Git.run(
                ["fetch", "-q", second.http + path, "main:main"], in: store.folder("copy"),
                environment: environment)
        } else {
            try Git.run(
                command.split(separator: " ").map(String.init)
                    + ["-q", second.http + path, store.folder("copy")], environment: environment)
        }
        let tip = try upstream.git("rev-parse", "main")
        #expect(try Git.line(["rev-parse", "main"], in: store.folder("copy")) == tip)
        try Git.run(["fsck", "--strict", "--connectivity-only"], in: store.folder("copy"))
        try Git.run(["rev-list", "--objects", "main"], in: store.folder("copy"))
    }

    /// Tags at commits that a shallow clone has not, and at one that nothing else holds.
    @Test(arguments: [("git", 2), ("apus", 0), ("old", 2)])
    func aShallowCloneAfterANewTag(location: String, version: Int) throws {
        let upstream = try Upstream()
        let pair = try CachePair(location, version: version)
        let url = "URL/\(upstream.name).git"
        try pair.git("clone -q --depth 1 \(url) before")
        try pair.expectSame("before")
        try upstream.git("tag", "-m", "Old", "old", "main~3")
        try upstream.git("tag", "here")
        try pair.git("clone -q --depth 1 \(url) tagged")
        try pair.expectSame("tagged")
        try upstream.git("checkout", "-q", "--detach", "main~1")
        try upstream.commit(1, file: "aside")
        try upstream.git("tag", "-m", "Aside", "aside")
        try upstream.git("checkout", "-q", "main")
        for options in ["", "--no-single-branch", "-b aside", "-b old"] {
            let copy = "after\(options.filter { $0 != " " })"
            try pair.git("clone -q --depth 1 \(options) \(url) \(copy)")
            try pair.expectSame(copy)
        }
        try pair.git("fetch -q --depth 1 --tags", in: "before")
        try pair.expectSame("before")
        try pair.git("fetch -q --depth 1 origin tag aside", in: "tagged")
        try pair.expectSame("tagged")
    }

    /// Two clients nobody can tell apart: what one asks to be listed takes nothing from the other.
    @Test(arguments: [nil, CacheUser.ada], [false, true])
    func anotherListsAPartOfTheRefs(user: CacheUser?, isWarm: Bool) throws {
        let upstream = try Upstream()
        try upstream.git("tag", "-m", "One", "v1", "main~2")
        try upstream.git("checkout", "-q", "-b", "topic", "main~1")
        try upstream.commit(1, file: "other")
        let cache = try CachePair.sharedCache()
        let place = user == nil ? "git" : "only/ada"
        let headers = user.map { [$0.header] } ?? []
        let url = "\(cache.http)/git/\(place)/\(upstream.name).git"
        let (one, other) = (
            RawClient(url: url, headers: headers), RawClient(url: url, headers: headers)
        )
        let shown = try upstream.git("rev-parse", "topic")
        if isWarm {
            #expect(try one.post("upload-pack", .fetch(shown)).parts.pack.count > 0)
            try upstream.commit(1, file: "other")
        }
        let moved = try upstream.git("rev-parse", "topic")
        let all = try one.post("upload-pack", RawClient.v2("ls-refs", ["peel", "symrefs"]))
        #expect(all.text.contains(moved))
        for prefix in ["refs/tags/", "refs/heads/main", "refs/heads/nothing"] {
            let part = try other.post(
                "upload-pack", RawClient.v2("ls-refs", ["ref-prefix \(prefix)"]))
            #expect(part.status == 200 && !part.text.contains(moved), "\(part)")
        }
        for arguments in [
            ["want \(moved)"], ["want \(moved)", "deepen 1"], ["want \(moved)", "filter tree:0"],
            ["want \(moved)", "deepen-not refs/tags/v1"],
        ] {
            let answer = try one.post(
                "upload-pack", RawClient.v2("fetch", arguments + ["ofs-delta", "done"]))
            #expect(answer.parts.pack.starts(with: Array("PACK".utf8)), "\(arguments): \(answer)")
        }
        let zero = try one.post("upload-pack", RawClient.v0(wants: [moved]), version: 0)
        #expect(zero.text.contains("PACK"), "\(zero)")
    }
}
