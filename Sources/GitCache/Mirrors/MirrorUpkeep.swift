import GitCore
import GitStore
import Synchronization

/// Keeps mirrors quick to serve from: few packs, bitmaps, a commit-graph. One mirror at a time, on a thread of
/// its own; nobody waits for it.
final class MirrorUpkeep: Sendable {
    private let work: Work
    private let thread: SystemThread

    /// - Parameter note: is told of what fails.
    /// - Throws: ``CacheError/Code/store`` where there is no thread to be had.
    init(note: @escaping @Sendable (String) -> Void) throws(CacheError) {
        let work = Work(note)
        self.work = work
        do throws(StoreError) {
            thread = try SystemThread { while let mirror = work.due.pop() { work.tidy(mirror) } }
        } catch { throw CacheError(error) }
    }

    /// Says that something new was fetched into the mirror.
    func look(after mirror: Mirror) { work.due.pushIfRoom(mirror) }

    /// Stops what is being done; what is half done is undone.
    func stop() {
        work.end()
        thread.join()
    }
}

private final class Work: Sendable {
    let due = BoundedQueue<Mirror>(capacity: 1_024)
    private let note: @Sendable (String) -> Void
    private let state = Mutex(State())

    private struct State {
        var running: Repacker?
        var hasEnded = false
    }

    init(_ note: @escaping @Sendable (String) -> Void) { self.note = note }

    func end() {
        state.withLock { state in
            state.hasEnded = true
            state.running?.cancel()
        }
        due.close()
    }

    func tidy(_ mirror: Mirror) {
        let repository = mirror.repository
        do throws(StoreError) {
            try repository.objects.refresh()
            guard let plan = RepackPlan(repository.objects.packCounts) else { return }
            var options = RepackOptions()
            options.packsEverything = true
            options.removesRedundant = true
            options.keptPacks = plan.kept
            // There are bitmaps for one pack that has everything.
            options.writesBitmaps = plan.kept.isEmpty
            options.writesReverseIndex = true
            let repacker = try Repacker(repository, options)
            guard begin(repacker) else { return }
            defer { state.withLock { $0.running = nil } }
            _ = try repacker.run()
            var graph = try CommitGraphWriter(repository.objects)
            try graph.write(
                tips: try repository.refs.list(prefix: "refs/").map { $0.peeled ?? $0.oid })
            try repository.objects.refresh()
        } catch {
            // The mirror is as it was, and is looked after again with the next fetch.
            if error.code != .cancelled {
                note("the mirror of \(mirror.name) could not be repacked: \(error.message)")
            }
        }
    }

    private func begin(_ repacker: Repacker) -> Bool {
        state.withLock { state in
            if !state.hasEnded { state.running = repacker }
            return !state.hasEnded
        }
    }
}
