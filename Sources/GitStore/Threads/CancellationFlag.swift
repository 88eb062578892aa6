import Synchronization

/// Whether to stop, told from one thread to others.
package final class CancellationFlag: Sendable {
    private let flag = Atomic(false)

    package init() {}

    package var isSet: Bool { flag.load(ordering: .relaxed) }
    package func set() { flag.store(true, ordering: .relaxed) }

    /// - Throws: ``StoreError/Code/cancelled`` once it is set.
    package func check() throws(StoreError) {
        if isSet { throw StoreError(.cancelled, "cancelled") }
    }
}
