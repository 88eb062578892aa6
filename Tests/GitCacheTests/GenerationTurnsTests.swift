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
    private let key = IdentityKey()
    private var anna: GenerationTurns.Client { client("authorization: anna") }
    private var bert: GenerationTurns.Client { client("authorization: bert") }

    private func client(
        _ login: ByteString, _ address: String = "192.0.2.1"
    ) -> GenerationTurns.Client {
        GenerationTurns.Client(network: PeerNetwork(address), login: key.identity(of: [login]))
    }

    /// Has one wait on a thread of its own, until it is in the queue.
    private func wait(
        _ turns: GenerationTurns, _ repository: ByteString, _ client: GenerationTurns.Client,
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

    /// Who comes with another cookie each time is still in one network.
    @Test func theNetworkThatHadItsTurnLongestAgoComesNext() throws {
        let turns = GenerationTurns(places: 1)
        let order = Monitor<[String]>([])
        let first = try turns.enter("a", client("cookie: 0"), isUnwanted: { false })
        for number in 1 ... 3 {
            try wait(turns, "a", client(ByteString("cookie: \(number)")), order, "cookie \(number)")
        }
        for number in 1 ... 2 {
            try wait(turns, "a", client("", "192.0.2.2"), order, "second \(number)")
        }
        try wait(turns, "a", client("", "2001:db8::1"), order, "third")
        // One of IPv6 has all addresses that begin with the same half.
        try wait(turns, "a", client("", "2001:db8::2"), order, "third again")
        first.end()
        #expect(order.wait(milliseconds: 20_000) { $0.count == 7 })
        #expect(
            order.change { $0 } == [
                "second 1", "third", "cookie 1", "second 2", "third again", "cookie 2", "cookie 3",
            ])
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
