import GitStore

/// Threads for what blocks: Swift's own are few, and must not wait for a disk, a network or a person.
enum DetachedThread {
    /// Runs `body` on a thread of its own and waits for what it returns, without blocking a thread
    /// of Swift's. Cancelling the task calls `cancel`, at most once and from any thread, and waits on.
    ///
    /// - Throws: what `body` throws; ``ClientError/Code/system`` where the system has no room for a
    ///   thread.
    static func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(ClientError) -> Value,
        onCancel cancel: @Sendable () -> Void = {}
    ) async throws(ClientError) -> Value {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                do throws(StoreError) {
                    try SystemThread { waiter.resume(returning: Result(catching: body)) }.detach()
                } catch {
                    waiter.resume(returning: .failure(ClientError(error)))
                }
            }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }

    /// As ``run(_:onCancel:)``, for a step on the repository on this side.
    static func store<Value: Sendable>(
        _ body: @escaping @Sendable () throws(StoreError) -> Value,
        onCancel cancel: @Sendable () -> Void = {}
    ) async throws(ClientError) -> Value {
        try await run(
            { () throws(ClientError) in try storing(body) }, onCancel: cancel)
    }
}
