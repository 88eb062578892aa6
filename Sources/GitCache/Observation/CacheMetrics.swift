import GitServer
import Synchronization

/// Whether the cache helps: what upstream and clients were spared, and where the time goes. All of it since the
/// process began.
final class CacheMetrics: Sendable {
    /// What a request may wait for.
    enum Phase: String, CaseIterable, Sendable {
        /// Upstream says whether it lets the client in, and what it can do.
        case capabilities
        case refs
        /// Objects come from upstream.
        case fetch
        /// Others' packs are made first.
        case queue
        /// A pack is made, or passed on as it is fetched.
        case generation
    }

    private struct State {
        var phases: [Phase: DurationCounts] = [:]
        /// What it took to make answers that may be sent again.
        var costs: [AnswerKey: Duration] = [:]
        var saved: Duration = .zero
        var passed = 0
        var stale = 0
    }

    private let state = Mutex(State())
    private let received = Atomic<UInt64>(0)

    /// Answers of which it is remembered what they took.
    private static let remembered = 10_000

    func add(_ phase: Phase, _ duration: Duration) {
        state.withLock { $0.phases[phase, default: DurationCounts()].add(duration) }
    }

    func measure<Value>(_ phase: Phase, _ body: () throws -> Value) rethrows -> Value {
        let start = ContinuousClock.now
        defer { add(phase, ContinuousClock.now - start) }
        return try body()
    }

    /// Bytes came from upstream.
    func receive(_ count: Int) { received.add(UInt64(count), ordering: .relaxed) }

    /// An answer was made that is kept.
    func made(_ key: AnswerKey, in duration: Duration) {
        add(.generation, duration)
        state.withLock { state in
            if state.costs.count >= Self.remembered { state.costs = [:] }
            state.costs[key] = duration
        }
    }

    /// An answer is sent again.
    func sentAgain(_ key: AnswerKey) {
        state.withLock { $0.saved += $0.costs[key] ?? .zero }
    }

    /// A fetch was passed on to upstream, as the store failed or the mirror was not there yet.
    func passed() { state.withLock { $0.passed += 1 } }

    /// A client was shown what was there before upstream went away.
    func stale() { state.withLock { $0.stale += 1 } }

    /// Adds all of it to the page that Prometheus reads.
    func tell(
        _ page: inout MetricsPage, answers: AnswerStatistics, queue: (running: Int, waiting: Int)
    ) {
        let state = state.withLock { $0 }
        page.add(
            "apus_cache_answers_total", .counter,
            "Packs asked for: sent again from the disk, shared while they were made, made.",
            [
                "{result=\"hit\"} \(answers.hits)", "{result=\"shared\"} \(answers.follows)",
                "{result=\"made\"} \(answers.misses)",
            ])
        page.add(
            "apus_cache_saved_seconds_total", .counter,
            "What answers that were sent again had taken to make.", state.saved.inSeconds)
        page.add(
            "apus_cache_upstream_bytes_total", .counter,
            "Bytes of upstreams' answers for fetches.", received.load(ordering: .relaxed))
        page.add(
            "apus_cache_phase_seconds", .histogram, "What requests waited for.",
            Phase.allCases.flatMap { phase in
                (state.phases[phase] ?? DurationCounts()).lines("phase=\"\(phase.rawValue)\"")
            })
        page.add("apus_cache_generating", .gauge, "Packs being made.", queue.running)
        page.add("apus_cache_queue", .gauge, "Requests that wait to be made a pack.", queue.waiting)
        page.add(
            "apus_cache_passed_total", .counter,
            "Fetches that upstream answered itself: the store failed, or the mirror was not there.",
            state.passed)
        page.add(
            "apus_cache_stale_total", .counter,
            "Requests answered from before upstream went away.", state.stale)
        page.add("apus_cache_kept_answers", .gauge, "Answers on the disk.", answers.answers)
        page.add("apus_cache_kept_bytes", .gauge, "Bytes of them.", answers.bytes)
        page.add(
            "apus_cache_evictions_total", .counter, "Answers removed to make room.",
            answers.evictions)
        page.add(
            "apus_cache_keep_failures_total", .counter, "Answers that could not be kept.",
            answers.failures)
    }
}
