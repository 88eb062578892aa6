package import GitCore
import GitStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What a look-up gives.
package enum Answer: Sendable {
    /// It is there.
    case whole(WholeAnswer)
    /// Somebody is writing it.
    case growing(AnswerReader)
    /// It is not there, and the caller is the one to write it: all others who ask follow.
    case missing(AnswerWriter)
}

/// Answers kept on disk: each written once, followed by whoever asks for the same meanwhile, and found
/// whole by who comes later.
///
/// In the folder, which one process at a time has:
///
///     lock       held by that process
///     cache.db   a row for each whole answer (AnswerRecords)
///     answers/   a file for each answer (AnswerFolder)
///
/// A file gets its final name when it is complete, and its row after that. Whatever moment a process is
/// killed at, the next one finds whole answers, with file and row, and removes everything else. What it
/// finds it reads through once, before the first use of each, and compares with the checksum: a machine
/// that loses power may have the row and not all of the content.
///
/// All calls may come from any thread. They block, for short: it is not for Swift's cooperative pool.
package final class AnswerStore: Sendable {
    package struct Options: Sendable {
        /// Bytes that all answers may take on disk, growing ones included. Answers in use do not go to
        /// make room for others.
        package var budget: UInt64
        /// Bytes beyond which an answer is not kept; nil is half of the budget, so that no answer drives
        /// out all others.
        package var largest: UInt64?
        /// Whole answers kept at most: each takes some hundred bytes of memory.
        package var count = 100_000
        /// Bytes that stay free on the file system, as far as a look at every 16 MiB of an answer sees to
        /// that; 0 for no look.
        package var freeSpaceFloor: UInt64 = 0
        /// Whether a writer is to go on when nobody follows it any more.
        package var goesOnAlone = false
        /// Bytes of memory through which an answer goes that cannot be kept.
        package var tailSize = 1 << 20
        /// So many milliseconds the writer of such an answer waits for a reader that does not read
        /// ``tailSize`` bytes in them; then it is left behind.
        package var patience = 30_000

        package init(budget: UInt64) { self.budget = budget }

        fileprivate func largest(of budget: UInt64) -> UInt64 { min(largest ?? budget / 2, budget) }
    }

    let options: Options
    let catalog: AnswerCatalog
    let folder: AnswerFolder
    let records: AnswerRecords
    private let lock: FolderLock
    /// What was found damaged when the store was opened, until somebody is told.
    let damaged = Mutex<[AnswerKey]>([])

    /// So many last uses are written at once, if nothing else is before.
    private static let touchBatch = 1_024

    /// Opens the store in `path`, making the folder where there is none (not those above it).
    ///
    /// - Throws: ``CacheError/Code/locked`` where another process has it. A damaged database is no
    ///   error: everything is discarded then.
    package init(_ path: ByteString, _ options: Options) throws(CacheError) {
        guard options.budget > 0, options.count > 0, options.tailSize > 0, options.patience > 0
        else {
            throw CacheError(.invalid, "the limits of the cache have to be more than 0")
        }
        self.options = options
        do throws(StoreError) {
            try PrivateFolder.create(path)
        } catch { throw CacheError(error) }
        lock = try FolderLock(path)
        do throws(StoreError) {
            folder = try AnswerFolder(path / "answers")
        } catch { throw CacheError(error) }
        records = try AnswerRecords(path / "cache.db")
        let largest = options.largest(of: options.budget)
        catalog = AnswerCatalog(
            AnswerCatalog.Limits(budget: options.budget, largest: largest, count: options.count),
            tailLimit: options.tailSize)
        let found = try recover()
        damaged.withLock { $0 = found }
    }

    deinit { flush() }

    // MARK: Look-ups

    /// The answer for a key. Where it has to be written, exactly one caller at a time is given the writer.
    package func answer(for key: AnswerKey) -> Answer {
        while true {
            switch catalog.find(key) {
            case .growing(let growing): return .growing(AnswerReader(growing))
            case .new(let growing): return .missing(AnswerWriter(self, growing))
            case .kept(let use):
                switch open(use) {
                case .opened(let whole):
                    catalog.countHit()
                    writeTouched(atLeast: Self.touchBatch)
                    return .whole(whole)
                case .unusable: drop(use.file)
                case .unopened: return .missing(AnswerWriter(self, catalog.makeUnlisted(key)))
                }
            }
        }
    }

    /// Bytes that all answers may take.
    package var budget: UInt64 { catalog.budget }

    /// Bytes beyond which an answer is not kept.
    package var largest: UInt64 { options.largest(of: budget) }

    package var statistics: AnswerStatistics { catalog.statistics }

    /// Writes to the database what is only in memory yet: when answers were last used.
    package func flush() { writeTouched(atLeast: 1) }

    /// Changes the bytes that all answers may take (``Options/budget``); what is beyond that goes at once,
    /// but for what is in use.
    package func setBudget(_ budget: UInt64) {
        discard(catalog.setBudget(budget, largest: options.largest(of: budget)))
    }

    // MARK: Removing

    /// Removes all answers of a repository. When it returns, none that was written or begun before will
    /// be found again, not even after a loss of power; who is reading one reads on.
    ///
    /// - Returns: how many whole ones there were.
    @discardableResult
    package func purge(_ repository: ByteString) throws(CacheError) -> Int {
        try remove(repository) { $0.repository == repository }
    }

    /// The same of all repositories.
    package func removeAll() throws(CacheError) { _ = try remove(nil) { _ in true } }

    private func remove(
        _ repository: ByteString?, where isMeant: (AnswerKey) -> Bool
    ) throws(CacheError) -> Int {
        let files = catalog.remove(where: isMeant)
        do throws(StoreError) {
            for file in files { try folder.remove(file.serial) }
            try folder.sync()
        } catch { throw CacheError(error) }
        // Those that are still being written see in `records.insert` that nobody wants them, or this
        // deletes their rows. A row of one that was begun since may go with them: then a restart is the
        // end of that.
        try records.purge(repository)
        return files.count
    }

    // MARK: For the writer

    /// Makes a complete file an answer that is found; says whether that is what became of it.
    func keep(_ growing: GrowingAnswer, checksum: ByteString) -> Bool {
        let file = growing.file
        let record = AnswerRecords.Record(
            serial: file.serial, key: file.key, size: growing.length.load(ordering: .relaxed),
            checksum: checksum, used: millisecondsSince1970())
        do {
            try folder.complete(file.serial)
            let touched = catalog.takeTouched(atLeast: 1)
            let isWanted = try records.insert(record, touched: touched) {
                catalog.isGrowing(growing)
            }
            if isWanted, let evicted = catalog.keep(growing, checksum: checksum) {
                discard(evicted)
                return true
            }
        } catch { catalog.countFailure() }
        catalog.forget(growing)
        removeNew(file)
        discard([file])
        return false
    }

    /// Removes the files and rows of what is off the list. What cannot be removed is not found any more,
    /// and goes when the store is opened next.
    func discard(_ files: [AnswerFile]) {
        if files.isEmpty { return }
        // The files first: on a full disk the database cannot do without their room.
        for file in files {
            do throws(StoreError) {
                try folder.remove(file.serial)
            } catch { catalog.countFailure() }
        }
        do throws(CacheError) {
            try records.delete(files.map(\.serial))
        } catch { catalog.countFailure() }
    }

    func removeNew(_ file: AnswerFile) {
        do throws(StoreError) {
            try folder.removeNew(file.serial)
        } catch { catalog.countFailure() }
    }

    /// Evicts so many bytes, if it can; says whether it evicted anything.
    func makeRoom(_ count: UInt64) -> Bool {
        let evicted = catalog.makeRoom(count)
        discard(evicted)
        return !evicted.isEmpty
    }

    /// Whether the file system has room for so many bytes above the floor, with answers evicted if need be.
    func hasSpace(_ count: Int) -> Bool {
        if options.freeSpaceFloor == 0 { return true }
        let (needed, overflows) = options.freeSpaceFloor.addingReportingOverflow(UInt64(count))
        guard !overflows, let free = folder.freeBytes else { return false }
        if free >= needed { return true }
        return makeRoom(needed - free) && (folder.freeBytes ?? 0) >= needed
    }

    static func isFull(_ error: StoreError) -> Bool {
        [ENOSPC, EDQUOT].contains(error.systemError)
    }

    private func writeTouched(atLeast count: Int) {
        // What is lost here is an order, and no answer.
        do throws(CacheError) {
            try records.touch(catalog.takeTouched(atLeast: count))
        } catch { catalog.countFailure() }
    }
}
