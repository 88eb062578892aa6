import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `apus cache verify`: what is damaged is found, named and gone.
@Suite(.timeLimit(.minutes(10))) struct CacheVerifyTests {
    @Test(arguments: [true, false])
    func whatIsWholeIsLeftAlone(isRunning: Bool) throws {
        let (store, cache, _) = try filled()
        let before = try store.kept()
        if !isRunning { try cache.end(by: SIGTERM) }
        #expect(try store.run("verify").required().out == "verified 2 answers, 2 mirrors\n")
        #expect(try store.kept() == before)
    }

    @Test(arguments: [true, false])
    func aDamagedAnswerIsDropped(isRunning: Bool) throws {
        let (store, cache, names) = try filled()
        let answer = try #require(try store.kept().answers.sorted().first)
        if !isRunning { try cache.end(by: SIGTERM) }
        try store.damage(answer)
        try expectFault(
            store, "an answer of \(names[0]) is damaged: dropped\nverified 2 answers, 2 mirrors\n")
        #expect(!exists(answer))
        #expect(try store.run("verify").required().out == "verified 1 answers, 2 mirrors\n")
        guard isRunning else { return }
        try store.clone("\(cache.http)/\(names[0]).git", "after")
        #expect(try store.kept().answers.count == 2)
    }

    @Test(arguments: [true, false])
    func anAnswerIsShorter(isRunning: Bool) throws {
        let (store, cache, names) = try filled()
        let answer = try #require(try store.kept().answers.sorted().first)
        if !isRunning { try cache.end(by: SIGTERM) }
        #expect(truncate(answer, 100) == 0)
        try expectFault(
            store, "an answer of \(names[0]) is damaged: dropped\nverified 2 answers, 2 mirrors\n")
        #expect(!exists(answer))
    }

    @Test(
        arguments: [
            (true, "pack"), (true, "packed-refs"), (true, "objects"), (false, "idx"),
            (false, "config"),
        ])
    func aDamagedMirrorIsFetchedAnew(isRunning: Bool, file: String) throws {
        let (store, cache, names) = try filled()
        if !isRunning { try cache.end(by: SIGTERM) }
        let mirror = try #require(try store.mirror(of: names[0])) + "/"
        switch file {
        case "config":
            try store.folder.write("config", Array("[core\n".utf8))
            try run("cp", [store.folder("config"), "\(mirror)config"]).required()
        case "packed-refs":
            let gone = String(repeating: "1", count: 40)
            try run("sh", ["-c", "echo \(gone) refs/cache/\(gone) >> \(mirror)packed-refs"])
                .required()
        case "objects": try run("sh", ["-c", "rm -f \(mirror)objects/pack/*"]).required()
        default:
            let path = try store.find("-path", "\(mirror)*", "-name", "*.\(file)")
            try store.damage(try #require(path.first))
        }
        let result = try store.run("verify")
        #expect(result.exit == .code(1), "\(result)")
        let lines = result.out.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].hasPrefix("the mirror of \(names[0]) is damaged: "))
        #expect(lines.last == "verified 2 answers, 2 mirrors")
        #expect(result.err == "error: what was damaged is gone: 1 found\n")
        #expect(!exists(mirror))
        #expect(try store.kept().answers.count == 1)
        #expect(try store.run("verify").required().out == "verified 1 answers, 1 mirrors\n")
        let next = isRunning ? cache : try store.start()
        try store.clone("\(next.http)/\(names[0]).git", "after")
    }

    /// What is there to be quick with, and is found wrong by its hash.
    @Test(arguments: ["bitmap", "multi-pack-index", "commit-graph"])
    func whatMakesAMirrorQuickIsCheckedToo(file: String) throws {
        let (store, cache, names) = try filled()
        try cache.end(by: SIGTERM)
        let mirror = try #require(try store.mirror(of: names[0]))
        try Git.run(["repack", "-q", "-a", "-d", "-b"], in: mirror)
        try Git.run(["multi-pack-index", "write"], in: mirror)
        try Git.run(["commit-graph", "write", "--reachable"], in: mirror)
        #expect(try store.run("verify").required().out == "verified 2 answers, 2 mirrors\n")
        let damaged = try store.find("-path", "\(mirror)/*", "-name", "*\(file)")
        #expect(damaged.count == 1, "\(damaged)")
        try store.damage(try #require(damaged.first))
        let result = try store.run("verify")
        #expect(result.exit == .code(1), "\(result)")
        #expect(result.out.hasPrefix("the mirror of \(names[0]) is damaged: "), "\(result)")
        #expect(!exists(mirror))
    }

    /// What takes long holds up nobody else.
    @Test func otherCommandsAreAnsweredMeanwhile() throws {
        let (store, cache, names) = try filled()
        let answer = try #require(try store.kept().answers.sorted().first)
        // Who opens it waits for who writes to it.
        try run("sh", ["-c", #"rm "$0" && mkfifo "$0""#, answer]).required()
        let checks = try (0 ..< 2).map { _ in
            try ChildProcess(Apus.path, ["cache", "verify", "--store", store.path])
        }
        let refusal = "error: what is kept is being verified already\n"
        try store.waitUntil { _ in
            try checks.contains { try $0.errorsSoFar() == refusal }
        }
        #expect(try store.run("status").required().out.hasPrefix("running for "))
        #expect(
            try store.run("purge", [names[1]]).required().out
                == "purged \(names[1]): its mirror, 1 answers\n")
        try store.clone("\(cache.http)/\(names[1]).git", "after")
        try run("sh", ["-c", #": > "$0""#, answer]).required()
        let results = try checks.map { try $0.wait() }.sorted { $0.out < $1.out }
        #expect(results[0].err == refusal && results[0].out == "")
        #expect(
            results[1].out == "an answer of \(names[0]) is damaged: dropped\n"
                + "verified 1 answers, 2 mirrors\n", "\(results[1])")
        #expect(try store.run("verify").required().out == "verified 1 answers, 2 mirrors\n")
    }

    /// They go with the last that knows them.
    private let upstreams = [
        Result { try Upstream(commits: 2) }, Result { try Upstream(commits: 3) },
    ]

    /// A store with two repositories, cloned once each.
    private func filled() throws -> (CacheStore, ApusServer, [String]) {
        let store = try CacheStore()
        let cache = try store.start()
        let names = try upstreams.map { made in
            let upstream = try made.get()
            let name = "git/git/\(upstream.name)"
            try store.clone("\(cache.http)/\(name).git", upstream.name)
            return name
        }
        return (store, cache, names)
    }

    private func expectFault(
        _ store: CacheStore, _ out: String, location: SourceLocation = #_sourceLocation
    ) throws {
        let result = try store.run("verify")
        #expect(result.exit == .code(1), "\(result)", sourceLocation: location)
        #expect(result.out == out, sourceLocation: location)
        #expect(
            result.err == "error: what was damaged is gone: 1 found\n", sourceLocation: location)
    }
}
