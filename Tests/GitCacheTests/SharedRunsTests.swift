import GitStore
import Synchronization
import Testing

@testable import GitCache

@Suite(.timeLimit(.minutes(10)))
struct SharedRunsTests {
    /// Runs bodies that end when they are told to.
    private final class Bench: Sendable {
        let runs = SharedRuns<String, Int>()
        let begun = Monitor(0)
        let ended = Monitor(0)
        let cancelled = Monitor(0)
        /// How many of those that have begun may end.
        let allowed = Monitor(0)

        func ask(isGone: @escaping @Sendable () -> Bool = { false }) -> Asked {
            let asked = Asked()
            let thread = try? SystemThread { [self] in
                let result = Result {
                    try runs.value(for: "refs", isGone: isGone) { [self] in try await body() }
                }
                asked.result.change { $0 = result }
            }
            thread?.detach()
            return asked
        }

        private func body() async throws -> Int {
            let number = begun.change { count in
                count += 1
                return count
            }
            do {
                while allowed.change({ $0 }) < number {
                    try await Task.sleep(for: .milliseconds(5))
                }
            } catch {
                cancelled.change { $0 += 1 }
                throw error
            }
            ended.change { $0 += 1 }
            return number
        }

        func waitForBegun(_ count: Int) async throws -> Bool {
            try await comes { begun.change { $0 } >= count }
        }
        func allow(_ count: Int) { allowed.change { $0 = count } }
    }

    private final class Asked: Sendable {
        let result = Monitor<Result<Int, any Error>?>(nil)

        func value() async throws -> Int? {
            guard try await comes({ result.change { $0 } != nil }) else { return nil }
            return try result.change { $0 }?.get()
        }
    }

    @Test func whoComesWhileOneIsGotSharesTheNext() async throws {
        let bench = Bench()
        let first = bench.ask()
        #expect(try await bench.waitForBegun(1))
        let later = (0 ..< 10).map { _ in bench.ask() }
        // Those have asked: none of them began anything.
        try await Task.sleep(for: .milliseconds(300))
        #expect(bench.begun.change { $0 } == 1)
        bench.allow(1)
        #expect(try await first.value() == 1)
        bench.allow(2)
        for asked in later { #expect(try await asked.value() == 2) }
        #expect(bench.begun.change { $0 } == 2)
    }

    @Test func whoComesAfterwardsHasItsOwn() async throws {
        let bench = Bench()
        bench.allow(2)
        #expect(try await bench.ask().value() == 1)
        #expect(try await bench.ask().value() == 2)
    }

    @Test func whatNobodyWaitsForIsCancelled() async throws {
        let bench = Bench()
        let isGone = Atomic(false)
        let first = bench.ask { isGone.load(ordering: .relaxed) }
        #expect(try await bench.waitForBegun(1))
        isGone.store(true, ordering: .relaxed)
        await #expect(throws: CacheError.self) { try await first.value() }
        #expect(try await comes { bench.cancelled.change { $0 } == 1 })
        bench.allow(2)
        #expect(try await bench.ask().value() == 2)
    }

    @Test func whoGoesEndsNothingForOthers() async throws {
        let bench = Bench()
        bench.allow(0)
        let isGone = Atomic(false)
        let first = bench.ask()
        #expect(try await bench.waitForBegun(1))
        let leaver = bench.ask { isGone.load(ordering: .relaxed) }
        let stayer = bench.ask()
        isGone.store(true, ordering: .relaxed)
        await #expect(throws: CacheError.self) { try await leaver.value() }
        bench.allow(2)
        #expect(try await first.value() == 1)
        #expect(try await stayer.value() == 2)
    }
}

/// Waits without keeping a thread from the tasks that are waited for.
private func comes(_ condition: () -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(60)
    while !condition() {
        guard ContinuousClock.now < end else { return false }
        try await Task.sleep(for: .milliseconds(5))
    }
    return true
}
