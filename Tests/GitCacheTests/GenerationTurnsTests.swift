import GitCore
import GitServer
import GitStore
import Synchronization
import Testing

@testable import GitCache

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite(.timeLimit(.minutes(10)))
struct GenerationTurnsTests {
    private let anna = IdentityKey().identity(of: ["authorization: anna"])
    private let bert = IdentityKey().identity(of: ["authorization: bert"])

    /// Has one wait on a thread of its own, until it is in the queue.
    private func wait(
        _ turns: GenerationTurns, _ repository: ByteString, _ client: ClientIdentity,
        _ order: Monitor<[String]>, _ name: String
    ) throws {
        let before = turns.load.waiting
        try SystemThread {
            guard let turn = try? turns.enter(repository, client, isUnwanted: { false }) else {
                return
            }
            order.change { $0.append(name) }
            turn.end()
        }.detach()
        while turns.load.waiting == before { sched_yield() }
    }

    @Test func theRepositoryThatHadItsTurnLongestAgoComesNext() throws {
        let turns = GenerationTurns(places: 1)
        let order = Monitor<[String]>([])
        let first = try turns.enter("a", anna, isUnwanted: { false })
        try wait(turns, "a", anna, order, "a1")
        try wait(turns, "a", anna, order, "a2")
        try wait(turns, "a", bert, order, "a by bert")
        try wait(turns, "b", anna, order, "b1")
        try wait(turns, "b", anna, order, "b2")
        first.end()
        #expect(order.wait(milliseconds: 20_000) { $0.count == 5 })
        // The first of all was of the repository a, and anna's.
        #expect(order.change { $0 } == ["b1", "a by bert", "b2", "a1", "a2"])
        // The last one has yet to give its place back.
        for _ in 0 ..< 2_000 where turns.load.running > 0 { usleep(5_000) }
        #expect(turns.load == (0, 0))
    }

    @Test func noMoreThanThePlacesAreIn() throws {
        let turns = GenerationTurns(places: 3)
        let most = Monitor((now: 0, most: 0))
        Workers.run(12) { number in
            for _ in 0 ..< 20 {
                guard
                    let turn = try? turns.enter(
                        ByteString("\(number % 4)"), anna, isUnwanted: { false })
                else { continue }
                most.change { count in
                    count.now += 1
                    count.most = max(count.most, count.now)
                }
                sched_yield()
                most.change { $0.now -= 1 }
                turn.end()
            }
        }
        #expect(most.change { $0.most } <= 3)
        #expect(turns.load == (0, 0))
    }

    @Test func whoFindsTheQueueFullIsToldToComeAgain() throws {
        let turns = GenerationTurns(places: 1, queue: 0)
        let error = #expect(throws: StatusRefusal.self) {
            _ = try turns.enter("a", anna, isUnwanted: { false })
        }
        #expect(error?.response.status == 503)
        #expect(error?.response.headers.contains { $0.name == "Retry-After" } == true)
    }

    @Test func nobodyWaitsForEver() throws {
        let turns = GenerationTurns(places: 1, patience: .milliseconds(150))
        let first = try turns.enter("a", anna, isUnwanted: { false })
        let error = #expect(throws: StatusRefusal.self) {
            _ = try turns.enter("b", bert, isUnwanted: { false })
        }
        #expect(error?.response.status == 503)
        #expect(throws: CacheError.self) { _ = try turns.enter("b", bert, isUnwanted: { true }) }
        #expect(turns.load == (1, 0))
        first.end()
        try turns.enter("b", bert, isUnwanted: { true }).end()
    }
}
