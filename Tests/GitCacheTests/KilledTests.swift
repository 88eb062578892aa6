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

/// A process that is killed in the middle of all that it can do leaves nothing that is not whole.
@Suite(.timeLimit(.minutes(10))) struct KilledTests {
    /// Writes, follows, evicts, purges and gives up until it is killed.
    private static func work(_ path: String, for microseconds: UInt32) throws {
        let store = try openStore(ByteString(path), budget: 2_000_000)
        for thread in 0 ..< 4 {
            try SystemThread {
                for round in 0 ..< 1_000_000 {
                    guard let key = try? key((round * 7 + thread * 13) % 40) else { return }
                    switch store.answer(for: key) {
                    case .whole(let whole): _ = try? whole.bytes()
                    case .growing(let reader): _ = try? reader.rest()
                    case .missing(let writer):
                        let number = Int(key.digest.bytes[0])
                        let bytes = content(number, 5_000 + number * 3_000)
                        writer.append(Array(bytes[..<4_000]))
                        writer.append(Array(bytes[4_000...]))
                        if round % 10 != 9 { writer.finish() }
                    }
                    if round % 200 == 199 { _ = try? store.purge("host/a.git") }
                }
            }.detach()
        }
        usleep(microseconds)
        kill(getpid(), SIGKILL)
        while true { pause() }
    }

    @Test func leavesWholeAnswers() async throws {
        let folder = try TemporaryDirectory()
        var answers = 0
        for round in 0 ..< 10 {
            let path = folder("cache")
            let time = UInt32(30_000 + round * 17_351)
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, time = time as UInt32] in
                try Self.work(path, for: time)
            }
            answers += try check(ByteString(path))
        }
        // How many there are by then hangs on the machine; under the thread sanitizer one or two a round.
        #expect(answers > 0)
    }

    /// How many answers there are; each is found to be what was written.
    private func check(_ path: ByteString) throws -> Int {
        let store = try openStore(path, budget: 2_000_000)
        let statistics = store.statistics
        var bytes: UInt64 = 0
        for number in 0 ..< 40 {
            guard case .whole(let whole) = store.answer(for: try key(number)) else { continue }
            #expect(try whole.bytes() == content(number, 5_000 + number * 3_000))
            bytes += whole.size
        }
        #expect(store.statistics.hits == UInt64(statistics.answers))
        #expect(store.statistics.failures == 0 && bytes == statistics.bytes)
        #expect(try FileSystem.list(path / "answers").count == statistics.answers)
        return statistics.answers
    }
}
