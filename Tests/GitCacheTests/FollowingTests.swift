import GitStore
import TestSupport
import Testing

@testable import GitCache

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// One writes, others follow.
@Suite(.timeLimit(.minutes(10))) struct FollowingTests {
    @Test func eachOfManyFollowersGetsEveryByte() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let bytes = content(1, 700_001)
        let writer = try store.writer(key(1))
        let followers = try (0 ..< 24).map { number in
            let reader = try store.reader(key(1))
            return try Running { try reader.rest([1_000, 4_096, 65_537, 1 << 20][number % 4]) }
        }
        var rest = bytes[...]
        for size in [1, 2, 4_095, 100_000, 7, 300_000, 1 << 20] {
            writer.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
            usleep(2_000)
        }
        #expect(followers.allSatisfy { !$0.isDone })
        writer.finish()
        for follower in followers { #expect(try follower.value() == bytes) }
        #expect(try store.whole(key(1)).bytes() == bytes)
    }

    @Test func whoComesInTheMiddleGetsItFromTheStart() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let writer = try store.writer(key(1))
        writer.append(content(1, 5_000))
        let reader = try store.reader(key(1))
        #expect(try reader.next(upTo: 100) == Array(content(1, 5_000)[..<100]))
        #expect(reader.position == 100)
        writer.finish()
        #expect(try reader.rest() == Array(content(1, 5_000)[100...]))
        #expect(try reader.next(upTo: 10).isEmpty)
    }

    /// Who follows does not wait for what is checked afterwards.
    @Test(arguments: [true, false])
    func theEndIsReadWhileItIsOpenWhetherTheAnswerIsKept(isGood: Bool) throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let bytes = content(1, 5_000)
        let writer = try store.writer(key(1))
        let early = try store.reader(key(1))
        writer.append(bytes)
        writer.end()
        #expect(try early.rest() == bytes)
        let late = try store.reader(key(1))
        #expect(try late.rest() == bytes)
        #expect(!writer.abandonIfUnwanted())
        writer.append(bytes)
        if isGood { writer.finish() } else { writer.abandon(CacheError(.abandoned, "it is bad")) }
        #expect(writer.isKept == isGood)
        #expect(try store.has(1) == isGood)
        #expect(try scratch.files().count == (isGood ? 1 : 0))
        if isGood { #expect(try store.whole(key(1)).bytes() == bytes) }
    }

    @Test func aReaderPassesOverWhatItDoesNotWant() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let bytes = content(1, 10_000)
        let writer = try store.writer(key(1))
        let reader = try store.reader(key(1))
        #expect(!reader.skip(to: 0, within: 20))
        writer.append(Array(bytes[..<5_000]))
        #expect(reader.skip(to: 4_000, within: 0) && reader.position == 4_000)
        // Back is no way.
        #expect(reader.skip(to: 10, within: 0) && reader.position == 4_000)
        #expect(!reader.skip(to: 5_000, within: 20) && reader.position == 4_000)
        let waiting = try Running { reader.skip(to: 7_000, within: 60_000) }
        usleep(20_000)
        #expect(!waiting.isDone)
        writer.append(Array(bytes[5_000...]))
        #expect(try waiting.value())
        writer.finish()
        #expect(try reader.rest() == Array(bytes[7_000...]))
        #expect(!reader.skip(to: 10_000, within: 60_000))
    }

    /// What goes past the disk is not there to be passed over; nobody waits for it in vain.
    @Test(arguments: [true, false]) func whoWaitsForAPartHearsThatItDoesNotCome(
        isFull: Bool
    ) throws {
        let scratch = try Scratch()
        let store = try scratch.open { $0.largest = 100 }
        let writer = try store.writer(key(1))
        let reader = try store.reader(key(1))
        writer.append(content(1, 100))
        let waiting = try Running { reader.skip(to: 150, within: 60_000) }
        usleep(20_000)
        #expect(!waiting.isDone)
        if isFull {
            writer.append(content(2, 100))
            #expect(!writer.isKept)
        } else {
            writer.abandon(CacheError(.abandoned, "x"))
        }
        #expect(try !waiting.value() && reader.position == 0)
        guard isFull else { return }
        writer.finish()
        #expect(try reader.rest() == content(1, 100) + content(2, 100))
    }

    @Test func theWriterWaitsForNoReader() throws {
        let scratch = try Scratch()
        let store = try scratch.open { $0.tailSize = 1 }
        let writer = try store.writer(key(1))
        let slow = try store.reader(key(1))
        let quick = try store.reader(key(1))
        let writing = try Running {
            for _ in 0 ..< 100 { writer.append(content(1, 50_000)) }
            writer.finish()
        }
        #expect(try quick.rest().count == 5_000_000)
        try writing.value()
        #expect(slow.position == 0)
        #expect(try slow.rest().count == 5_000_000)
    }

    @Test func fiftyWhoAskAtOnceGetOneWriter() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let bytes = content(1, 200_000)
        let key = try key(1)
        let start = Monitor(false)
        let threads = try (0 ..< 50).map { _ in
            try Running { () -> (Bool, [UInt8]) in
                _ = start.wait { $0 ? true : nil }
                switch store.answer(for: key) {
                case .missing(let writer):
                    for part in 0 ..< 20 {
                        writer.append(Array(bytes[(part * 10_000) ..< (part + 1) * 10_000]))
                    }
                    writer.finish()
                    return (true, bytes)
                case .growing(let reader): return (false, try reader.rest())
                case .whole(let whole): return (false, try whole.bytes())
                }
            }
        }
        start.change { $0 = true }
        let results = try threads.map { try $0.value() }
        #expect(results.count { $0.0 } == 1)
        #expect(results.allSatisfy { $0.1 == bytes })
        let statistics = store.statistics
        #expect(statistics.misses == 1 && statistics.hits + statistics.follows == 49)
    }

    @Test func theFirstToAskMayHangUp() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let writer = try store.writer(key(1))
        #expect(!writer.isWanted)
        var first: AnswerReader? = writer.reader()
        #expect(writer.isWanted)
        let second = try store.reader(key(1))
        writer.append([1, 2, 3])
        #expect(try first?.next(upTo: 2) == [1, 2] && writer.followers == 2)
        first = nil
        #expect(writer.isWanted && writer.followers == 1)
        writer.append([4])
        writer.finish()
        #expect(try second.rest() == [1, 2, 3, 4])
        #expect(try store.has(1))
    }

    @Test func isNotWantedWhenAllAreGone() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let writer = try store.writer(key(1))
        let cancelled = try store.reader(key(1))
        #expect(writer.isWanted)
        cancelled.cancel()
        #expect(!writer.isWanted && writer.followers == 0)
        writer.abandon(CacheError(.abandoned, "nobody wants it"))
        #expect(try scratch.files() == [])
    }

    /// Who comes when the last one leaves either has all of it, or is told to ask anew, and never a part.
    @Test func nobodyFollowsWhatIsGivenUp() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let bytes = content(1, 3_000)
        for round in 1 ... 400 {
            let key = try key(round)
            let writer = try store.writer(key)
            let first = try store.reader(key)
            writer.append(Array(bytes[..<2_000]))
            #expect(!writer.abandonIfUnwanted())
            let start = Monitor(false)
            let second = try Running { () -> [UInt8]? in
                _ = start.wait { $0 ? true : nil }
                while true {
                    switch store.answer(for: key) {
                    case .growing(let reader):
                        var got: [UInt8] = []
                        do throws(CacheError) {
                            while true {
                                let piece = try reader.next(upTo: 700)
                                if piece.isEmpty { return got }
                                got += piece
                            }
                        } catch {
                            guard error.code == .again else { throw error }
                            continue
                        }
                    case .missing: return nil
                    case .whole(let whole): return try whole.bytes()
                    }
                }
            }
            start.change { $0 = true }
            if round % 2 == 0 { usleep(UInt32(round % 20)) }
            first.cancel()
            if !writer.abandonIfUnwanted() {
                writer.append(Array(bytes[2_000...]))
                writer.finish()
            }
            let got = try second.value()
            #expect(got == nil || got == bytes)
        }
        #expect(try scratch.files().count == store.statistics.answers)
    }

    @Test func mayGoOnAlone() throws {
        let scratch = try Scratch()
        let store = try scratch.open { $0.goesOnAlone = true }
        #expect(try store.writer(key(1)).isWanted)
    }

    @Test func cancellingWakesWhoWaits() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let writer = try store.writer(key(1))
        let reader = try store.reader(key(1))
        let other = try store.reader(key(1))
        writer.append([1])
        let reading = try Running { code { _ = try reader.rest() } }
        #expect(eventually { reader.position == 1 } && !reading.isDone)
        reader.cancel()
        #expect(try reading.value() == .cancelled)
        #expect(code { _ = try reader.next(upTo: 1) } == .cancelled)
        writer.finish()
        #expect(try other.rest() == [1])
    }

    @Test func whoHasReadNothingAsksAnewWhenTheWriterGivesUp() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let key = try key(1)
        let writer = try store.writer(key)
        let waiting = try (0 ..< 8).map { _ in
            let reader = try store.reader(key)
            return try Running { () -> (Bool, [UInt8]) in
                guard code({ _ = try reader.next(upTo: 1) }) == .again else { return (false, []) }
                switch store.answer(for: key) {
                case .missing(let writer):
                    writer.append([7, 8])
                    writer.finish()
                    return (true, [7, 8])
                case .growing(let reader): return (false, try reader.rest())
                case .whole(let whole): return (false, try whole.bytes())
                }
            }
        }
        usleep(20_000)
        writer.abandon(CacheError(.abandoned, "the leader fell"))
        let results = try waiting.map { try $0.value() }
        #expect(results.allSatisfy { $0.1 == [7, 8] })
        #expect(results.count { $0.0 } == 1)
    }

    @Test func whoHasReadAnythingGetsTheRestAndTheError() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let writer = try store.writer(key(1))
        let begun = try store.reader(key(1))
        let notBegun = try store.reader(key(1))
        writer.append([1, 2, 3])
        #expect(try begun.next(upTo: 1) == [1])
        writer.abandon(CacheError(.abandoned, "the leader fell"))
        // The last of what was written may say why.
        #expect(try begun.next(upTo: 10) == [2, 3])
        #expect {
            try begun.next(upTo: 1)
        } throws: {
            ($0 as? CacheError)?.code == .abandoned && "\($0)" == "the leader fell"
        }
        #expect(code { _ = try notBegun.next(upTo: 1) } == .again)
        #expect(begun.whole == nil)
        #expect(try scratch.files() == [])
        writer.append([4])
        writer.finish()
        #expect(!writer.isKept && store.statistics.answers == 0)
        _ = try store.writer(key(1))
    }

    @Test func aWriterLetGoOfHasGivenUp() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        var writer: AnswerWriter? = try store.writer(key(1))
        writer?.append([1])
        let reader = try store.reader(key(1))
        writer = nil
        #expect(code { _ = try reader.rest() } == .again)
        #expect(store.statistics.growing == 0 && writer == nil)
        #expect(try scratch.files() == [])
    }

    @Test func aFollowerLearnsThatItIsWhole() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let writer = try store.writer(key(1))
        let reader = try store.reader(key(1))
        writer.append(content(1, 1_000))
        #expect(reader.whole == nil)
        writer.finish()
        let whole = try #require(reader.whole)
        #expect(whole.size == 1_000)
        #expect(try whole.bytes() == content(1, 1_000))
    }

    @Test func anEmptyAnswerIsOne() throws {
        let scratch = try Scratch()
        let store = try scratch.open()
        let writer = try store.writer(key(1))
        let reader = try store.reader(key(1))
        writer.finish()
        #expect(try reader.rest() == [])
        #expect(try store.whole(key(1)).size == 0)
    }
}
