import GitCore
import GitStore
import Synchronization

/// The files of a checkout, written by several threads: each takes the next run of neighbours, so that
/// a directory is opened once and stays with one thread.
final class CheckoutJob: Sendable {
    /// Whether all files are written, or one could not be.
    private let isOver = Monitor(false)

    private let objects: ObjectDatabase
    private let settings: WorktreeSettings
    private let attributes: AttributeSources
    private let root: Int32
    private let entries: [IndexEntry]
    /// Positions in ``entries`` of the regular files.
    private let files: [Int]
    private let runLength: Int

    private let nextRun = Atomic(0)
    private let finishedFiles = Atomic(0)
    private let isStopped = Atomic(false)
    private let result = Mutex(Result())

    struct Result: Sendable {
        var stats: [(position: Int, stat: IndexStat)] = []
        var missingEncodings: Set<ByteString> = []
        var failure: WorktreeError?
    }

    /// - Parameter root: the top of the work tree, open until the last thread has returned.
    init(
        _ objects: ObjectDatabase, _ settings: WorktreeSettings, _ attributes: AttributeSources,
        root: Int32, _ entries: [IndexEntry]
    ) {
        self.objects = objects
        self.settings = settings
        self.attributes = attributes
        self.root = root
        self.entries = entries
        files = entries.indices.filter {
            entries[$0].mode == .regular || entries[$0].mode == .executable
        }
        runLength = min(256, max(16, files.count / 64))
    }

    var fileCount: Int { files.count }
    var runCount: Int { (files.count + runLength - 1) / runLength }
    var finishedCount: Int { finishedFiles.load(ordering: .relaxed) }

    /// Waits for the end, but no longer than that; says whether it has come.
    func waitForEnd(milliseconds: Int) -> Bool {
        isOver.wait(milliseconds: milliseconds) { $0 }
    }

    /// Makes every thread return before its next file.
    func stop() { isStopped.store(true, ordering: .relaxed) }

    /// What all threads did. To be called when they have returned.
    func takeResult() throws(WorktreeError) -> Result {
        let result = result.withLock(\.self)
        if let failure = result.failure { throw failure }
        if isStopped.load(ordering: .relaxed) { throw .cancelled }
        return result
    }

    func makeWriter() -> BlobWriter {
        BlobWriter(
            objects, settings, attributes, GuardedWriter(root: root, existing: .refused),
            shouldStop: { self.isStopped.load(ordering: .relaxed) })
    }

    /// The work of one thread.
    func work() {
        var writer = makeWriter()
        var stats: [(position: Int, stat: IndexStat)] = []
        do throws(WorktreeError) {
            while let run = takeRun() {
                for position in run {
                    if isStopped.load(ordering: .relaxed) { return }
                    stats.append((position, try writer.writeFile(entries[position])))
                    if finishedFiles.add(1, ordering: .relaxed).newValue == files.count {
                        isOver.change { $0 = true }
                    }
                }
            }
        } catch {
            fail(error)
        }
        let encodings = writer.missingEncodings
        result.withLock { [stats] result in
            result.stats += stats
            result.missingEncodings.formUnion(encodings)
        }
    }

    private func takeRun() -> ArraySlice<Int>? {
        let number = nextRun.add(1, ordering: .relaxed).oldValue
        guard number < runCount else { return nil }
        return files[(number * runLength) ..< min(files.count, (number + 1) * runLength)]
    }

    private func fail(_ error: WorktreeError) {
        result.withLock { if $0.failure == nil { $0.failure = error } }
        stop()
        isOver.change { $0 = true }
    }
}
