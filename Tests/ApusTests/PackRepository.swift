import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A repository that packs are made from.
struct PackRepository {
    let path: String
    private let commits: [String]
    private let format: String
    private let folder: TemporaryDirectory?
    /// Two repositories to take packs in: `r` has nothing, `thin` borrows all of this one.
    private let receivers: TemporaryDirectory

    /// - Parameter copied: whether a test changes it.
    init(_ name: String, copied: Bool = false) throws {
        let fixture = try Fixture.named(name).path
        if copied {
            let folder = try TemporaryDirectory()
            try run("/bin/cp", ["-R", fixture, folder("r.git")]).required()
            try self.init(path: folder("r.git"), folder)
        } else {
            try self.init(path: fixture)
        }
    }

    init(path: String, _ folder: TemporaryDirectory? = nil) throws {
        self.path = path
        self.folder = folder
        commits = try Git.run(["rev-list", "--date-order", "--all"], in: path).out
            .split(separator: "\n").map(String.init)
        format = try Git.line(["rev-parse", "--show-object-format"], in: path)
        receivers = try TemporaryDirectory()
        for name in ["r", "thin"] {
            try Git.run(
                ["init", "-q", "--bare", "--template=", "--object-format=\(format)", name],
                in: receivers.path)
        }
        try receivers.write("thin/objects/info/alternates", Array("\(path)/objects\n".utf8))
    }

    /// Expects that apus and git choose the same objects, and that git takes the packs; says the sizes
    /// of both.
    @discardableResult
    func compare(
        _ options: [String], _ lines: [String], location: SourceLocation = #_sourceLocation
    ) throws -> (apus: Int, git: Int) {
        let (apus, git) = try packs(options, lines)
        guard apus.succeeded, git.succeeded else {
            #expect(
                apus.exit == git.exit, "\(options) \(lines): \(apus.err) \(git.err)",
                sourceLocation: location)
            return (0, 0)
        }
        // What git wrote itself it takes.
        if apus.stdout == git.stdout { return (apus.stdout.count, git.stdout.count) }
        let isThin = options.contains("--thin")
        let mine = try objects(of: apus.stdout, isThin: isThin)
        let theirs = try objects(of: git.stdout, isThin: isThin)
        let (more, fewer) = (mine.subtracting(theirs), theirs.subtracting(mine))
        #expect(
            more.isEmpty && fewer.isEmpty,
            "\(options) \(lines): more \(Array(more.prefix(3))), fewer \(Array(fewer.prefix(3)))",
            sourceLocation: location)
        return (apus.stdout.count, git.stdout.count)
    }

    func compareFailure(
        _ options: [String], _ lines: [String], location: SourceLocation = #_sourceLocation
    ) throws {
        let (apus, git) = try packs(options, lines)
        #expect(apus.exit == git.exit, "\(options) \(lines)", sourceLocation: location)
        #expect(apus.err == git.err, "\(options) \(lines)", sourceLocation: location)
        #expect(apus.stdout.isEmpty, sourceLocation: location)
    }

    private func packs(
        _ options: [String], _ lines: [String]
    ) throws -> (apus: RunResult, git: RunResult) {
        let arguments = ["pack-objects", "--revs", "--stdout", "-q"] + options
        let input = Array(lines.map { expanded($0) + "\n" }.joined().utf8)
        let git = try Git.attempt(arguments + ["--no-sparse"], in: path, input: input)
        return (try Apus.run(arguments + ["--no-sparse"], in: path, input: input), git)
    }

    private func expanded(_ line: String) -> String {
        guard let start = line.firstIndex(of: "%"),
            let number = Int(line[line.index(after: start)...].prefix { $0.isNumber })
        else { return line }
        let digits = line[line.index(after: start)...].prefix { $0.isNumber }
        return line[..<start] + commits[min(number, commits.count - 1)] + line[digits.endIndex...]
    }

    /// The objects of a pack that git indexes; of a thin one without the bases that it adds.
    func objects(of pack: [UInt8], isThin: Bool) throws -> Set<String> {
        guard pack.count > 12, pack[8 ..< 12] != [0, 0, 0, 0] else { return [] }
        let receiver = receivers(isThin ? "thin" : "r")
        for suffix in ["pack", "idx", "rev"] { unlink("\(receiver)/p.\(suffix)") }
        try Git.run(
            ["index-pack", "--stdin"] + (isThin ? ["--fix-thin"] : []) + ["p.pack"], in: receiver,
            input: pack)
        let rows = try rows(of: try #require(readFile("\(receiver)/p.idx")))
        let count = number(pack, 8)
        let own = rows.sorted { $0.offset < $1.offset }.prefix(count)
        #expect(own.count == count)
        return Set(own.map(\.oid))
    }

    /// An index of version 2, as `git show-index` prints it.
    private func rows(of index: [UInt8]) throws -> [(offset: Int, oid: String)] {
        let length = format == "sha256" ? 32 : 20
        let (ids, count) = (8 + 256 * 4, number(index, 8 + 255 * 4))
        let offsets = ids + count * (length + 4)
        try #require(index.count >= offsets + count * 4 + 2 * length && number(index, 4) == 2)
        return (0 ..< count).map { row in
            let oid = index[(ids + row * length)...].prefix(length)
            return (number(index, offsets + row * 4), oid.map(hex).joined())
        }
    }

    private func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    private func number(_ bytes: [UInt8], _ offset: Int) -> Int {
        bytes[offset ..< offset + 4].reduce(0) { $0 << 8 | Int($1) }
    }
}
