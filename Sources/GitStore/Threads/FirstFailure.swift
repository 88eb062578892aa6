import Synchronization

/// Keeps the first error that any of several threads met, and whether they were asked to stop.
final class FirstFailure: Sendable {
    private let error = Mutex<StoreError?>(nil)
    private let flag = Atomic(false)

    /// Whether the others should stop, too.
    var hasFailed: Bool { flag.load(ordering: .relaxed) }

    func record(_ failure: StoreError) {
        error.withLock { if $0 == nil { $0 = failure } }
        flag.store(true, ordering: .relaxed)
    }

    func catching(_ body: () throws(StoreError) -> Void) {
        do throws(StoreError) { try body() } catch { record(error) }
    }

    func check() throws(StoreError) {
        if let error = error.withLock({ $0 }) { throw error }
    }
}
