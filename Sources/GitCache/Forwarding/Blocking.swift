import GitStore

/// Has a thread wait for what a task does.
enum Blocking {
    /// How often is looked for whether anybody still waits.
    private static let interval = 200

    /// - Parameter isGone: when true the task is cancelled, and waited for.
    static func run<Value: Sendable>(
        isGone: () -> Bool = { false }, _ body: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        let result = Monitor<Result<Value, any Error>?>(nil)
        let task = Task.detached {
            let outcome: Result<Value, any Error>
            do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
            result.change { $0 = outcome }
        }
        while !result.wait(milliseconds: interval, until: { $0 != nil }) {
            if isGone() { task.cancel() }
        }
        guard let outcome = result.change({ $0 }) else {
            throw CacheError(.cancelled, "no answer")
        }
        return try outcome.get()
    }
}
