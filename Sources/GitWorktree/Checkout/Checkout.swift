public import GitCore
public import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Writes the files of a tree into an empty work tree.
///
/// - Attributes are those of the tree itself, of `info/attributes`, and of the user's and the system's
///   files. Line ends and `$Id$` are converted. Filters (`filter=lfs`) are not run: their files are
///   left as they are in the repository. `working-tree-encoding` is not applied; ``run`` warns of it.
/// - Symbolic links come last, so that there is none yet while files are being written.
/// - Submodules become empty directories; `.gitmodules` is a file like any other.
///
/// Where ``run`` throws, some files may have been written: the caller removes the directory.
public struct Checkout: Sendable {
    private let objects: ObjectDatabase
    private let workTree: ByteString
    private let gitDirectory: ByteString
    private let settings: WorktreeSettings

    /// - Parameters:
    ///   - workTree: a directory, with nothing in it but perhaps the repository's own.
    ///   - gitDirectory: the repository's, where `info/attributes` may be.
    public init(
        objects: ObjectDatabase, workTree: ByteString, gitDirectory: ByteString,
        settings: WorktreeSettings
    ) {
        self.objects = objects
        self.workTree = workTree
        self.gitDirectory = gitDirectory
        self.settings = settings
    }

    public init(
        objects: ObjectDatabase, workTree: ByteString, gitDirectory: ByteString, config: Config
    ) throws(WorktreeError) {
        self.init(
            objects: objects, workTree: workTree, gitDirectory: gitDirectory,
            settings: try WorktreeSettings(config: config))
    }

    /// Writes the files of `tree`, on several threads, and says what the index is then: not written
    /// yet, with the stat data of each file.
    ///
    /// - Parameters:
    ///   - progress: called on this thread, a few times a second, with the number of entries written
    ///     and that of all; the last time with both the same.
    ///   - warn: called on this thread with what is to be told, safe to print.
    ///   - isCancelled: polled on this thread; once true, everything stops and `cancelled` is thrown.
    public func run(
        tree: ObjectID, progress: (Int, Int) -> Void = { _, _ in },
        warn: (String) -> Void = { _ in }, isCancelled: () -> Bool = { false }
    ) throws(WorktreeError) -> Index {
        var flattener = TreeFlattener(objects, settings.pathRules)
        let flat = try flattener.flatten(tree, isCancelled: isCancelled)
        let written = try write(flat.entries, progress, isCancelled)
        for encoding in written.missingEncodings.sorted() {
            warn("working-tree-encoding '\(encoding)' is not supported: files are left in UTF-8")
        }
        var index = Index(entries: flat.entries, cacheTree: flat.cacheTree, objects.format)
        index.setStats(written.stats)
        return index
    }

    private func write(
        _ entries: [IndexEntry], _ progress: (Int, Int) -> Void, _ isCancelled: () -> Bool
    ) throws(WorktreeError) -> CheckoutJob.Result {
        let attributes = try attributeSources(entries)
        let root = try storing { () throws(StoreError) in
            try File(workTree, O_RDONLY | O_DIRECTORY)
        }
        let job = CheckoutJob(objects, settings, attributes, root: root.descriptor, entries)
        try runThreads(job, total: entries.count, progress, isCancelled)
        var result = try job.takeResult()
        result.stats += try writeLinksAndDirectories(entries, job, progress)
        return result
    }

    private func runThreads(
        _ job: CheckoutJob, total: Int, _ progress: (Int, Int) -> Void, _ isCancelled: () -> Bool
    ) throws(WorktreeError) {
        progress(0, total)
        guard job.fileCount > 0 else { return }
        let count = min(job.runCount, Workers.processorCount, WorktreeLimits.checkoutThreads)
        let threads = try storing { () throws(StoreError) in
            try Workers(count) { _ in job.work() }
        }
        while !job.waitForEnd(milliseconds: 50) {
            progress(job.finishedCount, total)
            if isCancelled() {
                job.stop()
                break
            }
        }
        threads.join()
    }

    private func writeLinksAndDirectories(
        _ entries: [IndexEntry], _ job: CheckoutJob, _ progress: (Int, Int) -> Void
    ) throws(WorktreeError) -> [(position: Int, stat: IndexStat)] {
        var writer = job.makeWriter()
        var stats: [(position: Int, stat: IndexStat)] = []
        for (position, entry) in entries.enumerated() where entry.mode == .gitlink {
            stats.append((position, try writer.makeDirectory(entry)))
        }
        for (position, entry) in entries.enumerated() where entry.mode == .symbolicLink {
            stats.append((position, try writer.writeLink(entry)))
        }
        progress(entries.count, entries.count)
        return stats
    }

    /// The attributes files that a checkout of `entries` goes by.
    private func attributeSources(
        _ entries: [IndexEntry]
    ) throws(WorktreeError) -> AttributeSources {
        // A symbolic link of that name is not followed, nor read.
        let files = entries.filter { entry in
            entry.path.bytes.last == 0x73 && lastComponent(of: entry.path) == attributesFileName
                && (entry.mode == .regular || entry.mode == .executable)
        }
        let top = files.first { $0.path == attributesFileName }
        var general: [AttributesFile] = []
        for path in settings.attributesFiles {
            if let file = try AttributesFile.read(path) { general.append(file) }
        }
        var sources = try AttributeSources(
            information: AttributesFile.read(gitDirectory / "info/attributes"),
            top: top.map { entry throws(WorktreeError) in try attributesFile(entry) } ?? nil,
            general: general)
        for entry in files where entry.path != attributesFileName {
            guard let file = try attributesFile(entry) else { continue }
            try sources.add(file, of: parent(of: entry.path))
        }
        return sources
    }

    /// nil for one so large that Git passes over it.
    private func attributesFile(_ entry: IndexEntry) throws(WorktreeError) -> AttributesFile? {
        let content = try storing(entry.path) { () throws(StoreError) in
            let size = try objects.header(entry.oid).size
            guard size < UInt64(WorktreeLimits.attributesFileSize) else { return nil as [UInt8]? }
            return try objects.read(entry.oid).content
        }
        return try content.map { content throws(WorktreeError) in
            try AttributesFile(parsing: content, allowMacros: entry.path == attributesFileName)
        }
    }
}

let attributesFileName: ByteString = ".gitattributes"

extension AttributesFile {
    /// One of those outside the work tree; nil where it is not there, or too large.
    static func read(_ path: ByteString) throws(WorktreeError) -> AttributesFile? {
        let content: [UInt8]
        do throws(StoreError) {
            content = try FileSystem.read(path, limit: WorktreeLimits.attributesFileSize)
        } catch {
            if error.code == .notFound || error.code == .limit { return nil }
            throw WorktreeError(error)
        }
        return try AttributesFile(parsing: content, allowMacros: true)
    }
}
