import TestSupport
import Testing

/// Histories that are cut off, made deeper and made whole.
@Suite(.timeLimit(.minutes(10))) struct ServeShallowTests {
    private static let cuts = [
        "--depth=1", "--depth=2", "--depth=7", "--depth=10000",
        "--shallow-since=2023-11-15T03:00:00Z", "--shallow-exclude=v1.0",
        "--shallow-exclude=topic/two",
        "--shallow-since=2023-11-15T01:00:00Z --shallow-exclude=v1.0",
        "--depth=3 --no-single-branch", "--shallow-exclude=v1.0 --no-single-branch",
        "--shallow-exclude=v1.0 --shallow-exclude=v2.0",
    ]

    @Test(arguments: ServePair.sample(cuts), [2, 0])
    func cloneIsCut(options: String, version: Int) throws {
        let pair = try ServePair("history", version: version)
        try clone(pair, options)
        try pair.expectSameClients()
    }

    private func clone(_ pair: ServePair, _ options: String) throws {
        try pair.git("clone -q -n \(options) URL copy")
    }

    private static let steps = [
        "--depth=5", "--deepen=4", "--unshallow", "--shallow-since=2023-11-15T03:00:00Z",
        "--shallow-exclude=v2.0", "--depth=1", "--depth=2 --no-tags", "--update-shallow",
        "--deepen=1 +refs/heads/*:refs/remotes/origin/*", "origin main", "origin maint",
        "--depth=100", "--refetch",
    ]

    @Test(arguments: ServePair.sample(steps), [2, 0])
    func fetchIntoAShallowClone(options: String, version: Int) throws {
        let pair = try ServePair("history", version: version)
        try clone(pair, "--depth=3")
        try fetch(pair, options)
        try pair.expectSameClients()
        try fetch(pair, "--deepen=10")
        try pair.expectSameClients()
        try fetch(pair, "--unshallow")
        try pair.expectSameClients()
    }

    private func fetch(_ pair: ServePair, _ options: String) throws {
        var words = options.split(separator: " ").map(String.init)
        if !words.contains("origin") {
            let place = words.firstIndex { !$0.hasPrefix("-") } ?? words.count
            words.insert("origin", at: place)
        }
        try pair.git(["fetch", "-q"] + words, in: "copy", succeeds: nil)
    }

    /// The branch moves on between a shallow clone and the next fetch.
    @Test(arguments: [2, 0])
    func aShallowCloneFollows(version: Int) throws {
        let pair = try ServePair("history", version: version) { path in
            try Git.run(["update-ref", "refs/heads/later", "main"], in: path)
            try Git.run(["update-ref", "refs/heads/main", "main~60"], in: path)
        }
        try clone(pair, "--depth=2")
        try pair.inRepositories { try Git.run(["update-ref", "refs/heads/main", "later"], in: $0) }
        try fetch(pair, "")
        try pair.expectSameClients()
        try fetch(pair, "--depth=4")
        try pair.expectSameClients()
        try fetch(pair, "--unshallow --tags")
        try pair.expectSameClients()
    }

    /// A server whose own history is cut off.
    @Test(
        arguments: ["", "--depth=2", "--depth=50", "--mirror", "--no-single-branch --depth=9"],
        [2, 1, 0])
    func fromAShallowServer(options: String, version: Int) throws {
        let pair = try ServePair("history", version: version) { path in
            try cutOff(path)
        }
        try clone(pair, options)
        try pair.expectSameClients()
        try fetch(pair, "--deepen=3")
        try pair.expectSameClients()
        try fetch(pair, "--unshallow")
        try pair.expectSameClients()
    }

    /// Makes the repository one that `clone --depth` left.
    private func cutOff(_ path: String) throws {
        let whole = try Fixture.named("history").path
        try run("/bin/rm", ["-rf", path]).required()
        try Git.run(
            ["clone", "-q", "--bare", "--depth=6", "--no-single-branch", "file://\(whole)", path])
        try Git.run(["remote", "remove", "origin"], in: path)
    }

    /// A whole repository fetches from a shallow one.
    @Test(arguments: [2, 0], ["", "--update-shallow"])
    func intoAWholeRepositoryFromAShallowServer(version: Int, option: String) throws {
        let pair = try ServePair("history", version: version) { try cutOff($0) }
        try pair.inClients { try Git.run(["init", "-q", "copy"], in: $0.path) }
        try pair.git(
            "fetch -q \(option) URL +refs/heads/*:refs/remotes/origin/*", in: "copy", succeeds: nil)
        try pair.expectSameClients()
    }

    @Test(arguments: [2, 0])
    func aCutThatLeavesNothing(version: Int) throws {
        let pair = try ServePair("history", version: version)
        try pair.git(
            ["clone", "--shallow-since=2040-01-01", "URL", "copy"], words: .none, succeeds: nil)
        try pair.git(
            ["clone", "--shallow-exclude=nowhere", "URL", "copy2"], words: .none, succeeds: false)
    }
}
