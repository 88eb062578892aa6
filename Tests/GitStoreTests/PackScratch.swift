import Foundation
import GitCore
import Testing

@testable import GitStore

/// A directory of a test's own, and git in it. It is removed when the test lets go of it.
final class PackScratch: Sendable {
    let path: String
    var directory: ByteString { ByteString(path) }

    init() throws {
        path = NSTemporaryDirectory() + "apus-pack-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Packs and loose objects are read-only, their directories are not.
        try? FileManager.default.removeItem(atPath: path)
    }

    subscript(name: String) -> ByteString { directory / ByteString(name) }

    func write(_ bytes: [UInt8], to name: String) throws {
        try? FileManager.default.removeItem(atPath: path + "/" + name)
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    func read(_ name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
    }

    func list(_ name: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/" + name).sorted()
    }

    // MARK: git

    struct Outcome {
        let status: Int32
        let output: [UInt8]
        let errors: String
        var text: String { String(decoding: output, as: UTF8.self) }
        var line: String { text.trimmingCharacters(in: .whitespacesAndNewlines) }
        var lines: [String] { text.split(separator: "\n").map(String.init) }
    }

    /// Runs git in the directory, or in `repository` below it, with no configuration but its own.
    func attempt(
        _ arguments: [String], in repository: String = "", input: [UInt8] = []
    ) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/git")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: path + "/" + repository)
        process.environment = [
            "PATH": "/usr/bin:/bin", "HOME": path, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
            "GIT_CEILING_DIRECTORIES": path, "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@x",
            "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@x",
            "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0100",
        ]
        // Files, not pipes: a pipe that nobody empties stops the process.
        let names = ["in", "out", "err"].map { "\(path)/.\(UUID().uuidString).\($0)" }
        defer { for name in names { try? FileManager.default.removeItem(atPath: name) } }
        try Data(input).write(to: URL(fileURLWithPath: names[0]))
        for name in names[1...] { _ = FileManager.default.createFile(atPath: name, contents: nil) }
        let files = try [
            #require(FileHandle(forReadingAtPath: names[0])),
            #require(FileHandle(forWritingAtPath: names[1])),
            #require(FileHandle(forWritingAtPath: names[2])),
        ]
        process.standardInput = files[0]
        process.standardOutput = files[1]
        process.standardError = files[2]
        try process.run()
        process.waitUntilExit()
        for file in files { try file.close() }
        return try Outcome(
            status: process.terminationStatus,
            output: [UInt8](Data(contentsOf: URL(fileURLWithPath: names[1]))),
            errors: String(contentsOfFile: names[2], encoding: .isoLatin1))
    }

    /// Runs git, which must succeed.
    @discardableResult
    func git(
        _ arguments: String..., in repository: String = "", input: [UInt8] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Outcome {
        let outcome = try attempt(arguments, in: repository, input: input)
        try #require(
            outcome.status == 0, "git \(arguments): \(outcome.errors)",
            sourceLocation: sourceLocation)
        return outcome
    }

    /// A bare repository to put packs and objects in.
    func createRepository(_ name: String = "r", format: ObjectFormat = .sha1) throws {
        try git("init", "-q", "--bare", "--object-format=\(format.name)", name)
    }

    // MARK: The indexer

    /// Indexes a pack that arrives in pieces of `chunk` bytes.
    func index(
        _ pack: [UInt8], chunk: Int = 1 << 16, format: ObjectFormat = .sha1,
        _ configure: (inout PackIndexer.Options) -> Void = { _ in }
    ) throws -> IndexedPack {
        var options = PackIndexer.Options()
        options.threads = 2
        configure(&options)
        let indexer = try PackIndexer(directory: directory, format: format, options: options)
        var start = 0
        while start < pack.count {
            let end = min(pack.count, start + chunk)
            try indexer.append(Array(pack[start ..< end]))
            start = end
        }
        return try indexer.finish()
    }

    /// What git's own indexer makes of a pack; nil where it refuses it.
    func gitIndex(
        _ pack: [UInt8], format: ObjectFormat = .sha1, options: [String] = []
    ) throws -> (index: [UInt8], reverse: [UInt8])? {
        try write(pack, to: "oracle.pack")
        for name in ["oracle.idx", "oracle.rev"] {
            try? FileManager.default.removeItem(atPath: path + "/" + name)
        }
        let outcome = try attempt(
            ["index-pack", "--rev-index", "--object-format=\(format.name)"] + options
                + ["-o", "oracle.idx", "oracle.pack"])
        guard outcome.status == 0 else { return nil }
        return try (read("oracle.idx"), read("oracle.rev"))
    }

    /// Expects that a pack is indexed, and that both files are git's to the byte.
    @discardableResult
    func expectSameAsGit(
        _ pack: [UInt8], chunk: Int = 1 << 16, format: ObjectFormat = .sha1,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ configure: (inout PackIndexer.Options) -> Void = { _ in }
    ) throws -> IndexedPack {
        let expected = try #require(
            try gitIndex(pack, format: format), "git refuses the pack",
            sourceLocation: sourceLocation)
        let indexed = try index(pack, chunk: chunk, format: format, configure)
        // Not in #expect itself, which would print megabytes.
        let isIndexSame = indexed.indexBytes() == expected.index
        let isReverseSame = indexed.reverseIndexBytes() == expected.reverse
        #expect(isIndexSame, "the .idx differs from git's", sourceLocation: sourceLocation)
        #expect(isReverseSame, "the .rev differs from git's", sourceLocation: sourceLocation)
        return indexed
    }

    /// Files that an indexer left behind.
    func leftovers() throws -> [String] { try list().filter { $0.hasPrefix("tmp_") } }
}

/// Expects an error of this module with one of `codes`, and says its message.
@discardableResult
func expectStoreError<Result>(
    _ codes: StoreError.Code..., sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Result
) -> String {
    do {
        _ = try body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as StoreError {
        #expect(codes.contains(error.code), "\(error)", sourceLocation: sourceLocation)
        return error.message
    } catch {
        Issue.record("\(error) was thrown", sourceLocation: sourceLocation)
    }
    return ""
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct PackRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// Bytes that do not compress.
    static func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var random = PackRandom(state: seed)
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            var position = 0
            while position + 8 <= count {
                raw.storeBytes(of: random.next(), toByteOffset: position, as: UInt64.self)
                position += 8
            }
            while position < count {
                raw[position] = UInt8(truncatingIfNeeded: random.next())
                position += 1
            }
            filled = count
        }
    }
}
