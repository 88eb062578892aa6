public import GitCore
public import GitStore

/// Changes of the index file, made under its lock and written at once (update-index, write-tree).
///
/// Letting go of it without ``commit()`` leaves the file as it was.
public struct IndexUpdate: ~Copyable {
    /// What may happen to the entry of a path.
    public struct Options: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// A path that the index does not have may be added (`--add`).
        public static let add = Options(rawValue: 1)
        /// A path that is gone from the work tree is removed (`--remove`).
        public static let remove = Options(rawValue: 2)
        /// A file may take a directory's place, and the other way round (`--replace`).
        public static let replace = Options(rawValue: 4)

        var insert: Index.InsertOptions {
            var options: Index.InsertOptions = []
            if contains(.add) { options.insert(.add) }
            if contains(.replace) { options.insert(.replace) }
            return options
        }
    }

    private let objects: ObjectDatabase
    private let workTree: ByteString?
    private let gitDirectory: ByteString
    private let settings: WorktreeSettings
    private var locked: LockedIndex
    private var content: RepositoryContent?

    /// Takes the lock and reads the index; one that is not there is empty.
    ///
    /// - Parameters:
    ///   - indexPath: of the index file, `<gitDirectory>/index` as a rule.
    ///   - workTree: nil in a bare repository, where no file can be added.
    public init(
        indexPath: ByteString, objects: ObjectDatabase, workTree: ByteString?,
        gitDirectory: ByteString, settings: WorktreeSettings
    ) throws(WorktreeError) {
        var locked = try LockedIndex(
            path: indexPath, format: objects.format, rules: settings.pathRules)
        let racy = locked.second.map { locked.index.racyPositions(writtenAt: $0) } ?? []
        if let workTree, !racy.isEmpty {
            var content = try RepositoryContent(
                objects: objects, workTree: workTree, gitDirectory: gitDirectory,
                settings: settings, index: locked.index)
            for position in racy
            where try !Self.isUnchanged(locked.index.entries[position], &content, locked.index) {
                locked.index.smudge(position)
            }
        } else {
            for position in racy { locked.index.smudge(position) }
        }
        self.objects = objects
        self.workTree = workTree
        self.gitDirectory = gitDirectory
        self.settings = settings
        self.locked = locked
    }

    /// Whether the file still is what the entry says: its content, where its stat cannot tell.
    private static func isUnchanged(
        _ entry: IndexEntry, _ content: inout RepositoryContent, _ index: Index
    ) throws(WorktreeError) -> Bool {
        let blob: [UInt8]
        switch try content.item(entry.path) {
        case .file(let file, let status):
            // These say by themselves that the file has changed, whatever Git is told to look at.
            let stat = IndexStat(status)
            guard stat.mtimeSeconds == entry.stat.mtimeSeconds, stat.size == entry.stat.size else {
                return true
            }
            let bytes = try storing(entry.path) { () throws(StoreError) in
                try file.readToEnd(limit: WorktreeLimits.stagedFileSize)
            }
            blob = try content.converted(bytes, at: entry.path, index: index)
        case .link(let target, _): blob = target
        case .missing: return true
        case .directory: return true
        case .other: return true
        }
        return (try? ObjectHasher.hash(.blob, blob, index.format)) == entry.oid
    }

    /// The index as it is now.
    public var index: Index { locked.index }

    /// What is to be told: each a line, safe to print.
    public var warnings: [String] {
        switch content {
        case .some(let content): content.warnings
        case nil: []
        }
    }

    /// Takes the file at `path` as it is in the work tree into the index and the store.
    ///
    /// - Parameter path: from the top of the work tree.
    /// - Throws: `notFound` for a file that is not there, without ``Options/remove``; `conflict` for a
    ///   path through a symbolic link, a directory, or what `options` do not allow; `unsafePath`.
    public mutating func update(
        _ path: ByteString, _ options: Options
    ) throws(WorktreeError) {
        try settings.pathRules.check(path, mode: .regular)
        var content = try takeContent()
        let staged: IndexEntry?
        do throws(WorktreeError) {
            staged = try entry(path, &content, options)
        } catch {
            self.content = consume content
            throw error
        }
        self.content = consume content
        if let staged {
            try settings.pathRules.check(path, mode: staged.mode)
            try locked.index.insert(staged, options.insert)
        } else {
            locked.index.remove(path)
        }
    }

    /// Removes a path from the index, whether or not there is such a file (`--force-remove`).
    public mutating func remove(_ path: ByteString) { locked.index.remove(path) }

    /// Puts an entry in without looking at the work tree or for the object (`--cacheinfo`).
    public mutating func insert(
        mode: FileMode, oid: ObjectID, path: ByteString, _ options: Options
    ) throws(WorktreeError) {
        guard mode != .directory, oid.format == objects.format else {
            throw WorktreeError(
                .invalid, "an index entry cannot have mode \(mode.octal), id \(oid)")
        }
        try settings.pathRules.check(path, mode: mode)
        let mode = mode == .groupWritable ? .regular : mode
        try locked.index.insert(IndexEntry(path: path, mode: mode, oid: oid), options.insert)
    }

    /// Writes the index's trees: see ``Index/writeTree(to:allowMissing:)``. Commit afterwards, so that
    /// the index remembers them.
    ///
    /// - Parameter prefix: a directory whose tree is wanted instead of the uppermost.
    public mutating func writeTree(
        allowMissing: Bool = false, prefix: ByteString = ""
    ) throws(WorktreeError) -> ObjectID {
        let root = try locked.index.writeTree(to: objects, allowMissing: allowMissing)
        let directory = prefix.hasSuffix("/") ? prefix.dropLast(1) : prefix
        if directory.isEmpty { return root }
        guard let oid = locked.index.cacheTree.tree(of: directory) else {
            throw WorktreeError(.notFound, "prefix '\(directory)' not found")
        }
        return oid
    }

    /// Writes the index and lets go of the lock.
    public consuming func commit() throws(WorktreeError) { try locked.commit() }

    private mutating func takeContent() throws(WorktreeError) -> RepositoryContent {
        if let content = content.take() { return content }
        guard let workTree else {
            throw WorktreeError(.invalid, "this operation must be run in a work tree")
        }
        return try RepositoryContent(
            objects: objects, workTree: workTree, gitDirectory: gitDirectory, settings: settings,
            index: locked.index)
    }

    /// The entry of what stands at `path`; nil where it is to be removed.
    private func entry(
        _ path: ByteString, _ content: inout RepositoryContent, _ options: Options
    ) throws(WorktreeError) -> IndexEntry? {
        let old = locked.index[path]
        switch try content.item(path) {
        case .file(let file, let status):
            let bytes = try storing(path) { () throws(StoreError) in
                try file.readToEnd(limit: WorktreeLimits.stagedFileSize)
            }
            let mode = mode(isExecutable: status.st_mode & 0o100 != 0, old)
            let blob =
                mode == .symbolicLink
                ? bytes : try content.converted(bytes, at: path, index: locked.index)
            return try write(blob, path, mode, IndexStat(status))
        case .link(let target, let status):
            return try write(target, path, .symbolicLink, IndexStat(status))
        case .missing:
            guard options.contains(.remove) else {
                throw WorktreeError(.notFound, "\(path): does not exist and --remove not passed")
            }
            return nil
        case .directory:
            if old != nil, old?.mode != .gitlink, options.contains(.remove) { return nil }
            throw WorktreeError(.conflict, "\(path): is a directory - add files inside instead")
        case .other:
            throw WorktreeError(.unsupported, "\(path): is neither a file nor a symbolic link")
        }
    }

    /// What the file system cannot say stays as it was.
    private func mode(isExecutable: Bool, _ old: IndexEntry?) -> FileMode {
        if !settings.hasSymbolicLinks, old?.mode == .symbolicLink { return .symbolicLink }
        if !settings.hasFileMode { return old?.mode == .executable ? .executable : .regular }
        return isExecutable ? .executable : .regular
    }

    private func write(
        _ blob: [UInt8], _ path: ByteString, _ mode: FileMode, _ stat: IndexStat
    ) throws(WorktreeError) -> IndexEntry {
        let oid = try storing(path) { () throws(StoreError) in try objects.write(.blob, blob) }
        var entry = IndexEntry(path: path, mode: mode, oid: oid)
        entry.stat = stat
        return entry
    }
}
