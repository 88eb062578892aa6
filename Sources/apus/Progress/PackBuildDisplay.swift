import Dispatch
import GitStore

/// Shows how far the building of a pack is, from a thread of its own.
struct PackBuildDisplay {
    private let stop = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameter showsWriting: whether the last phase is shown, too: where the pack goes to another
    ///   program, that shows how far it is.
    init(_ progress: PackBuildProgress, showsWriting: Bool) {
        DispatchQueue(label: "progress").async { [stop, ended] in
            var drawing = Drawing(progress: progress, showsWriting: showsWriting)
            while stop.wait(timeout: .now() + .milliseconds(100)) == .timedOut { drawing.step() }
            drawing.step()
            drawing.end()
            ended.signal()
        }
    }

    /// Draws the last state, waits until that is done, and says what the pack is made of.
    func finish(_ summary: PackSummary) {
        stop.signal()
        ended.wait()
        writeError(
            "Total \(summary.objects) (delta \(summary.deltas)), reused \(summary.reused)"
                + " (delta \(summary.reusedDeltas)), pack-reused \(summary.packReused)\n")
    }

    private struct Drawing {
        let progress: PackBuildProgress
        let showsWriting: Bool
        private var display = ProgressDisplay(terminal: .standardError, write: writeError)
        private var phase = 0

        init(progress: PackBuildProgress, showsWriting: Bool) {
            self.progress = progress
            self.showsWriting = showsWriting
        }

        mutating func step() {
            let now = ContinuousClock.now
            if phase == 0 {
                display.begin("Enumerating objects", at: now)
                phase = 1
            }
            if phase == 1 {
                display.update(ProgressCounts(done: UInt64(progress.enumeratedObjects)), at: now)
                guard progress.totalObjects != nil else { return }
                phase = 2
                display.finish(at: now)
            }
            guard let total = progress.totalObjects, total > 0 else { return }
            if phase == 2 {
                let (tried, candidates) = (progress.triedCandidates, progress.deltaCandidates)
                if candidates > 0 {
                    display.begin("Compressing objects", at: now)
                    phase = 3
                } else if progress.writtenObjects == 0 {
                    return
                } else {
                    phase = 4
                    beginWriting(now)
                }
                _ = tried
            }
            if phase == 3 {
                let (tried, candidates) = (progress.triedCandidates, progress.deltaCandidates)
                display.update(
                    ProgressCounts(done: UInt64(tried), total: UInt64(candidates)), at: now)
                guard tried == candidates else { return }
                display.finish(at: now)
                phase = 4
                beginWriting(now)
            }
            guard phase == 4, showsWriting else { return }
            display.update(
                ProgressCounts(
                    done: UInt64(progress.writtenObjects), total: UInt64(total),
                    bytes: UInt64(progress.writtenBytes)), at: now)
        }

        private mutating func beginWriting(_ now: ContinuousClock.Instant) {
            if showsWriting { display.begin("Writing objects", at: now) }
        }

        mutating func end() {
            let isDone = progress.totalObjects == progress.writtenObjects
            if isDone { display.finish(at: .now) } else { display.abandon() }
        }
    }
}
