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

/// What is kept, for how long, and what is removed.
@Suite(.timeLimit(.minutes(10))) struct KeepingTests {
    @Test func whatWasNotUsedForLongestGoesFirst() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 300)
        for number in 1 ... 3 { #expect(try store.add(key(number), content(number, 100))) }
        #expect(try store.has(1))
        #expect(try store.add(key(4), content(4, 100)))
        #expect(try scratch.files().count == 3)
        #expect(store.statistics.evictions == 1 && store.statistics.bytes == 300)
        #expect(try store.whole(key(1)).bytes() == content(1, 100))
        #expect(try store.has(3) && store.has(4))
        _ = try store.writer(key(2))
    }

    @Test func manyUsesLeaveTheOrderRight() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 300)
        for number in 1 ... 3 { try store.add(key(number), content(number, 100)) }
        for _ in 0 ..< 5_000 { #expect(try store.has(2) && store.has(1)) }
        try store.add(key(4), content(4, 100))
        try store.add(key(5), content(5, 100))
        #expect(try store.has(1) && !store.has(2) && !store.has(3))
    }

    @Test func whatIsInUseStays() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 300)
        try store.add(key(1), content(1, 100))
        var held: WholeAnswer? = try store.whole(key(1))
        for number in 2 ... 3 { try store.add(key(number), content(number, 100)) }
        var followed: AnswerReader?
        do {
            let writer = try store.writer(key(4))
            followed = try store.reader(key(4))
            writer.append(content(4, 100))
            writer.finish()
        }
        // Two may go, of 100 bytes each.
        #expect(try !store.add(key(5), content(5, 201)))
        // Those in use are the oldest, and stay.
        for number in 6 ... 8 { #expect(try store.add(key(number), content(number, 100))) }
        #expect(try held?.bytes() == content(1, 100))
        #expect(try followed?.rest() == content(4, 100))
        #expect(try store.has(1) && store.has(4))
        (held, followed) = (nil, nil)
        #expect(try store.add(key(9), content(9, 300)))
        #expect(store.statistics.answers == 1 && held == nil && followed == nil)
    }

    @Test func aGrowingAnswerTakesOfTheBudget() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 300)
        let writer = try store.writer(key(1))
        writer.append(content(1, 200))
        #expect(try !store.add(key(2), content(2, 101)))
        #expect(try store.add(key(3), content(3, 100)))
        #expect(store.statistics.bytes == 300)
        writer.append([1])
        #expect(writer.isKept && store.statistics.answers == 0 && store.statistics.bytes == 201)
    }

    @Test func whatIsNotKeptFreesItsPartOfTheBudget() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 300)
        for number in 1 ... 10 {
            let writer = try store.writer(key(number))
            writer.append(content(number, 200))
            if number % 2 == 0 { writer.append(content(number, 200)) }
        }
        #expect(store.statistics.bytes == 0)
        #expect(try store.add(key(1), content(1, 300)))
    }

    @Test func whatIsTooLargeIsPassedOnAndNotKept() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 100_000) { $0.tailSize = 1_000 }
        try store.add(key(9), content(9, 50_000))
        let bytes = content(1, 300_000)
        let writer = try store.writer(key(1))
        let followers = try (0 ..< 5).map { number in
            let reader = number == 0 ? writer.reader() : try store.reader(key(1))
            return try Running { try reader.rest([300, 70_000][number % 2]) }
        }
        for start in stride(from: 0, to: bytes.count, by: 30_000) {
            writer.append(Array(bytes[start ..< start + 30_000]))
        }
        #expect(!writer.isKept)
        writer.finish()
        for follower in followers { #expect(try follower.value() == bytes) }
        #expect(try scratch.files().count == 0 && store.statistics.failures == 1)
        _ = try store.writer(key(1))
    }

    @Test func oneThatIsTooLargeForItselfDrivesNoneOut() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 1_000) { $0.largest = nil }
        try store.add(key(1), content(1, 400))
        #expect(try !store.add(key(2), content(2, 501)))
        #expect(try store.add(key(3), content(3, 500)))
        #expect(try store.has(1))
    }

    @Test func whoDoesNotReadIsLeftBehindByWhatIsNotKept() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 100) {
            $0.tailSize = 1_000
            $0.patience = 50
        }
        let bytes = content(1, 50_000)
        let writer = try store.writer(key(1))
        let begun = try store.reader(key(1))
        let notBegun = try store.reader(key(1))
        let following = try store.reader(key(1))
        writer.append(Array(bytes[..<100]))
        #expect(try begun.next(upTo: 10).count == 10)
        let rest = try Running { try following.rest(100) }
        writer.append(Array(bytes[100...]))
        writer.finish()
        #expect(try rest.value() == bytes)
        // What is on disk can still be read.
        #expect(try begun.next(upTo: 1_000) == Array(bytes[10 ..< 100]))
        #expect(code { _ = try begun.next(upTo: 1) } == .tooSlow)
        #expect(try notBegun.next(upTo: 100).count == 100)
        #expect(code { _ = try notBegun.next(upTo: 1) } == .tooSlow)
    }

    @Test func whoReadsDropByDropIsLeftBehindByWhatIsNotKept() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 100) {
            $0.tailSize = 10_000
            $0.patience = 100
        }
        let bytes = content(1, 50_000)
        let writer = try store.writer(key(1))
        let dripping = try store.reader(key(1))
        let following = try store.reader(key(1))
        let rest = try Running { try following.rest(100) }
        let drops = try Running {
            code {
                while try !dripping.next(upTo: 1).isEmpty { usleep(1_000) }
            }
        }
        writer.append(bytes)
        writer.finish()
        #expect(try rest.value() == bytes)
        #expect(try drops.value() == .tooSlow)
    }

    @Test func whatIsNotKeptFromTheStartIsAskedForAnewByWhoIsLeftBehind() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 100) {
            $0.tailSize = 1_000
            $0.patience = 50
        }
        let writer = try store.writer(key(1))
        let reader = writer.reader()
        writer.append(content(1, 5_000))
        #expect(code { _ = try reader.next(upTo: 1) } == .again)
    }

    @Test func noMoreThanSoMany() throws {
        let scratch = try Scratch()
        let store = try scratch.open { $0.count = 3 }
        for number in 1 ... 5 { try store.add(key(number), [1]) }
        #expect(try scratch.files().count == 3 && store.statistics.answers == 3)
    }

    @Test func purgesOneRepository() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        try store.add(key(1), content(1, 100))
        try store.add(key(1, "host/b.git"), content(2, 100))
        let held = try store.whole(key(1))
        let writer = try store.writer(key(3))
        let reader = try store.reader(key(3))
        let other = try store.writer(key(4, "host/b.git"))
        writer.append([1])
        try store.purge("host/a.git")
        // Those who have it go on; nobody else finds it.
        #expect(try held.bytes() == content(1, 100))
        writer.append([2])
        let second = try store.writer(key(3))
        writer.finish()
        other.finish()
        #expect(try reader.rest() == [1, 2])
        #expect(!writer.isKept && other.isKept)
        second.append([3])
        second.finish()
        #expect(try store.whole(key(3)).bytes() == [3])
        #expect(try store.whole(key(1, "host/b.git")).bytes() == content(2, 100))
        _ = try store.writer(key(1))
        #expect(try scratch.files().count == 3)
    }

    @Test func whatIsPurgedWhileItIsReadTakesOfTheBudgetUntilThen() throws {
        let scratch = try Scratch()
        let store = try scratch.open(budget: 300)
        try store.add(key(1), content(1, 200))
        var held: WholeAnswer? = try store.whole(key(1))
        try store.removeAll()
        #expect(store.statistics.bytes == 200 && held != nil)
        #expect(try !store.add(key(2), content(2, 101)))
        held = nil
        #expect(store.statistics.bytes == 0)
        #expect(try store.add(key(2), content(2, 300)))
    }

    @Test func removesAll() throws {
        let scratch = try Scratch()
        var store: AnswerStore? = try scratch.open()
        try store?.add(key(1), [1])
        try store?.add(key(1, "host/b.git"), [1])
        try store?.removeAll()
        #expect(try scratch.files() == [])
        #expect(store?.statistics.answers == 0 && store?.statistics.bytes == 0)
        store = nil
        #expect(try !scratch.open().has(1))
    }

    @Test func countsWhatComesOfLookUps() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let writer = try store.writer(key(1))
        writer.append([1, 2])
        _ = try store.reader(key(1))
        var expected = AnswerStatistics()
        (expected.growing, expected.misses, expected.follows, expected.bytes) = (1, 1, 1, 2)
        #expect(store.statistics == expected)
        writer.finish()
        _ = try store.has(1)
        (expected.growing, expected.answers, expected.hits) = (0, 1, 1)
        #expect(store.statistics == expected)
    }

    @Test func isForThisUserOnly() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        try store.add(key(1), [1])
        let writer = try store.writer(key(2))
        let listing = try run(
            "/usr/bin/find", [scratch.folder("cache"), "-printf", "%m %y %f\\n"]
        ).required().out
        let lines = listing.split(separator: "\n")
        #expect(lines.count >= 7, "\(listing)")
        for line in lines {
            #expect(line.hasPrefix("700 d ") || line.hasPrefix("600 f "), "\(line)")
        }
        writer.finish()
    }

    @Test func aSecondProcessIsRefused() throws {
        let scratch = try Scratch()
        var store: AnswerStore? = try scratch.open()
        #expect {
            try scratch.open()
        } throws: {
            ($0 as? CacheError)?.code == .locked && "\($0)".contains(scratch.folder("cache"))
        }
        try store?.add(key(1), [1])
        store = nil
        #expect(try scratch.open().has(1))
    }

    @Test func aSecondProcessIsToldSo() async throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let path = scratch.folder("cache")
        await #expect(processExitsWith: .exitCode(7)) { [path = path as String] in
            exit(code { _ = try openStore(ByteString(path)) } == .locked ? 7 : 1)
        }
        #expect(store.statistics.answers == 0)
    }

    /// EFBIG, as EIO, cannot be helped by making room.
    @Test func aFailedWriteIsNoFailureOfTheAnswer() async throws {
        let scratch = try Scratch()
        let path = scratch.folder("cache")
        await #expect(processExitsWith: .exitCode(7)) { [path = path as String] in
            let store = try openStore(ByteString(path))
            try store.add(key(2), content(2, 1_000))
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 100_000, rlim_max: 100_000)
            setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let writer = try store.writer(key(1))
            let reader = try store.reader(key(1))
            let reading = try Running { try reader.rest() }
            for _ in 0 ..< 10 { writer.append(content(1, 60_000)) }
            writer.finish()
            let isRight =
                try reading.value() == (0 ..< 10).flatMap { _ in content(1, 60_000) }
                && !writer.isKept && store.has(2)
            exit(isRight ? 7 : 1)
        }
    }

    @Test func limitsOfNothingAreRefused() throws {
        let scratch = try Scratch()
        #expect(code { _ = try scratch.open(budget: 0) } == .invalid)
        #expect(code { _ = try scratch.open { $0.tailSize = 0 } } == .invalid)
    }
}
