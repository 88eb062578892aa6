import TestSupport
import Testing

/// A path is for `apus cache` what it is for upstream: nothing is folded, shortened or guessed.
@Suite(.timeLimit(.minutes(10))) struct CacheNamesTests {
    /// Repositories with names that are alike, or look like something else. Each has another commit.
    private static let repositories = [
        "case.git", "Case.git", "CASE", "both", "both.git", "both.git.git", "alone.git", "bare",
        "a.git", "a/b.git", "a/b/c.git", "a/b/c/d.git", "a.git/b.git", "with space.git",
        "100%.git", "100%25.git", "plus+and&more=.git", "umlaut-\u{fc}.git", "x.git/info/refs.git",
        "git-upload-pack.git", "info/refs/deep.git", "~tilde.git", ".hidden.git", "-dash.git",
        "semi;colon.git", "hash#.git", "question?.git", "at@sign:80.git", "-/x.git",
    ]

    private static let folder = Result {
        let server = try GitHTTPServer.shared()
        let folder = "names-\(UInt64.random(in: 0 ... .max))"
        let script = #"""
            for path; do
                mkdir -p "$path" && git init -q --bare -b main "$path" && (
                    cd "$path" && tree=$(git hash-object -w -t tree /dev/null) &&
                        git update-ref refs/heads/main "$(git commit-tree -m "$path" "$tree")"
                ) || exit
            done
            """#
        try run("sh", ["-c", script, "sh"] + repositories.map { "\(server.root)/\(folder)/\($0)" })
            .required()
        return folder
    }

    private static let paths = [
        // Themselves.
        "case.git", "Case.git", "CASE", "a.git", "a/b.git", "a/b/c.git", "a/b/c/d.git",
        "a.git/b.git", "x.git/info/refs.git", "git-upload-pack.git", "info/refs/deep.git",
        "~tilde.git", ".hidden.git", "-dash.git", "-/x.git", "both", "both.git",
        "both.git.git", "semi;colon.git", "at@sign:80.git", "plus+and&more=.git",
        // In other words, or not there.
        "cAsE.git", "case", "CASE.git", "alone", "bare.git", "bare/", "bare//", "both/",
        "both.git/", "a/b", "a", "a/b/c/d.git/", "%63ase.git", "c%61se.git/", "case%2egit",
        "with%20space.git", "100%25.git", "100%2525.git", "umlaut-%c3%bc.git",
        "umlaut-%C3%BC.git", "hash%23.git", "question%3f.git", "plus%2Band%26more%3d.git",
        "%7Etilde.git", "with+space.git",
    ]

    /// Upstream says what there is at each, and that is listed and sent, and nothing else.
    @Test func alikeButOther() throws {
        let folder = try Self.folder.get()
        let pair = try CachePair()
        var tips: Set<String> = []
        // Twice, so that the second time finds what the first one left.
        for path in Self.paths + Self.paths {
            func client(_ way: CachePair.Way) throws -> RawClient {
                RawClient(url: "\(try pair.origin(way))\(folder)/\(path)")
            }
            let (cached, direct) = (try client(.cached), try client(.direct))
            let shown = try cached.advertisement("upload-pack", version: 0)
            let there = try direct.advertisement("upload-pack", version: 0)
            #expect(shown.status == there.status, "\(path)")
            guard there.status == 200 else { continue }
            let main = /([0-9a-f]{40}) refs\/heads\/main/
            let tip = try #require(there.text.firstMatch(of: main)).1
            #expect(shown.text.firstMatch(of: main)?.1 == tip, "\(path)")
            let answer = try cached.post("upload-pack", .fetch(String(tip)))
            #expect(answer.parts.pack.starts(with: Array("PACK".utf8)), "\(path): \(answer)")
            for other in tips.subtracting([String(tip)]).prefix(1) {
                let refused = try cached.post("upload-pack", .fetch(other))
                #expect(refused.parts.pack == [], "\(path): \(refused)")
            }
            tips.insert(String(tip))
        }
        // But for two names of which the web server makes one, and one that is in no list above.
        #expect(tips.count >= Self.repositories.count - 4)
    }

    /// As stock git writes these paths into its requests.
    @Test(
        arguments: ["a/b/c/d.git", "both/", "100%25.git", "x.git/info/refs.git", "cAsE.git"],
        ["git", "apus"])
    func clonesOfSome(path: String, location: String) throws {
        let folder = try Self.folder.get()
        let pair = try CachePair(location)
        let isThere = path != "cAsE.git"
        try pair.git("clone -q --bare URL/\(folder)/\(path) copy", succeeds: isThere)
        if isThere { try pair.expectSame() }
    }

    /// Upstream has both, of either format, and a client of one is not in the way of a client of the other.
    @Test(arguments: ["git", "apus"])
    func besideOneOfTheOtherFormat(location: String) throws {
        let server = try GitHTTPServer.shared()
        let pair = try CachePair(location)
        let name = "beside-\(UInt64.random(in: 0 ... .max))"
        let formats = [("", "sha1"), (".git", "sha256")]
        for (suffix, format) in formats {
            let path = "\(server.root)/\(name)\(suffix)"
            try Git.run(["init", "-q", "--bare", "-b", "main", "--object-format=\(format)", path])
        }
        for round in 0 ..< 3 {
            for (suffix, format) in formats {
                let path = "\(server.root)/\(name)\(suffix)"
                let tree = try Git.line(["hash-object", "-w", "-t", "tree", "/dev/null"], in: path)
                let commit = try Git.line(["commit-tree", "-m", "\(round)", tree], in: path)
                try Git.run(["update-ref", "refs/heads/branch-\(round)", commit], in: path)
                if round == 0 {
                    try pair.git("clone -q --bare URL/\(name)\(suffix) \(format)")
                } else {
                    try pair.git("fetch -q origin refs/heads/*:refs/heads/*", in: format)
                }
                try pair.expectSame(format)
                try pair.git("clone -q --bare --depth 1 URL/\(name)\(suffix)/ \(format)-\(round)")
            }
        }
    }
}
