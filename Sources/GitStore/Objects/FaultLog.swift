import Synchronization

/// What of a store could not be used: damaged packs and indexes, which are passed over.
final class FaultLog: Sendable {
    private struct State {
        var messages: Set<String> = []
        var untold: [StoreError] = []
        var first: StoreError?
        var report: (@Sendable (StoreError) -> Void)?
    }
    private let state = Mutex(State())

    /// Faults kept until somebody asks, and told apart afterwards.
    private static let maximum = 1_000

    /// The first of all.
    var first: StoreError? { state.withLock { $0.first } }

    /// Notes a fault; the same one again counts for nothing.
    func record(_ fault: StoreError) {
        let report = state.withLock { state -> (@Sendable (StoreError) -> Void)? in
            if state.first == nil { state.first = fault }
            guard state.messages.count < Self.maximum,
                state.messages.insert(fault.message).inserted
            else { return nil }
            if state.report == nil { state.untold.append(fault) }
            return state.report
        }
        report?(fault)
    }

    /// Has `report` told of every fault, those before this call included.
    func tell(_ report: @escaping @Sendable (StoreError) -> Void) {
        let untold = state.withLock { state in
            state.report = report
            defer { state.untold = [] }
            return state.untold
        }
        for fault in untold { report(fault) }
    }
}
