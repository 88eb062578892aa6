import Foundation
import GitCore
import Testing

@testable import GitWire

/// A repository made by real git, and real git answering for it.
final class GitFixture {
    let directory: URL
    var repository: String { directory.appendingPathComponent("repo").path }

    /// main: three commits; dev: one more; tags: light, annotated, and a tag of the annotated one.
    static let tiny = """
        blob
        mark :1
        data 6
        hello

        commit refs/heads/main
        mark :2
        committer A <a@example.org> 1700000000 +0000
        data 4
        one

        M 100644 :1 a.txt

        commit refs/heads/main
        mark :3
        committer A <a@example.org> 1700000100 +0000
        data 4
        two

        from :2
        M 100644 :1 b.txt

        commit refs/heads/main
        mark :4
        committer A <a@example.org> 1700000200 +0000
        data 6
        three

        from :3
        M 100755 inline c.txt
        data 3
        c!

        commit refs/heads/dev
        mark :5
        committer A <a@example.org> 1700000300 +0000
        data 4
        dev

        from :4
        D a.txt

        reset refs/tags/light
        from :3

        tag annotated
        mark :6
        from :4
        tagger A <a@example.org> 1700000400 +0000
        data 4
        tag

        done

        """

    init(_ script: String? = tiny, objectFormat: String = "sha1") throws {
        directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("apus-wire-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true)
        try git([
            "init", "-q", "--bare", "-b", "main", "--object-format=\(objectFormat)", repository,
        ])
        for key in [
            "allowFilter", "allowRefInWant", "allowSidebandAll", "advertiseSessionID",
            "allowAnySHA1InWant",
        ] {
            try git(["-C", repository, "config", "uploadpack.\(key)", "true"])
        }
        if let script {
            let input = Array(script.utf8)
            try git(["-C", repository, "fast-import", "--quiet", "--done"], input: input)
            try git([
                "-C", repository, "-c", "user.name=A", "-c", "user.email=a@example.org", "tag",
                "-a", "-m", "nested", "nested", "annotated",
            ])
        }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// What git prints.
    @discardableResult
    func git(
        _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
    ) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git"] + arguments
        var all = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GIT_") }
        all["GIT_CONFIG_NOSYSTEM"] = "1"
        all["GIT_CONFIG_GLOBAL"] = "/dev/null"
        process.environment = all.merging(environment) { $1 }
        let inputFile = directory.appendingPathComponent("in-\(UUID().uuidString)")
        try Data(input).write(to: inputFile)
        process.standardInput = try FileHandle(forReadingFrom: inputFile)
        let output = Pipe()
        process.standardOutput = output
        let errorFile = directory.appendingPathComponent("err-\(UUID().uuidString)")
        try Data().write(to: errorFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        lastError = String(decoding: try Data(contentsOf: errorFile), as: UTF8.self)
        lastStatus = process.terminationStatus
        return Array(data)
    }

    private(set) var lastStatus: Int32 = 0
    /// What it wrote to its standard error.
    private(set) var lastError = ""

    func text(_ arguments: [String]) throws -> String {
        String(decoding: try git(["-C", repository] + arguments), as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func oid(_ revision: String) throws -> ObjectID {
        try #require(ObjectID(hex: try text(["rev-parse", revision])))
    }

    /// The body of a real `info/refs` answer, as git's CGI program gives it to a web server.
    func infoRefs(
        _ version: ProtocolVersion, service: String = "git-upload-pack"
    ) throws -> [UInt8] {
        let answer = try git(
            ["http-backend"],
            environment: [
                "GIT_PROJECT_ROOT": directory.path, "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": "GET", "PATH_INFO": "/repo/info/refs",
                "QUERY_STRING": "service=\(service)",
                "GIT_PROTOCOL": version.extraParameter ?? "",
            ])
        let blank = Array("\r\n\r\n".utf8)
        let end = try #require(
            answer.indices.first { answer[$0...].prefix(4).elementsEqual(blank) })
        return Array(answer[(end + 4)...])
    }

    func advertisement(_ version: ProtocolVersion) throws -> Advertisement {
        var decoder = AdvertisementDecoder(.http(service: "git-upload-pack"))
        try decoder.push(try infoRefs(version))
        return try decoder.finish()
    }

    /// What real upload-pack answers to a POST.
    func uploadPack(_ body: [UInt8], _ version: ProtocolVersion) throws -> [UInt8] {
        try git(
            ["upload-pack", "--stateless-rpc", repository], input: body,
            environment: ["GIT_PROTOCOL": version.extraParameter ?? ""])
    }

    /// What real receive-pack answers to a POST.
    func receivePack(_ body: [UInt8]) throws -> [UInt8] {
        try git(["receive-pack", "--stateless-rpc", repository], input: body)
    }

    /// What a real client says to `program` (upload-pack, receive-pack) in the course of `command`,
    /// over a connection that lasts.
    func recorded(
        _ program: String, _ command: String, _ arguments: [String], config: [String] = [],
        in clone: String
    ) throws -> [UInt8] {
        let file = directory.appendingPathComponent("said-\(UUID().uuidString)").path
        let tee = "--\(program)=tee '\(file)' | git \(program)"
        try git(
            ["-C", clone] + config.flatMap { ["-c", $0] } + [command, tee, "-q"] + arguments)
        return Array(try Data(contentsOf: URL(fileURLWithPath: file)))
    }

    /// The ids of the objects of `pack`, as git sees them after indexing it.
    func index(_ pack: [UInt8], thin: Bool = false) throws -> Set<String> {
        let scratch = directory.appendingPathComponent("scratch-\(UUID().uuidString)").path
        try git(["init", "-q", "--bare", scratch])
        try git(
            ["-C", scratch, "index-pack", "--stdin", "--strict"] + (thin ? ["--fix-thin"] : []),
            input: pack)
        #expect(lastStatus == 0, "git index-pack refuses the pack")
        let list = try git([
            "-C", scratch, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)",
        ])
        return Set(String(decoding: list, as: UTF8.self).split(separator: "\n").map(String.init))
    }

    func allObjects() throws -> Set<String> {
        let list = try text([
            "cat-file", "--batch-all-objects", "--batch-check=%(objectname)",
        ])
        return Set(list.split(separator: "\n").map(String.init))
    }
}
