/// A repository on the web server that a test changes as it likes: a work tree whose `.git` is served.
open class Upstream {
    /// The work tree.
    public let upstream: String
    public let url: String
    public let name: String
    public let server: GitHTTPServer
    public let isSHA256: Bool
    private let scratch: TemporaryDirectory
    private var time = TestEnvironment.time

    /// One with `commits` commits on `main`.
    public init(commits: Int = 5, sha256: Bool = false, location: String = "git") throws {
        server = try GitHTTPServer.shared()
        scratch = try TemporaryDirectory()
        name = "upstream-\(UInt64.random(in: 0 ... .max))"
        upstream = "\(server.root)/\(name).git"
        url = server.url(location, name)
        isSHA256 = sha256
        let format = sha256 ? "sha256" : "sha1"
        try Git.run(["init", "-q", "-b", "main", "--object-format=\(format)", upstream])
        try commit(commits)
    }

    deinit { _ = try? run("rm", ["-rf", upstream]) }

    /// The path of something in a folder that goes with this.
    public func path(_ name: String) -> String { scratch(name) }

    /// Commits in `directory` (the upstream), each a minute after the one before: a commit, two trees and a
    /// blob.
    public func commit(
        _ count: Int, in directory: String? = nil, file: String = "file"
    ) throws {
        let directory = directory ?? upstream
        for _ in 0 ..< count {
            time += 60
            let text = (0 ..< 40).map { "line \($0) \($0 == time / 60 % 40 ? time : 0)\n" }
            let folder = "\(directory)/folder"
            try run("mkdir", ["-p", folder]).required()
            try run(
                "sh", ["-c", #"cat > "$0""#, "\(folder)/\(file)"], input: Array(text.joined().utf8)
            ).required()
            try git("add", "-A", in: directory)
            try Git.run(
                ["commit", "-q", "-m", "Change at \(time)"], in: directory,
                environment: [
                    "GIT_AUTHOR_DATE": "\(time) +0000", "GIT_COMMITTER_DATE": "\(time) +0000",
                ])
        }
    }

    /// Runs stock git in `directory` (the upstream).
    @discardableResult
    public func git(_ arguments: String..., in directory: String? = nil) throws -> String {
        try Git.line(arguments, in: directory ?? upstream)
    }
}
