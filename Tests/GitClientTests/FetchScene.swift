import GitCore
import GitStore
import Synchronization
import TestSupport

@testable import GitClient
@testable import GitWire

/// An upstream, repositories that were made from an earlier state of it, and fetches of it.
final class FetchScene: Upstream {
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
