import GitStore

/// Has those who ask the same at once share one answer, which was begun after each of them asked.
///
/// Who comes while one is being got may not have it: it may be of a moment before they asked. All who
/// wait for it to end share the next.
final class SharedRuns<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private final class Run: Sendable {
        let result = Monitor<Result<Value, any Error>?>(nil)
    }

    private struct Line {
        /// The one that is under way.
        var isRunning = false
        /// The one after that, which can still be joined.
        var next: Run?
    }

    private let lines = Monitor<[Key: Line]>([:])
    private static var interval: Int { 200 }

    /// What `body` gives, called here or by another who asked for the same.
    ///
    /// - Parameter isGone: whether there is nobody any more to have it.
    /// - Throws: what `body` throws, here or there; ``CacheError/Code/cancelled``.
    func value(
        for key: Key, isGone: () -> Bool, _ body: () throws -> Value
    ) throws -> Value {
        let (run, isLeader) = join(key)
        guard isLeader else { return try wait(for: run, isGone) }
        let hasTurn = lines.wait { lines -> Bool? in
            guard lines[key]?.isRunning == false else { return nil }
            lines[key] = Line(isRunning: true)
            return true
        }
        precondition(hasTurn)
        let result = Result { try body() }
        lines.change { lines in
            lines[key]?.isRunning = false
            if lines[key]?.next == nil { lines[key] = nil }
        }
        run.result.change { $0 = result }
        return try result.get()
    }

    private func join(_ key: Key) -> (Run, isLeader: Bool) {
        lines.change { lines in
            if let run = lines[key]?.next { return (run, false) }
            let run = Run()
            lines[key, default: Line()].next = run
            return (run, true)
        }
    }

    private func wait(for run: Run, _ isGone: () -> Bool) throws -> Value {
        while !run.result.wait(milliseconds: Self.interval, until: { $0 != nil }) {
            if isGone() { throw CacheError(.cancelled, "the client is gone") }
        }
        guard let result = run.result.change({ $0 }) else {
            throw CacheError(.cancelled, "no answer")
        }
        return try result.get()
    }
}
