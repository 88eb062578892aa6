import GitCore
import GitStore
import TestSupport
import Testing

@testable import GitCache

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What is found after an end of any kind.
@Suite(.timeLimit(.minutes(10))) struct RecoveryTests {
    /// A store with three answers, closed.
    private func filled() throws -> Scratch {
        let scratch = try Scratch()
        let store = try scratch.open()
        for number in 1 ... 3 { try store.add(key(number), content(number, 1_000 * number)) }
        return scratch
    }

    private func sqlite(_ scratch: Scratch, _ statement: String) throws -> String {
        let output = try run("sqlite3", [scratch.folder("cache/cache.db"), statement]).required()
        return output.out.filter { !$0.isNewline }
    }

    @Test func whatIsWholeIsFoundAgain() throws {
        let scratch = try filled()
        let store = try scratch.open()
        #expect(store.statistics.answers == 3 && store.statistics.bytes == 6_000)
        for number in 1 ... 3 {
            #expect(try store.whole(key(number)).bytes() == content(number, 1_000 * number))
        }
        #expect(try store.add(key(4), content(4, 10)))
        #expect(try scratch.files().count == 4)
    }

    @Test func theOrderOfUseIsFoundAgain() throws {
        let scratch = try filled()
        do {
            let store = try scratch.open()
            #expect(try store.has(1))
        }
        let store = try scratch.open(budget: 4_000)
        #expect(store.statistics.answers == 2 && store.statistics.evictions == 1)
        #expect(try store.has(1) && store.has(3))
        #expect(try scratch.files().count == 2)
    }

    @Test func afterAnUncleanEndWholeAnswersAreFoundAndOthersNot() throws {
        let scratch = try Scratch()
        let copy = try Scratch()
        let store = try scratch.open()
        try store.add(key(1), content(1, 1_000))
        let writer = try store.writer(key(2))
        writer.append(content(2, 1_000))
        try run("cp", ["-r", scratch.folder("cache"), copy.folder("cache")]).required()
        #expect(try copy.files().count == 2)
        writer.finish()
        let reopened = try copy.open()
        #expect(try reopened.whole(key(1)).bytes() == content(1, 1_000))
        #expect(try copy.files().count == 1)
        _ = try reopened.writer(key(2))
    }

    @Test func aFileWithoutARowIsRemoved() throws {
        let scratch = try filled()
        let stray = scratch.file("00000000000000ff")
        try scratch.folder.write("cache/answers/00000000000000ff", [1])
        try scratch.folder.write("cache/answers/0000000000000003.new", [1])
        let store = try scratch.open()
        #expect(!exists(stray) && !exists(scratch.file("0000000000000003.new")))
        #expect(store.statistics.answers == 3)
    }

    @Test func aRowWithoutAFileIsRemoved() throws {
        let scratch = try filled()
        #expect(unlink(scratch.file("0000000000000002")) == 0)
        do {
            let store = try scratch.open()
            #expect(store.statistics.answers == 2 && store.statistics.bytes == 4_000)
            #expect(try store.has(1) && !store.has(2))
        }
        #expect(try sqlite(scratch, "SELECT group_concat(serial) FROM answer") == "1,3")
    }

    @Test func aFileOfAnotherSizeIsRemoved() throws {
        let scratch = try filled()
        #expect(truncate(scratch.file("0000000000000002"), 1_999) == 0)
        let store = try scratch.open()
        #expect(store.statistics.answers == 2 && !exists(scratch.file("0000000000000002")))
        _ = try store.writer(key(2))
    }

    @Test(arguments: [
        "UPDATE answer SET key = x'00' WHERE serial = 2",
        "UPDATE answer SET size = -1 WHERE serial = 2",
        "UPDATE answer SET checksum = 'text' WHERE serial = 2",
        "UPDATE answer SET used = 1.5 WHERE serial = 2",
        "UPDATE answer SET serial = 9223372036854775807 WHERE serial = 2",
        "UPDATE answer SET serial = -2 WHERE serial = 2",
    ])
    func aRowThatMakesNoSenseIsRemoved(_ change: String) throws {
        let scratch = try filled()
        _ = try sqlite(scratch, change)
        do {
            let store = try scratch.open()
            #expect(store.statistics.answers == 2)
            #expect(try store.add(key(2), content(2, 5)))
        }
        #expect(try sqlite(scratch, "SELECT group_concat(serial) FROM answer") == "1,3,4")
    }

    @Test func ofTwoAnswersForAKeyOneIsRemoved() throws {
        let scratch = try filled()
        _ = try sqlite(
            scratch, "UPDATE answer SET key = (SELECT key FROM answer WHERE serial = 1)")
        let store = try scratch.open()
        #expect(store.statistics.answers == 1 && store.statistics.bytes == 3_000)
        #expect(try scratch.files() == ["0000000000000003"])
    }

    @Test func aDamagedAnswerIsMadeAnew() throws {
        let scratch = try filled()
        let file = try File(ByteString(scratch.file("0000000000000002")), O_WRONLY)
        let damage: [UInt8] = [content(2, 2_000)[1_500] ^ 1]
        try damage.withUnsafeBytes { try file.write($0, at: 1_500) }
        let store = try scratch.open()
        #expect(store.statistics.answers == 3)
        let key = try key(2)
        let start = Monitor(false)
        let threads = try (0 ..< 10).map { _ in
            try Running { () -> [UInt8] in
                _ = start.wait { $0 ? true : nil }
                switch store.answer(for: key) {
                case .missing(let writer):
                    writer.append(content(2, 2_000))
                    writer.finish()
                    return content(2, 2_000)
                case .growing(let reader): return try reader.rest()
                case .whole(let whole): return try whole.bytes()
                }
            }
        }
        start.change { $0 = true }
        for thread in threads { #expect(try thread.value() == content(2, 2_000)) }
        #expect(store.statistics.failures == 1 && store.statistics.misses == 1)
        #expect(try store.whole(self.key1()).bytes() == content(1, 1_000))
    }

    private func key1() throws -> AnswerKey { try key(1) }

    @Test func anAnswerRemovedByHandIsMadeAnew() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        try store.add(key(1), [1, 2])
        #expect(unlink(scratch.file("0000000000000001")) == 0)
        #expect(try store.add(key(1), [1, 2]))
        #expect(truncate(scratch.file("0000000000000002"), 1) == 0)
        #expect(try store.add(key(1), [1, 2]))
        #expect(try store.whole(key(1)).bytes() == [1, 2])
    }

    @Test(arguments: ["garbage", "cut", "page", "version", "table", "empty"])
    func aDatabaseThatCannotBeUsedIsBegunAnew(_ damage: String) throws {
        let scratch = try filled()
        let path = scratch.folder("cache/cache.db")
        switch damage {
        case "garbage": try scratch.folder.write("cache/cache.db", content(1, 20_000))
        case "cut": #expect(truncate(path, 5_000) == 0)
        case "page":
            let file = try File(ByteString(path), O_WRONLY)
            try content(1, 4_096).withUnsafeBytes { try file.write($0, at: 4_096) }
        case "version": _ = try sqlite(scratch, "PRAGMA user_version = 2")
        case "table": _ = try sqlite(scratch, "ALTER TABLE answer RENAME TO other")
        default: #expect(truncate(path, 0) == 0)
        }
        do {
            let store = try scratch.open()
            #expect(store.statistics.answers == 0)
            #expect(try scratch.files() == [])
            #expect(try store.add(key(1), content(1, 10)))
        }
        #expect(try scratch.open().whole(key(1)).bytes() == content(1, 10))
    }

    @Test func whatIsNotItsOwnIsLeftAlone() throws {
        let scratch = try filled()
        try scratch.folder.write("cache/answers/notes.txt", [1])
        try scratch.folder.write("cache/answers/00000000000000FF", [1])
        try scratch.folder.write("cache/other", [1])
        _ = try scratch.open()
        #expect(exists(scratch.file("notes.txt")) && exists(scratch.file("00000000000000FF")))
        #expect(exists(scratch.folder("cache/other")))
    }
}
