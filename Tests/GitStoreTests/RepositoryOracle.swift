import Foundation
import GitCore
import GitStore
import Testing

/// A scratch directory, and stock git to run in it, apart from the configuration of this machine and
/// its user.
final class RepositoryOracle: Sendable {
    /// Absolute, without symbolic links.
    let root: String
    /// What git runs with, and what the code under test is given.
    let variables: [String: String]

    init(_ variables: [String: String] = [:]) throws {
        var template = Array((NSTemporaryDirectory() + "/apus-refs-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil, let real = realpath(template, nil) else {
            throw CocoaError(.fileWriteUnknown)
        }
        defer { free(real) }
        root = String(cString: real)
        let defaults = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
            "HOME": root + "/home", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C", "TZ": "UTC",
            "GIT_AUTHOR_NAME": "A U Thor", "GIT_AUTHOR_EMAIL": "author@example.org",
            "GIT_AUTHOR_DATE": "1112911993 -0700",
            "GIT_COMMITTER_NAME": "C O Mitter", "GIT_COMMITTER_EMAIL": "mitter@example.org",
            "GIT_COMMITTER_DATE": "1112912053 -0700",
        ]
        self.variables = defaults.merging(variables) { $1 }.filter { $0.value != Self.unset }
        try FileManager.default.createDirectory(
            atPath: root + "/home", withIntermediateDirectories: true)
    }

    /// The value of a variable that is not to be set.
    static let unset = "\u{1}unset"

    deinit { try? FileManager.default.removeItem(atPath: root) }

    var environment: Environment { Environment(variables.mapValues { ByteString($0) }) }

    func path(_ name: String) -> ByteString { ByteString(root + "/" + name) }

    func write(_ name: String, _ content: [UInt8]) throws {
        let url = URL(fileURLWithPath: root + "/" + name)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(content).write(to: url)
    }

    func write(_ name: String, _ content: String) throws { try write(name, Array(content.utf8)) }

    func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: root + "/" + name)))
    }

    func text(_ name: String) throws -> String { String(decoding: try read(name), as: UTF8.self) }

    func exists(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: root + "/" + name)
    }

    struct Outcome {
        let status: Int32
        let output: [UInt8]
        let errors: String

        var text: String {
            String(decoding: output, as: UTF8.self).trimmingCharacters(in: .newlines)
        }
    }

    /// Runs git in `directory` under the root, whatever it exits with.
    func run(
        _ arguments: [String], in directory: String = ".", input: [UInt8] = [],
        variables more: [String: String] = [:]
    ) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: root + "/" + directory)
        process.environment = variables.merging(more) { $1 }
        // Files rather than pipes: nothing can block, whatever the amount.
        let name = root + "/.oracle-" + UUID().uuidString
        for end in [".in", ".out", ".err"] {
            _ = FileManager.default.createFile(
                atPath: name + end, contents: end == ".in" ? Data(input) : nil)
        }
        defer {
            for end in [".in", ".out", ".err"] {
                try? FileManager.default.removeItem(atPath: name + end)
            }
        }
        process.standardInput = FileHandle(forReadingAtPath: name + ".in")
        process.standardOutput = FileHandle(forWritingAtPath: name + ".out")
        process.standardError = FileHandle(forWritingAtPath: name + ".err")
        try process.run()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus,
            output: [UInt8](try Data(contentsOf: URL(fileURLWithPath: name + ".out"))),
            errors: try String(contentsOfFile: name + ".err", encoding: .isoLatin1))
    }

    /// Runs git, which must succeed, and gives what it prints without the last line's end.
    @discardableResult
    func git(_ arguments: String..., in directory: String = ".") throws -> String {
        let outcome = try run(arguments, in: directory)
        try #require(outcome.status == 0, "git \(arguments): \(outcome.errors)")
        return outcome.text
    }

    /// A repository with `count` commits one after the other, and the ids of those, oldest first.
    func makeCommits(_ directory: String, count: Int = 3) throws -> [ObjectID] {
        try git("init", "-q", "-b", "main", directory)
        return try (0 ..< count).map { number in
            try git(
                "commit", "-q", "--allow-empty", "-m", "commit \(number)", in: directory)
            return try #require(ObjectID(hex: try git("rev-parse", "HEAD", in: directory)))
        }
    }
}
