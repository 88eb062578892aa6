import Dispatch
import GitStore

/// Shows how far the indexing of a pack is, from a thread of its own: the last part of the work does
/// not come back between its steps.
struct PackDisplay {
    private let stop = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - title: of the first phase, in which the pack comes in.
    ///   - showsBytes: whether the pack comes from elsewhere, so that its speed is of interest.
    init(_ progress: PackProgress, title: String, showsBytes: Bool) {
        DispatchQueue(label: "progress").async { [stop, ended] in
            var drawing = Drawing(progress: progress, title: title, showsBytes: showsBytes)
            while stop.wait(timeout: .now() + .milliseconds(100)) == .timedOut { drawing.step() }
            drawing.step()
            drawing.end()
            ended.signal()
        }
    }

    /// Draws the last state, and waits until that is done.
    func finish() {
        stop.signal()
        ended.wait()
    }

    private struct Drawing {
        let progress: PackProgress
        let title: String
        let showsBytes: Bool
        private var display = ProgressDisplay(terminal: .standardError, write: writeError)
        private var phase = 0

        init(progress: PackProgress, title: String, showsBytes: Bool) {
            self.progress = progress
            self.title = title
            self.showsBytes = showsBytes
        }

        mutating func step() {
            let (received, total) = (progress.receivedObjects, progress.totalObjects)
            guard total > 0 else { return }
            let now = ContinuousClock.now
            if phase == 0 {
                phase = 1
                display.begin(title, at: now)
            }
            if phase == 1 {
                let bytes = showsBytes ? UInt64(progress.receivedBytes) : nil
                display.update(
                    ProgressCounts(done: UInt64(received), total: UInt64(total), bytes: bytes),
                    at: now)
                guard received == total else { return }
                phase = 2
                display.finish(at: now)
                if progress.totalDeltas > 0 { display.begin("Resolving deltas", at: now) }
            }
            guard progress.totalDeltas > 0 else { return }
            display.update(
                ProgressCounts(
                    done: UInt64(progress.resolvedDeltas), total: UInt64(progress.totalDeltas)),
                at: now)
        }

        /// A phase that did not come to its end is not said to be done.
        mutating func end() {
            let isDone =
                progress.receivedObjects == progress.totalObjects
                && progress.resolvedDeltas == progress.totalDeltas
            if isDone { display.finish(at: .now) } else { display.abandon() }
        }
    }
}
