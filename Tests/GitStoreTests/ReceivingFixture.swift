import Foundation
import GitCore
import Testing

@testable import GitStore

/// A repository to push to, `host.git`, and one that pushes, `work`, both made by git.
struct ReceivingFixture {
    let oracle: RepositoryOracle
    let oids: [ObjectID]

    init(_ format: ObjectFormat = .sha1, bare: Bool = true) throws {
        oracle = try RepositoryOracle()
        let name = format == .sha1 ? "sha1" : "sha256"
        try oracle.git("init", "-q", "-b", "main", "--object-format=\(name)", "work")
        var oids: [ObjectID] = []
        for number in 0 ..< 3 {
            oids.append(
                try Self.commit(oracle, "file \(number)", ["a/f\(number)": "\(number)\n"]))
        }
        self.oids = oids
        try oracle.git(
            ["clone", "-q"] + (bare ? ["--bare"] : []) + ["--no-local", "work", "host.git"])
    }

    var hostPath: String { "host.git" }

    func host() throws -> Repository {
        let path = oracle.exists("host.git/.git") ? "host.git/.git" : "host.git"
        return try Repository.open(
            gitDirectory: oracle.path(path), environment: oracle.environment)
    }

    /// Commits these files in `work`.
    @discardableResult
    func commit(_ message: String, _ files: [String: String]) throws -> ObjectID {
        try Self.commit(oracle, message, files)
    }

    private static func commit(
        _ oracle: RepositoryOracle, _ message: String, _ files: [String: String]
    ) throws -> ObjectID {
        for (name, text) in files { try oracle.write("work/" + name, text) }
        try oracle.git("add", ".", in: "work")
        try oracle.git("commit", "-q", "-m", message, in: "work")
        return try #require(ObjectID(hex: try oracle.git("rev-parse", "HEAD", in: "work")))
    }

    /// The pack that `git push` would send for these revisions.
    func pack(_ revisions: String, options: [String] = ["--thin"]) throws -> [UInt8] {
        let outcome = try oracle.run(
            ["pack-objects", "--revs", "--stdout", "--delta-base-offset", "-q"] + options,
            in: "work",
            input: Array(revisions.replacing(" ", with: "\n").utf8) + [0x0a])
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome.output
    }

    /// Every file and directory of the repository.
    func files() throws -> Set<String> {
        Set(try FileManager.default.subpathsOfDirectory(atPath: oracle.root + "/host.git"))
    }

    /// A hook, as a script of the shell.
    func hook(_ name: String, _ script: String, mode: Int = 0o755) throws {
        let path = "host.git/hooks/" + name
        try oracle.write(path, "#!/bin/sh\n" + script + "\n")
        try FileManager.default.setAttributes(
            [.posixPermissions: mode], ofItemAtPath: oracle.root + "/" + path)
    }
}

extension RepositoryOracle {
    @discardableResult
    func git(_ arguments: [String], in directory: String = ".") throws -> String {
        let outcome = try run(arguments, in: directory)
        try #require(outcome.status == 0, "git \(arguments): \(outcome.errors)")
        return outcome.text
    }
}

extension Quarantine {
    /// Takes in a pack that is at hand, in pieces of `size` bytes.
    @discardableResult
    func receive(
        _ pack: [UInt8], _ settings: ReceiveSettings = ReceiveSettings(), size: Int = 1 << 16,
        notice: (String) -> Void = { _ in }
    ) throws -> Int {
        var rest = pack[...]
        return try receive(settings, notice: notice) {
            defer { rest = rest.dropFirst(size) }
            return rest.isEmpty ? nil : rest.prefix(size)
        }
    }
}
