import Foundation
import GitCore
import GitStore
import GitWorktree
import Testing

/// A directory of one test, removed with it, and the real git in it.
final class Scratch {
    let url: URL
    var path: ByteString { ByteString(url.path) }

    init() throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("apus-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    struct Failure: Error { let text: String }

    /// Runs git here, or in the directory `at` below; its output without the last line end.
    @discardableResult
    func git(
        _ arguments: String..., at directory: String = "", input: [UInt8] = [],
        allowFailure: Bool = false
    ) throws -> String {
        let output = try gitBytes(arguments, at: directory, input: input, allowFailure)
        let text = String(decoding: output, as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    func gitBytes(
        _ arguments: [String], at directory: String = "", input: [UInt8] = [],
        _ allowFailure: Bool = false
    ) throws -> [UInt8] {
        let inputFile = FileManager.default.temporaryDirectory
            .appendingPathComponent("apus-input-\(UUID().uuidString)")
        try Data(input).write(to: inputFile)
        defer { try? FileManager.default.removeItem(at: inputFile) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git"] + arguments
        process.currentDirectoryURL = url.appendingPathComponent(directory)
        process.environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
            "HOME": url.path, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1", "LC_ALL": "C",
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com",
            "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000",
        ]
        process.standardInput = try FileHandle(forReadingFrom: inputFile)
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = allowFailure ? output : errors
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        let message = allowFailure ? Data() : errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 || allowFailure else {
            throw Failure(
                text: "git \(arguments): \(String(decoding: message, as: UTF8.self))")
        }
        return [UInt8](bytes)
    }

    func write(_ name: String, _ content: String) throws { try write(name, Array(content.utf8)) }

    func write(_ name: String, _ content: [UInt8]) throws {
        let file = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(content).write(to: file)
    }

    func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: url.appendingPathComponent(name)))
    }

    func exists(_ name: String) -> Bool {
        (try? FileManager.default.attributesOfItem(atPath: url.appendingPathComponent(name).path))
            != nil
    }

    /// The objects of the repository in the directory `name`.
    func objects(_ name: String = "") throws -> ObjectDatabase {
        try ObjectDatabase(
            objectsDirectory: path / (name.isEmpty ? "" : ByteString(name)) / ".git/objects",
            format: .sha1)
    }

    func oid(_ name: String, at directory: String = "") throws -> ObjectID {
        try #require(ObjectID(hex: try git("rev-parse", name, at: directory)))
    }
}

/// Checks `tree` of the repository `source` out into a new repository `target` that borrows its
/// objects, with HEAD and index as a clone leaves them.
@discardableResult
func checkOut(
    _ scratch: Scratch, from source: String, to target: String, commit: String = "HEAD",
    settings: WorktreeSettings = WorktreeSettings(), warn: (String) -> Void = { _ in }
) throws -> Index {
    try scratch.git("init", "-q", target)
    try scratch.git(
        "fetch", "-q", "--no-tags", "../\(source)", "\(commit):refs/heads/work", at: target)
    try scratch.git("symbolic-ref", "HEAD", "refs/heads/work", at: target)
    let workTree = scratch.path / ByteString(target)
    let checkout = Checkout(
        objects: try ObjectDatabase(
            objectsDirectory: workTree / ".git/objects", format: .sha1),
        workTree: workTree, gitDirectory: workTree / ".git", settings: settings)
    let index = try checkout.run(
        tree: try scratch.oid("work^{tree}", at: target), warn: warn)
    try index.write(to: workTree / ".git/index")
    return index
}
