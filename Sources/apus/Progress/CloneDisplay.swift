import GitClient
import GitCore

/// Shows on standard error what a clone is doing.
struct CloneDisplay: Sendable {
    let showsProgress: Bool

    func show(_ progress: CloneProgress) async {
        var display = ProgressDisplay(terminal: .standardError, write: writeError)
        var current: CloneProgress.Phase?
        for await event in progress {
            switch event {
            case .serverText(let text): display.showRemote(text.bytes)
            case .warning(let text): writeError("warning: \(text)\n")
            case .phase(let phase, let done, let total, let bytes) where showsProgress:
                let now = ContinuousClock.now
                if phase != current {
                    current = phase
                    display.begin(phase.title, at: now, delay: phase.delay)
                }
                display.update(
                    ProgressCounts(
                        done: UInt64(done), total: UInt64(total),
                        bytes: phase == .receivingObjects ? UInt64(bytes) : nil), at: now)
            case .finished where showsProgress: display.finish(at: .now)
            case .phase, .finished: break
            }
        }
        display.finishRemote()
        display.abandon()
    }
}

extension CloneProgress.Phase {
    fileprivate var title: String {
        switch self {
        case .receivingObjects: "Receiving objects"
        case .resolvingDeltas: "Resolving deltas"
        case .checkingOut: "Updating files"
        }
    }

    /// A checkout is mostly over before anyone would ask.
    fileprivate var delay: Duration { self == .checkingOut ? ProgressDisplay.delay : .zero }
}
