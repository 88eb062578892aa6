import GitCore
import GitStore
import Synchronization
import TestSupport

@testable import GitClient
@testable import GitWire

/// An upstream on a web server, a repository that was made from an earlier state of it, and a twin of that
/// for stock git.
final class FetchScene {
    static let server = Result { try GitHTTPServer() }
    /// The work tree that commits are made in; its `.git` is what is served.
    let upstream: String
    let url: String
    let name: String
    private let scratch: TemporaryDirectory
    private let isSHA256: Bool

    /// An upstream with `commits` commits.
    init(commits: Int = 5, sha256: Bool = false, location: String = "git") throws {
        let server = try Self.server.get()
        scratch = try TemporaryDirectory()
        name = "scene\(UInt64.random(in: 0 ... .max))"
        upstream = "\(server.root)/\(name).git"
        url = server.url(location, name)
        isSHA256 = sha256
        let format = sha256 ? "sha256" : "sha1"
        try Git.run(["init", "-q", "-b", "main", "--object-format=\(format)", upstream])
        try commit(commits)
    }

    deinit { _ = try? run("rm", ["-rf", upstream]) }

    private var time = TestEnvironment.time

    /// Commits in `directory` (the upstream), each a minute after the one before.
    func commit(_ count: Int, in directory: String? = nil, file: String = "file") throws {
        let directory = directory ?? upstream
        for _ in 0 ..< count {
            time += 60
            let text = (0 ..< 40).map { "line \($0) \($0 == time / 60 % 40 ? time : 0)\n" }.joined()
            try write(text, to: "\(directory)/folder/\(file)")
            try git("add", "-A", in: directory)
            try Git.run(
                ["commit", "-q", "-m", "Change at \(time)"], in: directory,
                environment: [
                    "GIT_AUTHOR_DATE": "\(time) +0000", "GIT_COMMITTER_DATE": "\(time) +0000",
                ])
        }
    }

    func write(_ text: String, to path: String) throws {
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        _ = try run("mkdir", ["-p", "/\(folder)"])
        _ = try run("sh", ["-c", #"cat > "$0""#, path], input: Array(text.utf8))
    }

    @discardableResult
    func git(_ arguments: String..., in directory: String? = nil) throws -> String {
        try Git.line(arguments, in: directory ?? upstream)
    }

    func path(_ name: String) -> String { scratch(name) }

    /// Clones the upstream by stock git.
    @discardableResult
    func clone(_ name: String, _ options: String...) throws -> String {
        try Git.run(["clone", "-q"] + options + [url, path(name)])
        return path(name)
    }

    /// A copy of a repository, for stock git.
    func twin(of name: String) throws -> String {
        _ = try run("cp", ["-a", path(name), path("twin")]).required()
        return path("twin")
    }

    func emptyRepository(_ name: String) throws -> String {
        let format = isSHA256 ? "sha256" : "sha1"
        try Git.run(["init", "-q", "--bare", "--object-format=\(format)", path(name)])
        return path(name)
    }

    // MARK: By Apus

    func remote(_ options: HTTPOptions = HTTPOptions(), url: String? = nil) throws -> HTTPRemote {
        try HTTPRemote(
            try GitURL(ByteString(url ?? self.url)), transport: CurlTransport(),
            credentials: NoCredentials(), options: { _ in options })
    }

    /// Fetches all branches and tags of the upstream into the repository at `path`, and sets
    /// `refs/remotes/origin/*` and `refs/tags/*` to them.
    @discardableResult
    func fetch(
        into path: String, version: ProtocolVersion = .v2, wants: [ObjectID]? = nil,
        _ options: FetchOptions = FetchOptions()
    ) async throws -> FetchSummary {
        let repository = try Repository.discover(from: ByteString(path))
        let server = try await UploadPack(try remote(), version: version)
        let refs = try await server.refs()
        let fetch = Fetch(into: repository, from: server, options: options)
        let wanted = refs.refs.filter { $0.name != .head }
        let summary = try await fetch.run(wants: wants ?? wanted.map(\.oid), shown: refs)
        defer { summary.release() }
        var transaction = RefTransaction()
        for ref in wanted where wants == nil {
            let name =
                ref.name.bytes.hasPrefix("refs/heads/")
                ? RefName("refs/remotes/origin/" + ref.name.short) : ref.name
            if let name { transaction.update(name, to: ref.oid) }
        }
        try repository.refs.update(transaction)
        return summary
    }

    // MARK: What came

    /// Everything that fsck finds wrong.
    static func faults(_ path: String) throws -> String {
        let result = try Git.attempt(["fsck", "--strict", "--full", "--no-progress"], in: path)
        return result.succeeded
            ? "" : String(decoding: result.stdout + result.stderr, as: UTF8.self)
    }

    static func refs(_ path: String) throws -> String {
        try Git.line(
            ["for-each-ref", "--format=%(refname) %(objectname)", "refs/remotes", "refs/tags"],
            in: path)
    }

    static func objects(_ path: String) throws -> Set<String> {
        let out = try Git.run(
            ["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"], in: path
        ).out
        return Set(out.split(separator: "\n").map(String.init))
    }

    /// What is in the directories of objects, temporary files and all.
    static func files(_ path: String) throws -> Set<String> {
        let found = try run("find", [path, "-path", "*objects*"]).out
        return Set(found.split(separator: "\n").map(String.init))
    }
}

/// Gathers what a sink sees.
final class Seen: Sendable {
    private let state = Mutex((pack: [UInt8](), progress: [UInt8](), common: 0))
    var pack: [UInt8] { state.withLock { $0.pack } }
    var progress: String { state.withLock { String(decoding: $0.progress, as: UTF8.self) } }
    var commonCount: Int { state.withLock { $0.common } }

    func add(_ event: FetchEvent) {
        state.withLock { state in
            switch event {
            case .pack(let bytes): state.pack += bytes
            case .progress(let text): state.progress += text
            case .common: state.common += 1
            default: break
            }
        }
    }
}
