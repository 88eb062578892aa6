import GitStore
import Synchronization

/// Has those who ask the same at once share one answer, which was begun after each of them asked.
///
/// Who comes while one is being got may not have it: it may be of a moment before they asked. All who
/// wait for it to end share the next. What nobody waits for any more is cancelled.
final class SharedRuns<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Line {
        var running: Run
        /// The one after that, which can still be joined.
        var next: Run?
    }

    private final class Run: Sendable {
        struct State {
            var result: Result<Value, any Error>?
            var waiting = 1
            var task: Task<Void, Never>?
        }

        let body: @Sendable () async throws -> Value
        let state = Monitor(State())

        init(_ body: @escaping @Sendable () async throws -> Value) { self.body = body }

        func join() { state.change { $0.waiting += 1 } }

        func leave() {
            state.change { state in
                state.waiting -= 1
                if state.waiting == 0 { state.task?.cancel() }
            }
        }

        var isWanted: Bool { state.change { $0.waiting > 0 } }
    }

    private let lines = Mutex<[Key: Line]>([:])
    /// Milliseconds after which somebody who waits looks for whether to stop.
    private static var interval: Int { 200 }

    /// What `body` gives, called here or by another who asked for the same.
    ///
    /// - Parameter isGone: whether there is nobody any more to have it.
    /// - Throws: what `body` throws, here or there; ``CacheError/Code/cancelled``.
    func value(
        for key: Key, isGone: () -> Bool, _ body: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        let run = join(key, body)
        while !run.state.wait(milliseconds: Self.interval, until: { $0.result != nil }) {
            guard isGone() else { continue }
            run.leave()
            throw CacheError(.cancelled, "the client is gone")
        }
        guard let result = run.state.change({ $0.result }) else {
            throw CacheError(.cancelled, "no answer")
        }
        return try result.get()
    }

    private func join(_ key: Key, _ body: @escaping @Sendable () async throws -> Value) -> Run {
        lines.withLock { lines in
            guard let line = lines[key] else {
                let run = Run(body)
                lines[key] = Line(running: run)
                start(run, key)
                return run
            }
            if let next = line.next {
                next.join()
                return next
            }
            let run = Run(body)
            lines[key]?.next = run
            return run
        }
    }

    private func start(_ run: Run, _ key: Key) {
        let task = Task.detached { [self] in
            let result: Result<Value, any Error>
            do { result = .success(try await run.body()) } catch { result = .failure(error) }
            goOn(key)
            run.state.change { $0.result = result }
        }
        run.state.change { state in
            state.task = task
            if state.waiting == 0 { task.cancel() }
        }
    }

    private func goOn(_ key: Key) {
        lines.withLock { lines in
            guard let next = lines[key]?.next, next.isWanted else {
                lines[key] = nil
                return
            }
            lines[key] = Line(running: next)
            start(next, key)
        }
    }
}
