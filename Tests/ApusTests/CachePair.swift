import TestSupport
import Testing

/// Stock git beside itself: straight to an upstream in one folder, and through `apus cache` in another.
/// What it says and what is left must be equal.
final class CachePair: Sendable {
    enum Way: CaseIterable, Sendable { case cached, direct }

    private let cachedFolder: TemporaryDirectory
    private let directFolder: TemporaryDirectory
    private let location: String
    private let version: Int
    private let more: [(key: String, value: String)]
    let cache: ApusServer

    /// What clients call the upstream in both folders.
    static let base = "http://upstream.test/"

    /// One cache for all tests that can share it, with two upstreams: `git`, nginx and `git http-backend`,
    /// and `apus`, which is `apus serve`.
    static func sharedCache() throws -> ApusServer { try shared.get().server }
    private static let shared = Result { try SharedCache() }
    private struct SharedCache {
        let store: TemporaryDirectory
        let server: ApusServer

        init() throws {
            store = try TemporaryDirectory()
            server = try ApusServer(cacheIn: store("store"), of: upstreams())
        }
    }

    static func upstreams() throws -> [String] {
        [
            "git=\(try GitHTTPServer.shared().http)/", "apus=\(try ApusServer.shared().http)/",
        ]
    }

    /// - Parameters:
    ///   - location: of the web server's, or `apus` for `apus serve`.
    ///   - version: of the protocol.
    init(
        _ location: String = "git", version: Int = 2, cache: ApusServer? = nil,
        configuration more: [(key: String, value: String)] = []
    ) throws {
        cachedFolder = try TemporaryDirectory()
        directFolder = try TemporaryDirectory()
        self.location = location
        self.version = version
        self.more = more
        self.cache = try cache ?? Self.sharedCache()
    }

    func folder(_ way: Way) -> TemporaryDirectory { way == .cached ? cachedFolder : directFolder }

    /// What stands for ``base``.
    func origin(_ way: Way) throws -> String {
        let isApus = location == "apus"
        if way == .cached {
            return isApus ? "\(cache.http)/apus/" : "\(cache.http)/git/\(location)/"
        }
        return isApus
            ? "\(try ApusServer.shared().http)/"
            : "\(try GitHTTPServer.shared().http)/\(location)/"
    }

    /// Clients need it to find the upstream.
    func environment(_ way: Way) throws -> [String: String] {
        configuration(
            [
                ("protocol.version", "\(version)"),
                ("url.\(try origin(way)).insteadOf", Self.base),
                ("gc.auto", "0"), ("maintenance.auto", "false"),
            ] + more)
    }

    /// Runs git both ways, `URL/` in the arguments standing for the upstream's, and expects the same exit,
    /// output and errors. The result through the cache.
    @discardableResult
    func git(
        _ line: String, in directory: String = ".", succeeds: Bool = true,
        location: SourceLocation = #_sourceLocation
    ) throws -> RunResult {
        let words = line.split(separator: " ").map { word in
            word.hasPrefix("URL/") ? Self.base + word.dropFirst(4) : String(word)
        }
        let cached = try run(words, .cached, in: directory)
        let direct = try run(words, .direct, in: directory)
        #expect(
            cached.exit == direct.exit, "\(line): \(cached.err)", sourceLocation: location)
        #expect(direct.succeeded == succeeds, "\(line): \(direct.err)", sourceLocation: location)
        #expect(cached.out == direct.out, "\(line)", sourceLocation: location)
        #expect(
            try errors(cached, .cached) == errors(direct, .direct), "\(line)",
            sourceLocation: location)
        return cached
    }

    func run(_ words: [String], _ way: Way, in directory: String = ".") throws -> RunResult {
        try Git.attempt(
            words, in: folder(way)(directory), environment: try environment(way))
    }

    /// The errors, without the name of the server.
    private func errors(_ result: RunResult, _ way: Way) throws -> [String] {
        let origin = try origin(way).dropLast()
        return result.errorLines
            .filter { $0.hasPrefix("fatal: ") || $0.hasPrefix("error: ") }
            .map {
                $0.split(separator: origin, omittingEmptySubsequences: false).joined(
                    separator: "URL")
            }
    }

    /// Does the same in both folders.
    func inFolders(_ body: (TemporaryDirectory) throws -> Void) throws {
        for way in Way.allCases { try body(folder(way)) }
    }

    /// Both repositories are equal, and sound.
    func expectSame(
        _ directory: String = "copy", location: SourceLocation = #_sourceLocation
    ) throws {
        let cached = try RepositorySnapshot(of: cachedFolder(directory))
        let direct = try RepositorySnapshot(of: directFolder(directory))
        #expect(cached.differences(from: direct) == [], sourceLocation: location)
        let check = try Git.attempt(["fsck", "--strict"], in: cachedFolder(directory))
        #expect(check.succeeded, "\(check.err)", sourceLocation: location)
    }
}
