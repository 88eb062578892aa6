import Foundation
import GitCore
import Testing

@testable import GitStore

/// Objects as git wrote them, read back; and what is written here, read by git.
@Suite struct ObjectDatabaseTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    func open(_ repository: String = "r", _ format: ObjectFormat = .sha1) throws -> ObjectDatabase {
        try ObjectDatabase(
            objectsDirectory: scratch[repository + "/objects"], format: format)
    }

    /// Installs a pack of a long base and a delta on it, both told apart by `name`.
    private func installDelta(_ name: String) throws -> ObjectID {
        let base = String(repeating: "base of \(name) ", count: 100)
        var pack = PackBuilder()
        pack.delta(on: pack.blob(base), DeltaBuilder.appending(name, to: base.utf8.count))
        try scratch.index(pack.finished()).install(in: scratch["r/objects/pack"])
        return oid(blob: base + name)
    }

    /// The bases of deltas are cached; a pack that takes the place of another must not be answered
    /// from what was cached of that.
    @Test func packsThatComeAndGoDoNotShareCachedBases() throws {
        try scratch.createRepository()
        let store = try open()
        for number in 0 ..< 20 {
            let delta = try installDelta(String(100 + number))
            try store.refresh()
            let object = try store.read(delta)
            #expect(oid(.blob, object.content) == delta)
            for name in try scratch.list("r/objects/pack") {
                try FileSystem.remove(scratch["r/objects/pack/" + name])
            }
            try store.refresh()
        }
    }

    // MARK: Beside git

    /// A repository with loose objects, packs with deltas of both kinds, and alternates of alternates.
    private func makeMixed(_ format: ObjectFormat = .sha1) throws {
        try PackFixture.history(scratch, "w", format: format)
        try scratch.git("init", "-q", "--bare", "--object-format=\(format.name)", "far")
        try scratch.git("init", "-q", "--bare", "--object-format=\(format.name)", "near")
        try scratch.git("init", "-q", "--bare", "--object-format=\(format.name)", "r")
        func pack(_ revisions: String, into repository: String, _ option: String) throws {
            let bytes = try scratch.attempt(
                ["pack-objects", "--stdout", "--revs", "-q", "--no-reuse-delta", option], in: "w",
                input: Array(revisions.utf8)
            ).output
            try scratch.git(
                "index-pack", "--stdin", "--fix-thin", in: repository, input: bytes)
        }
        try pack("main~20\n", into: "far", "--delta-base-offset")
        try pack("main~10\n^main~20\n", into: "near", "--window=20")
        try pack("main~5\n^main~10\n", into: "r", "--delta-base-offset")
        try pack("main~2\n^main~5\n", into: "r", "--window=20")
        let rest = try scratch.attempt(
            ["pack-objects", "--stdout", "--revs", "--all", "-q"], in: "w",
            input: Array("^main~2\n".utf8)
        ).output
        try scratch.git("unpack-objects", "-q", in: "r", input: rest)
        try scratch.write(Array("../../far/objects\n".utf8), to: "near/objects/info/alternates")
        try scratch.write(
            Array("# a remark\n\n\(scratch.path)/near/objects\n/nowhere\n".utf8),
            to: "r/objects/info/alternates")
    }

    @Test(arguments: ObjectFormat.allCases) func everyObjectIsWhatGitSays(format: ObjectFormat)
        throws
    {
        try makeMixed(format)
        let store = try open("r", format)
        let check = "%(objectname) %(objecttype) %(objectsize) %(objectsize:disk) %(deltabase)"
        let lines = try scratch.git(
            "cat-file", "--batch-all-objects", "--batch-check=\(check)", in: "r"
        ).lines.map { $0.split(separator: " ").map(String.init) }
        try #require(lines.count > 200)
        var (deltas, kinds) = (0, Set<String>())
        for line in lines {
            let id = try #require(ObjectID(hex: line[0]))
            let header = try store.header(id)
            #expect("\(header.kind.name) \(header.size)" == "\(line[1]) \(line[2])")
            let storage = try store.storage(id)
            #expect(String(storage.size) == line[3])
            #expect((storage.deltaBase ?? .zero(format)).hex == line[4])
            if storage.deltaBase != nil { deltas += 1 }
            kinds.insert(line[1])
        }
        #expect(deltas > 20)
        #expect(kinds == ["commit", "tree", "blob", "tag"])
        #expect(try store.allObjectIDs().map(\.hex) == lines.map { $0[0] })

        // All contents at once: "<id> <kind> <size>\n<content>\n".
        let output = try scratch.git(
            "cat-file", "--batch-all-objects", "--batch=%(objectname) %(objecttype)", in: "r"
        ).output
        var expected: [UInt8] = []
        var streamed: [UInt8] = []
        for id in try store.allObjectIDs() {
            let object = try store.read(id)
            let line = Array("\(id) \(object.kind.name)\n".utf8)
            expected += line + object.content + [0x0a]
            streamed += line
            try store.stream(id) { streamed += $0 }
            streamed.append(0x0a)
        }
        let isRead = expected == output
        let isStreamed = streamed == output
        #expect(isRead)
        #expect(isStreamed)
    }

    @Test func objectsReadByManyThreadsAtOnce() throws {
        try makeMixed()
        let store = try open()
        let all = try store.allObjectIDs()
        let failure = FirstFailure()
        Workers.run(4) { number in
            failure.catching { () throws(StoreError) in
                for index in all.indices {
                    let id = all[(index &* 7 &+ number &* 31) % all.count]
                    let object = try store.read(id)
                    guard try identify(object, .sha1) == id else {
                        throw StoreError(.corrupt, "\(id) is another object")
                    }
                    let header = try store.header(id)
                    guard header == (object.kind, UInt64(object.content.count)) else {
                        throw StoreError(.corrupt, "\(id) has another header")
                    }
                    if index % 50 == 0 { try store.refresh() }
                }
            }
        }
        try failure.check()
    }

    @Test func candidatesForAbbreviations() throws {
        try makeMixed()
        let store = try open()
        let all = try store.allObjectIDs()
        for id in all.prefix(60) {
            for length in [2, 3, 4, 7, 39, 40] {
                let prefix = String(id.hex.prefix(length))
                let expected = all.filter { $0.hex.hasPrefix(prefix) }
                #expect(try store.candidates(prefix: ByteString(prefix)) == expected)
                let upper = ByteString(prefix.uppercased())
                #expect(try store.candidates(prefix: upper) == expected)
            }
        }
        for none in ["", "a", "xy", "abcg", String(repeating: "f", count: 40), "0 "] {
            #expect(try store.candidates(prefix: ByteString(none)) == [])
        }
        let long = ByteString(String(repeating: "0", count: 41))
        #expect(try store.candidates(prefix: long) == [])
    }

    @Test(arguments: ObjectFormat.allCases) func writtenObjectsAreGits(format: ObjectFormat) throws
    {
        try scratch.createRepository(format: format)
        let store = try open("r", format)
        for size in [0, 1, 1_000, 200_000] {
            let content = PackRandom.bytes(size)
            let id = try store.write(.blob, content)
            #expect(id == oid(.blob, content, format))
            #expect(
                try scratch.git("hash-object", "--stdin", in: "r", input: content).line == id.hex)
            #expect(try scratch.git("cat-file", "blob", id.hex, in: "r").output == content)
            let isSame = try store.read(id).content == content
            #expect(isSame)
        }
        try scratch.git("fsck", in: "r")
    }

    @Test func whatIsPackedIsNotWrittenLoose() throws {
        try scratch.createRepository()
        let id = try installDelta("packed")
        let store = try open()
        let text = String(repeating: "base of packed ", count: 100) + "packed"
        #expect(try store.write(.blob, Array(text.utf8)) == id)
        #expect(try scratch.list("r/objects") == ["info", "pack"])
    }

    @Test func objectsThatAreNotThere() throws {
        try scratch.createRepository()
        let store = try open()
        let id = oid(blob: "none")
        #expect(try !store.contains(id))
        expectStoreError(.notFound) { try store.read(id) }
        expectStoreError(.notFound) { try store.header(id) }
        expectStoreError(.notFound) { try store.storage(id) }
        expectStoreError(.notFound) { try store.stream(id) { _ in } }
        // An id of the other format is no object of this store.
        expectStoreError(.notFound) { try store.read(oid(.blob, [], .sha256)) }
        #expect(try store.allObjectIDs() == [])
    }

    @Test func directoryThatIsNotThereIsAnEmptyStore() throws {
        let store = try ObjectDatabase(objectsDirectory: scratch["none"], format: .sha1)
        #expect(try store.allObjectIDs() == [])
        #expect(try !store.contains(oid(blob: "x")))
    }

    // MARK: Others at work

    @Test func objectsAreFoundAfterGitRepacks() throws {
        try PackFixture.history(scratch, commits: 12)
        let store = try open("w/.git")
        let all = try store.allObjectIDs()
        for options in [["-dq"], ["-adq"], ["-adfq", "--depth=3"], ["-adfq", "--window=0"]] {
            _ = try scratch.attempt(["repack"] + options, in: "w")
            // Not told: what is gone is looked for anew.
            for id in all { #expect(try identify(store.read(id), .sha1) == id) }
        }
        #expect(try store.allObjectIDs() == all)
        let late = try scratch.git("hash-object", "-w", "--stdin", in: "w", input: [1, 2, 3]).line
        #expect(try store.read(#require(ObjectID(hex: late))).content == [1, 2, 3])
    }

    @Test func packInstalledAfterOpeningIsSeen() throws {
        try scratch.createRepository()
        let store = try open()
        let id = try installDelta("late")
        #expect(try !store.contains(id))
        #expect(try store.read(id).kind == .blob)
        #expect(try store.contains(id))
    }

    /// A miss does not read the directory again while that is as it was; a new pack is found at once.
    @Test func missesDoNotReadTheDirectoryEachTime() throws {
        try scratch.createRepository()
        _ = try installDelta("early")
        let store = try open()
        // File systems note times coarsely: right after a change, one has to look.
        #expect(try store.packs.refresh())
        sleep(3)
        #expect(try store.packs.refresh())
        for _ in 0 ..< 3 {
            expectStoreError(.notFound) { try store.read(oid(blob: "none")) }
            #expect(try !store.packs.refresh())
        }
        let late = try installDelta("late")
        #expect(try store.read(late).kind == .blob)
    }

    @Test func packWithoutIndexAndIndexWithoutPackAreNotUsed() throws {
        try scratch.createRepository()
        let id = try installDelta("a")
        let names = try scratch.list("r/objects/pack")
        for name in names where name.hasSuffix(".pack") {
            let bytes = try scratch.read("r/objects/pack/" + name)
            try FileSystem.remove(scratch["r/objects/pack/" + name])
            #expect(try !open().contains(id))
            try scratch.write(bytes, to: "r/objects/pack/" + name)
        }
        #expect(try open().contains(id))
        for name in names where name.hasSuffix(".idx") {
            try FileSystem.remove(scratch["r/objects/pack/" + name])
        }
        #expect(try !open().contains(id))
    }

    /// In a process that may have 200 open files.
    @Test func morePacksThanOpenFiles() async throws {
        try scratch.createRepository()
        for number in 0 ..< 300 {
            var pack = PackBuilder()
            pack.blob("pack \(number)")
            try scratch.index(pack.finished()).install(in: scratch["r/objects/pack"])
        }
        await #expect(processExitsWith: .success) { [path = scratch.path as String] in
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = 200
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            let store = try ObjectDatabase(
                objectsDirectory: ByteString(path + "/r/objects"), format: .sha1)
            for _ in 0 ..< 2 {
                for number in 0 ..< 300 {
                    let object = try store.read(oid(blob: "pack \(number)"))
                    #expect(object.content == Array("pack \(number)".utf8))
                }
            }
        }
    }

    // MARK: Alternates

    @Test func alternatesThatBorrowFromEachOther() throws {
        for name in ["r", "s"] {
            try scratch.createRepository(name)
            // Many lines, and each other: as a tree of stores this would have no end.
            let lines = (0 ..< 50).map {
                "../../\($0 % 2 == 0 ? "r" : "s")/objects/\($0 < 25 ? "" : ".")"
            }
            try scratch.write(
                Array(lines.joined(separator: "\n").utf8), to: name + "/objects/info/alternates")
        }
        let id = try ObjectDatabase(objectsDirectory: scratch["s/objects"], format: .sha1)
            .write(.blob, [1])
        let store = try open()
        #expect(try store.read(id).content == [1])
        #expect(try store.allObjectIDs() == [id])
    }

    @Test func alternatesHaveALimit() throws {
        try scratch.createRepository()
        var lines = ""
        for number in 0 ..< 300 {
            try FileSystem.createDirectory(scratch["a\(number)"])
            lines += "\(scratch.path)/a\(number)\n"
        }
        try scratch.write(Array(lines.utf8), to: "r/objects/info/alternates")
        expectStoreError(.limit) { try open() }
    }
}
