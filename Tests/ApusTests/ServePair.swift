import Synchronization
import TestSupport
import Testing

/// A repository that is served twice, by `apus serve` and by `git http-backend`, and a client folder
/// for each. Stock git does the same in both folders; what it says and what is left must be equal.
final class ServePair: Sendable {
    enum Side: CaseIterable, Sendable { case apus, git }

    /// Whether all is tried, with APUS_ALL_TESTS=1 (`make test-all`), which takes minutes more.
    static let isThorough = TestEnvironment.variable("APUS_ALL_TESTS") == "1"

    /// Some of many cases that are much alike, every third, unless all is to be tried. With `turn` 0, 1 and 2
    /// they are other thirds: who counts his own cases tries each in some of them.
    static func sample<Case>(_ cases: [Case], turn: Int = 0) -> [Case] {
        if isThorough { return cases }
        return stride(from: turn % 3, to: cases.count, by: 3).map { cases[$0] }
    }

    private let apusClient: TemporaryDirectory
    private let gitClient: TemporaryDirectory
    /// Names under the root; the same fixture twice if nothing is to change in it.
    private let names: (apus: String, git: String)
    private let root: String
    private let version: Int?
    private let more: [String: String]

    private static let count = Atomic(0)

    /// - Parameters:
    ///   - setUp: changes the repository, given its path, before it is copied for the other server. Without
    ///     it the fixture itself is served, and must not be pushed to.
    ///   - version: of the protocol.
    init(
        _ fixture: String, version: Int? = nil, environment: [String: String] = [:],
        setUp: ((_ repository: String) throws -> Void)? = nil
    ) throws {
        let fixture = try Fixture.named(fixture)
        root = fixture.server.root
        apusClient = try TemporaryDirectory()
        gitClient = try TemporaryDirectory()
        self.version = version
        self.more = environment
        guard let setUp else {
            names = (fixture.name, fixture.name)
            return
        }
        let number = Self.count.add(1, ordering: .relaxed).newValue
        names = ("pair\(number)/apus", "pair\(number)/git")
        try run("/bin/mkdir", ["-p", "\(root)/pair\(number)"]).required()
        try run("/bin/cp", ["-R", fixture.path, repository(.apus)]).required()
        try setUp(repository(.apus))
        try run("/bin/cp", ["-R", repository(.apus), repository(.git)]).required()
    }

    deinit {
        guard names.apus != names.git else { return }
        _ = try? run("/bin/rm", ["-rf", repository(.apus), repository(.git)])
    }

    // MARK: Places

    /// The path of the repository that is served.
    func repository(_ side: Side) -> String {
        "\(root)/\(side == .apus ? names.apus : names.git).git"
    }

    /// What clients call the repository: one name for both servers, so that what they note is equal.
    static let url = "http://127.0.0.1:1/served.git"

    /// Clients need it to find the server.
    func environment(_ side: Side) throws -> [String: String] {
        let version = version.map { [(key: "protocol.version", value: "\($0)")] } ?? []
        let name = (key: "url.\(try url(side)).insteadOf", value: Self.url)
        // Nothing that goes on behind a command's back.
        let still = [(key: "gc.auto", value: "0"), (key: "maintenance.auto", value: "false")]
        return configuration(version + [name] + still).merging(more) { $1 }
    }

    /// Where the repository is.
    func url(_ side: Side) throws -> String {
        guard side == .apus, !Apus.isGit else {
            return try GitHTTPServer.shared().url("git", side == .git ? names.git : names.apus)
        }
        return try ApusServer.shared().url(names.apus)
    }

    func client(_ side: Side) -> TemporaryDirectory { side == .apus ? apusClient : gitClient }

    /// Does the same in both client folders.
    func inClients(_ body: (TemporaryDirectory) throws -> Void) throws {
        for side in Side.allCases { try body(client(side)) }
    }

    /// Changes both of the repositories that are served.
    func inRepositories(_ body: (_ path: String) throws -> Void) throws {
        for side in Side.allCases { try body(repository(side)) }
    }

    // MARK: Comparing

    /// What of a client's words has to be equal.
    enum Words { case all, verdicts, none }

    /// Runs git with both servers, `URL` in the arguments standing for the repository's; expects the same
    /// exit and the same words. The result with apus.
    @discardableResult
    func git(
        _ arguments: [String], in directory: String = ".", words: Words = .all,
        environment more: [String: String] = [:], succeeds: Bool? = true,
        location: SourceLocation = #_sourceLocation
    ) throws -> RunResult {
        var results: [RunResult] = []
        for side in Side.allCases {
            results.append(
                try Git.attempt(
                    arguments.map { $0 == "URL" ? Self.url : $0 },
                    in: client(side)(directory),
                    environment: try environment(side).merging(more) { $1 }))
        }
        let (apus, git) = (results[0], results[1])
        #expect(
            apus.exit == git.exit, "\(arguments): \(apus.err) -- git: \(git.err)",
            sourceLocation: location)
        let (mine, theirs) = (try said(apus, words, .apus), try said(git, words, .git))
        expectSameLines(mine, theirs, "\(arguments)", location: location)
        if let succeeds {
            #expect(git.succeeded == succeeds, "\(arguments): \(git.err)", sourceLocation: location)
        }
        return apus
    }

    /// The same, the arguments parted by spaces.
    @discardableResult
    func git(
        _ line: String, in directory: String = ".", words: Words = .all,
        environment more: [String: String] = [:], succeeds: Bool? = true,
        location: SourceLocation = #_sourceLocation
    ) throws -> RunResult {
        try git(
            line.split(separator: " ").map(String.init), in: directory, words: words,
            environment: more, succeeds: succeeds, location: location)
    }

    /// The words of a client, without the name of the server, progress, and what hangs on time.
    private func said(_ result: RunResult, _ words: Words, _ side: Side) throws -> [String] {
        if words == .none { return [] }
        let url = try url(side)
        let text = result.err + "\n" + result.out
        let plain = text.split(separator: url.dropLast(4), omittingEmptySubsequences: false)
            .joined(separator: "URL")
            .split(separator: client(side).path, omittingEmptySubsequences: false)
            .joined(separator: "HERE")
        let progress = [
            "Enumerating objects", "Counting objects", "Compressing objects", "Total ",
        ]
        return plain.split(whereSeparator: { $0 == "\n" || $0 == "\r" || $0 == "\r\n" })
            .map { Self.withoutSpaces(String($0)) }
            .filter { line in !progress.contains { line.hasPrefix("remote: " + $0) } }
            .filter { line in words == .all || Self.verdicts.contains { line.hasPrefix($0) } }
    }

    private static func withoutSpaces(_ line: String) -> String {
        var line = Substring(line)
        while line.last == " " { line.removeLast() }
        return String(line)
    }

    /// Lines of a push on what became of each ref, and of a client on why it gives up.
    private static let verdicts = [
        " ! ", " + ", " - ", " * ", "   ", "To ", "=", "-", "+", "*", "!",
    ]

    /// The two clients' repositories are equal: refs, objects, where history is cut off. All else there
    /// stock git has made of these.
    func expectSameClients(
        _ directory: String = "copy", location: SourceLocation = #_sourceLocation
    ) throws {
        let apus = try state(of: apusClient(directory))
        let git = try state(of: gitClient(directory))
        for (mine, theirs) in zip(apus, git) where mine.value != theirs.value {
            let (more, less) = (
                mine.lines.subtracting(theirs.lines), theirs.lines.subtracting(mine.lines)
            )
            Issue.record(
                "\(mine.name): only by apus \(more.sorted().prefix(5)), only by git \(less.sorted().prefix(5)), \(mine.lines.count) and \(theirs.lines.count)",
                sourceLocation: location)
        }
        let check = try Git.attempt(["fsck", "--strict"], in: apusClient(directory))
        #expect(check.succeeded, "\(check.err)", sourceLocation: location)
    }

    private struct Aspect {
        let name: String
        let value: String
        var lines: Set<Substring> { Set(value.split(separator: "\n")) }
    }

    private func state(of directory: String) throws -> [Aspect] {
        let folder = exists("\(directory)/.git") ? "\(directory)/.git" : directory
        func file(_ name: String) -> String {
            let text = String(decoding: readFile("\(folder)/\(name)") ?? [], as: UTF8.self)
            return text.split(separator: "\n").sorted().joined(separator: "\n")
        }
        let refs = try Git.run(
            ["for-each-ref", "--format=%(refname) %(objectname) %(symref) %(*objectname)"],
            in: directory)
        let objects = try Git.run(
            ["cat-file", "--batch-all-objects", "--batch-check"], in: directory)
        return [
            Aspect(name: "refs", value: refs.out), Aspect(name: "objects", value: objects.out),
            Aspect(name: "HEAD", value: file("HEAD")),
            Aspect(name: "shallow", value: file("shallow")),
            Aspect(name: "config", value: file("config")),
        ]
    }

    /// The two repositories that are served are equal, and nothing unfinished is left in either.
    func expectSameServed(
        objects: Bool = true, location: SourceLocation = #_sourceLocation
    ) throws {
        let apus = try RepositorySnapshot(of: repository(.apus))
        let git = try RepositorySnapshot(of: repository(.git))
        let differences = apus.differences(from: git).filter {
            objects || !$0.hasPrefix("objects:")
        }
        #expect(differences == [], sourceLocation: location)
        try expectNothingUnfinished(repository(.apus), location: location)
    }
}

/// The lines are equal; tells those that are not.
func expectSameLines(
    _ mine: [String], _ theirs: [String], _ what: String, location: SourceLocation
) {
    let changes = mine.difference(from: theirs).map { change in
        switch change {
        case .insert(let place, let line, _): "\(place): apus: \(line)"
        case .remove(let place, let line, _): "\(place): git: \(line)"
        }
    }
    #expect(changes == [], "\(what)", sourceLocation: location)
}

/// No quarantine, no lock and no file of a pack that is not whole is in a repository.
func expectNothingUnfinished(
    _ repository: String, location: SourceLocation = #_sourceLocation
) throws {
    let found = try run(
        "/usr/bin/find",
        [
            repository, "(", "-name", "tmp_*", "-o", "-name", "*.lock", "-o", "-name", "*.keep",
            "-o", "-name", "*.tmp*", ")",
        ])
    #expect(found.out == "", sourceLocation: location)
}

/// The ids of all objects in a repository, whether something leads to them or not.
func objectIDs(_ repository: String) throws -> Set<String> {
    let list = try Git.run(
        ["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"], in: repository)
    return Set(list.out.split(separator: "\n").map(String.init))
}
