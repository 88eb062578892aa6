import GitCore
import Synchronization
import TestSupport

@testable import GitServer

/// A folder of its own with repositories, and a server for it.
final class ServedFolder: Sendable {
    let scratch: TemporaryDirectory
    let server: Server
    private let lines: Lines

    struct Settings {
        var exportsAll = true
        var allowsPush = false
        var passwordFile: ByteString?
        var tokenFile: ByteString?
        var accessFile: ByteString?
        var maximumRequestBody: UInt64 = 1 << 20
    }

    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    /// With one repository, `a.git`, that is exported if all are.
    ///
    /// - Parameter change: is handed the options, and the folder above the root, before it is served.
    init(
        _ change: (inout Settings, TemporaryDirectory) throws -> Void = { _, _ in }
    ) throws {
        let scratch = try TemporaryDirectory()
        let lines = Lines()
        try Self.repository(scratch("root/a.git"))
        var settings = Settings()
        try change(&settings, scratch)
        var options = ServerOptions(
            repositories: try RepositoryFolder(
                ByteString(scratch("root")), exportsAll: settings.exportsAll),
            authorizer: try FileAuthorizer(
                passwords: settings.passwordFile, tokens: settings.tokenFile,
                rules: settings.accessFile))
        options.port = 0
        options.allowsPush = settings.allowsPush
        options.maximumRequestBody = settings.maximumRequestBody
        options.log = { line in lines.all.withLock { $0.append(line) } }
        self.scratch = scratch
        self.lines = lines
        server = try Server(options)
    }

    deinit { server.stop(grace: .zero) }

    var url: String { "http://127.0.0.1:\(server.port)" }

    /// The lines of the log, once there are so many.
    func log(_ count: Int = 1) -> [String] {
        _ = eventually { lines.all.withLock { $0.count } >= count }
        return lines.all.withLock { $0 }
    }

    /// The answer to one request; `fields` end in CR LF each.
    func ask(
        _ target: String, _ fields: String = "", method: String = "GET", body: String = ""
    ) throws -> RawResponse {
        let client = try RawClient(server.port)
        let length = method == "POST" ? "Content-Length: \(body.utf8.count)\r\n" : ""
        client.send("\(method) \(target) HTTP/1.1\r\nHost: x\r\n\(fields)\(length)\r\n\(body)")
        return try client.response(toHead: method == "HEAD")
    }

    /// The status of the advertisement of a repository.
    func status(
        _ repository: String = "/a.git", _ fields: String = "", service: String = "upload"
    ) throws -> Int {
        try ask("\(repository)/info/refs?service=git-\(service)-pack", fields).status
    }

    /// Makes a small repository.
    static func repository(_ path: String) throws {
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        try run("/bin/mkdir", ["-p", "/\(folder)"]).required()
        try run("/bin/cp", ["-R", try template.get()("tiny.git"), path]).required()
    }

    private static let template = Result {
        let scratch = try TemporaryDirectory()
        let script = "\(TestEnvironment.packageRoot)/Tests/Fixtures/tiny.sh"
        try run("bash", [script, scratch("tiny.git")]).required()
        return scratch
    }
}

/// Basic credentials as a field of a head.
func basic(_ name: String, _ password: String) -> String {
    "Authorization: Basic \(base64("\(name):\(password)"))\r\n"
}

func base64(_ text: String) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    let bytes = Array(text.utf8)
    var result = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start ..< min(start + 3, bytes.count)]
        let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
        for place in 0 ... group.count { result.append(digits[bits >> (18 - 6 * place) & 63]) }
        result += String(repeating: "=", count: 3 - group.count)
    }
    return result
}
