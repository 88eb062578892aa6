import Synchronization

@testable import GitStore

/// What a store tells of packs and indexes that it passes over.
final class Faults: Sendable {
    private let found = Mutex<[StoreError]>([])

    var all: [StoreError] { found.withLock { $0 } }

    var add: @Sendable (StoreError) -> Void {
        { fault in self.found.withLock { $0.append(fault) } }
    }
}
