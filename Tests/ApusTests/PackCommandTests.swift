import Synchronization
import TestSupport
import Testing

/// `index-pack`, `unpack-objects` and `verify-pack` beside git's, on packs of many kinds: the files
/// that they write are equal byte for byte.
@Suite(.timeLimit(.minutes(10))) struct PackCommandTests {
    /// What `git pack-objects` is asked for.
    static let kinds: [(name: String, fixture: String, options: [String])] = [
        ("offset deltas", "history", ["--delta-base-offset"]),
        ("reference deltas", "history", ["--no-reuse-delta"]),
        ("reference deltas, from many packs", "many-packs", []),
        ("no deltas", "history", ["--window=0"]),
        ("deep deltas", "deep-deltas", ["--delta-base-offset", "--depth=4095"]),
        ("tags", "nested-tags", []),
        ("large files", "modes", ["--delta-base-offset"]),
        ("one commit", "tiny", []),
        ("nothing", "empty", []),
        ("SHA-256", "sha256", ["--delta-base-offset"]),
    ]

    /// Each kind with one or two of the options.
    static let ways = kinds.map(\.name).enumerated().flatMap { number, kind in
        ServePair.sample(["", "--threads=1", "--threads=2", "-v"], turn: number).map { (kind, $0) }
    }

    @Test(arguments: ways)
    func indexesAFileAsGitDoes(kind: String, option: String) throws {
        let pair = try CommandPair()
        let format = try prepare(pair, kind)
        let options = option.isEmpty ? [] : [option]
        let quiet = option != "-v"  // git says nothing of no objects, apus may
        try pair.compare(
            ["index-pack"] + format + options + ["p.pack"], environment: reverseIndex,
            standardErrorToo: quiet)
        for file in ["p.idx", "p.rev"] { try pair.expectSameFile(file) }
        try pair.compare(
            ["index-pack"] + format + options + ["-o", "other.idx", "p.pack"],
            standardErrorToo: quiet)
        try pair.expectSameFile("other.idx")
    }

    @Test(arguments: kinds.map(\.name))
    func indexesAStreamAsGitDoes(kind: String) throws {
        let pair = try CommandPair()
        let format = try prepare(pair, kind).map { $0.replacing("--object-format=", with: "") }
        try pair.setUp {
            try Git.run(
                ["init", "-q"] + format.map { "--object-format=\($0)" } + ["repo"], in: $0.path)
        }
        let pack = readFile(pair.paths("p.pack").0) ?? []
        let environment = ["GIT_DIR": "repo/.git"].merging(reverseIndex) { $1 }
        try pair.compare(
            ["index-pack", "--stdin", "copy.pack"], bytes: pack, environment: environment)
        for file in ["copy.pack", "copy.idx", "copy.rev"] { try pair.expectSameFile(file) }
        try pair.compare(["index-pack", "--stdin"], bytes: pack, environment: environment)
        try pair.expectSameFolder("repo/.git/objects")
    }

    @Test(arguments: kinds.map(\.name).filter { $0 != "SHA-256" })
    func unpacksAsGitDoes(kind: String) throws {
        let pair = try CommandPair()
        _ = try prepare(pair, kind)
        try pair.setUp { try Git.run(["init", "-q", "."], in: $0.path) }
        let pack = readFile(pair.paths("p.pack").0) ?? []
        try pair.compare(["unpack-objects", "-q"], bytes: pack)
        try pair.expectSameObjects()
        let fsck = try Git.attempt(["fsck", "--strict"], in: pair.paths(".").0)
        #expect(fsck.succeeded, "\(fsck.err)")
    }

    @Test(arguments: Array(kinds.map(\.name).filter { $0 != "SHA-256" }.enumerated()))
    func verifiesAsGitDoes(kind: (offset: Int, element: String)) throws {
        let pair = try CommandPair()
        _ = try prepare(pair, kind.element)
        try pair.setUp { try Git.run(["index-pack", "p.pack"], in: $0.path) }
        let words = [
            ["p.idx"], ["-v", "p.idx"], ["--verbose", "p.pack"], ["-v", "p.pack"], ["p.pack"],
            ["--verbose", "p.idx"],
        ]
        for words in ServePair.sample(words, turn: kind.offset) {
            try pair.compare(["verify-pack"] + words)
        }
        try pair.compare(["verify-pack", "none.idx"])
    }

    /// Every byte of a small pack is made wrong in turn: nothing is accepted, nothing crashes.
    @Test func refusesAPackWithAnyByteWrong() throws {
        let scratch = try repository()
        let pack = try packed("tiny", [])
        for position in stride(from: 0, to: pack.count, by: pack.count / 60 + 1) {
            var damaged = pack
            damaged[position] ^= 0x11
            try expectRefused(damaged, scratch, "byte \(position)")
        }
    }

    @Test func refusesAPackThatEndsEarlyOrLate() throws {
        let scratch = try repository()
        let pack = try packed("tiny", [])
        for length in stride(from: 0, to: pack.count, by: pack.count / 40 + 1) {
            try expectRefused(Array(pack[..<length]), scratch, "\(length) bytes")
        }
        try scratch.write("p.pack", pack + [0])
        let result = try Apus.run(["index-pack", "p.pack"], in: scratch.path)
        #expect(result.exit == .code(128), "\(result.err)")
    }

    @Test func refusesADeltaWithoutItsBase() throws {
        let fixture = try Fixture.named("history").path
        let thin = try Git.run(
            ["pack-objects", "--stdout", "--thin", "--revs", "-q", "--no-reuse-delta"], in: fixture,
            input: Array("main\n^main~1\n".utf8))
        let scratch = try repository()
        try expectRefused(thin.stdout, scratch, "thin")
    }

    /// An empty folder with an empty repository in it.
    private func repository() throws -> TemporaryDirectory {
        let scratch = try TemporaryDirectory()
        try Git.run(["init", "-q"], in: scratch.path)
        return scratch
    }

    private func expectRefused(
        _ pack: [UInt8], _ scratch: TemporaryDirectory, _ what: String
    ) throws {
        let result = try Apus.run(
            ["index-pack", "--stdin", "p.pack"], in: scratch.path, input: pack)
        #expect(result.exit == .code(128), "\(what): \(result.err)")
        if !Apus.isGit {
            expectFailure(result)
            #expect(try TreeListing(of: scratch.path).entries.isEmpty, "\(what)")
            let objects = try TreeListing(of: scratch(".git/objects")).entries.keys.sorted()
            #expect(objects == ["info", "pack"], "\(what)")
        }
    }

    private let reverseIndex = configuration([("pack.writeReverseIndex", "true")])

    /// Writes a pack of that kind to `p.pack` in both folders; the option that names its format.
    private func prepare(_ pair: CommandPair, _ kind: String) throws -> [String] {
        guard let kind = Self.kinds.first(where: { $0.name == kind }) else { return [] }
        let pack = try packed(kind.fixture, kind.options)
        try pair.setUp { try $0.write("p.pack", pack) }
        return kind.fixture == "sha256" ? ["--object-format=sha256"] : []
    }

    /// Made once for all who want the same, by one thread, so that it is the same each time.
    private func packed(_ fixture: String, _ options: [String]) throws -> [UInt8] {
        let path = try Fixture.named(fixture).path
        return try Self.packs.withLock { packs in
            if let pack = packs[[fixture] + options] { return pack }
            let made = try Git.run(
                ["pack-objects", "--stdout", "--all", "-q", "--threads=1"] + options, in: path
            ).stdout
            packs[[fixture] + options] = made
            return made
        }
    }

    private static let packs = Mutex<[[String]: [UInt8]]>([:])
}
