import TestSupport
import Testing

/// `swift package` through `apus cache`: what a package depends on comes from there.
@Suite(.timeLimit(.minutes(10)), .enabled(if: SwiftPackage.isThere)) struct CacheSwiftPMTests {
    @Test func dependenciesAreResolvedAndUpdated() throws {
        let packages = try PackageServer()
        let cache = try CachePair.sharedCache()
        let cached = try SwiftPackage("\(cache.http)/git/git/\(packages.name)/")
        let direct = try SwiftPackage("\(packages.server.http)/git/\(packages.name)/")
        for package in [cached, direct] { try package.run("resolve") }
        #expect(try cached.pins() == direct.pins())
        #expect(try cached.versions() == ["letters 1.1.0", "words 1.1.0"])

        // A machine that has nothing yet.
        let before = try cached.pins()
        try cached.forget()
        try cached.run("resolve")
        #expect(try cached.pins() == before)

        // The second level, which nobody has asked for by a name of its own.
        try packages.release("letters", "1.2.0")
        try cached.run("update")
        #expect(try cached.versions() == ["letters 1.2.0", "words 1.1.0"])
        try packages.release("words", "1.3.0")
        for package in [cached, direct] { try package.run("update") }
        #expect(try cached.pins() == direct.pins())
        #expect(try cached.versions() == ["letters 1.2.0", "words 1.3.0"])
        for name in ["letters", "words"] {
            let checkout = cached.folder("scratch/checkouts/\(name)")
            #expect(
                try Git.line(["rev-parse", "HEAD"], in: checkout)
                    == Git.line(["rev-parse", "HEAD"], in: packages.path(name)))
            try Git.run(["fsck", "--strict"], in: checkout)
        }
        let asked = try cache.requests().filter { $0.contains(packages.name) }
        #expect(asked.contains { $0.contains("/letters.git/git-upload-pack") })
        #expect(asked.contains { $0.contains("/words.git/git-upload-pack") })
    }
}

/// The packages of the fixtures package-letters and package-words, below a folder of the web server.
private final class PackageServer {
    let server: GitHTTPServer
    let name = "packages-\(UInt64.random(in: 0 ... .max))"

    init() throws {
        server = try GitHTTPServer.shared()
        try TestSupport.run("mkdir", ["\(server.root)/\(name)"]).required()
        for name in ["letters", "words"] {
            let fixture = try Fixture.named("package-\(name)")
            try TestSupport.run("cp", ["-R", fixture.path, path(name)]).required()
        }
    }

    deinit { _ = try? TestSupport.run("rm", ["-rf", "\(server.root)/\(name)"]) }

    func path(_ package: String) -> String { "\(server.root)/\(name)/\(package).git" }

    /// A new version, which is a new commit.
    func release(_ package: String, _ version: String) throws {
        let commit = try Git.line(
            ["commit-tree", "-p", "main", "-m", version, "main^{tree}"], in: path(package))
        try Git.run(["update-ref", "refs/heads/main", commit], in: path(package))
        try Git.run(["tag", version, commit], in: path(package))
    }
}

/// A package that depends on words, and everything that SwiftPM keeps for it, in a folder of its own.
private struct SwiftPackage {
    static let isThere =
        (try? TestSupport.run("sh", ["-c", "command -v swift"]).succeeded) ?? false

    let folder: TemporaryDirectory
    private let origin: String

    /// - Parameter origin: what stands for `https://packages.test/`.
    init(_ origin: String) throws {
        self.origin = origin
        folder = try TemporaryDirectory()
        try TestSupport.run("mkdir", ["-p", folder("app/Sources/App"), folder("home")]).required()
        let manifest = """
            // swift-tools-version: 5.9
            import PackageDescription

            let package = Package(
                name: "app",
                dependencies: [.package(url: "https://packages.test/words.git", from: "1.0.0")],
                targets: [
                    .target(name: "App", dependencies: [.product(name: "Words", package: "words")])
                ])

            """
        try folder.write("app/Package.swift", Array(manifest.utf8))
        try folder.write("app/Sources/App/App.swift", Array("import Words\n".utf8))
    }

    func run(_ command: String) throws {
        var environment = configuration([("url.\(origin).insteadOf", "https://packages.test/")])
        environment["HOME"] = folder("home")
        let paths = ["cache", "config", "security", "scratch"].flatMap {
            ["--\($0)-path", folder($0)]
        }
        try TestSupport.run(
            "swift", ["package"] + paths + [command], environment: environment,
            directory: folder("app"), timeout: .seconds(120)
        ).required()
    }

    /// Removes all that was fetched, and what it was resolved to.
    func forget() throws {
        try TestSupport.run(
            "rm", ["-rf", folder("cache"), folder("scratch"), folder("app/Package.resolved")]
        ).required()
    }

    /// What Package.resolved says.
    func pins() throws -> String {
        let file = try #require(readFile(folder("app/Package.resolved")))
        return String(decoding: file, as: UTF8.self)
    }

    /// The packages and their versions, in their order.
    func versions() throws -> [String] {
        let text = try pins()
        let names = text.matches(of: /"identity" : "([a-z]+)"/).map { $0.1 }
        let versions = text.matches(of: /"version" : "([0-9.]+)"/).map { $0.1 }
        return zip(names, versions).map { "\($0) \($1)" }
    }
}
