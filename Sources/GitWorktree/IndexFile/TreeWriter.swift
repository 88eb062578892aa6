public import GitCore
public import GitStore

extension Index {
    /// Writes the trees that the index describes, and says the id of the uppermost (write-tree).
    ///
    /// Trees that ``cacheTree`` knows, and that are there, are not made again; it knows all afterwards.
    /// Throws where a merge is unfinished, a path is both file and directory, or, unless
    /// `allowMissing`, an entry's object is not there.
    public mutating func writeTree(
        to objects: ObjectDatabase, allowMissing: Bool = false
    ) throws(WorktreeError) -> ObjectID {
        try checkIsOneTree()
        var writer = TreeWriter(objects, cacheTree, allowMissing: allowMissing)
        let root = try writer.write(entries)
        cacheTree = writer.cacheTree
        return root
    }

    private func checkIsOneTree() throws(WorktreeError) {
        if let entry = entries.first(where: { $0.stage != 0 }) {
            throw WorktreeError(.conflict, "\(entry.path): unmerged (\(entry.oid))")
        }
        if let (file, below) = fileThatIsDirectory(entries) {
            throw WorktreeError(.conflict, "You have both \(file) and \(below)")
        }
    }
}

/// Two of the sorted `entries` of which one's path is a directory of the other's. Linear.
func fileThatIsDirectory(_ entries: [IndexEntry]) -> (ByteString, ByteString)? {
    // Paths that the current one begins with, each also the beginning of the next.
    var prefixes: [ByteString] = []
    for entry in entries {
        while let last = prefixes.last, !entry.path.hasPrefix(last) { prefixes.removeLast() }
        // If it lay under an earlier one, so would the last, which would have been found.
        if let last = prefixes.last, entry.path.count > last.count,
            entry.path.bytes[last.count] == 0x2f
        {
            return (last, entry.path)
        }
        prefixes.append(entry.path)
    }
    return nil
}

private struct TreeWriter {
    private struct Directory {
        /// Without a slash at the end; empty for the root.
        let path: ByteString
        let firstPosition: Int
        var entries: [TreeEntry] = []
        var hasIntentToAdd = false
    }

    private let objects: ObjectDatabase
    private let allowMissing: Bool
    /// What was known before, and step by step what is known now.
    private(set) var cacheTree: CacheTree
    /// The directories that the current entry is in, the root first.
    private var open: [Directory] = []

    init(_ objects: ObjectDatabase, _ cacheTree: CacheTree, allowMissing: Bool) {
        self.objects = objects
        self.cacheTree = cacheTree
        self.allowMissing = allowMissing
    }

    mutating func write(_ entries: [IndexEntry]) throws(WorktreeError) -> ObjectID {
        if let known = try reusable("", at: 0, entries) { return known.oid }
        open = [Directory(path: "", firstPosition: 0)]
        var position = 0
        while position < entries.count {
            let path = entries[position].path
            while let last = open.last, !isIn(last.path, path) { try close(at: position) }
            if let directory = nextDirectory(towards: path) {
                if let known = try reusable(directory, at: position, entries) {
                    append(.directory, directory, known.oid)
                    position += known.entryCount
                } else {
                    open.append(Directory(path: directory, firstPosition: position))
                }
            } else {
                try append(entries[position])
                position += 1
            }
        }
        while open.count > 1 { try close(at: position) }
        return try writeLast(at: position)
    }

    private func isIn(_ directory: ByteString, _ path: ByteString) -> Bool {
        directory.isEmpty
            || path.count > directory.count && path.bytes[directory.count] == 0x2f
                && path.hasPrefix(directory)
    }

    /// The directory one level below the one that is open last, if `path` is in such a one.
    private func nextDirectory(towards path: ByteString) -> ByteString? {
        let current = open.last?.path.count ?? 0
        let start = current == 0 ? 0 : current + 1
        guard let slash = path.bytes[start...].firstIndex(of: 0x2f) else { return nil }
        return ByteString(path.bytes[..<slash])
    }

    /// The known tree of `directory`, if it fits the entries from `position` on and is in the store.
    private func reusable(
        _ directory: ByteString, at position: Int, _ entries: [IndexEntry]
    ) throws(WorktreeError) -> CacheTree.Known? {
        guard let known = cacheTree.known(directory), known.entryCount > 0,
            known.entryCount <= entries.count - position
        else { return nil }
        let end = position + known.entryCount
        guard isIn(directory, entries[end - 1].path),
            end == entries.count || !isIn(directory, entries[end].path)
        else { return nil }
        return try contains(known.oid) ? known : nil
    }

    private mutating func append(_ entry: IndexEntry) throws(WorktreeError) {
        if entry.isIntentToAdd {
            open[open.count - 1].hasIntentToAdd = true
            return
        }
        let isExcused = entry.mode == .gitlink || allowMissing
        let isThere = isExcused ? true : try contains(entry.oid)
        guard isThere, !entry.oid.isZero else {
            throw WorktreeError(
                .notFound, "invalid object \(entry.mode.octal) \(entry.oid) for '\(entry.path)'")
        }
        append(entry.mode, entry.path, entry.oid)
    }

    private mutating func append(_ mode: FileMode, _ path: ByteString, _ oid: ObjectID) {
        open[open.count - 1].entries.append(
            TreeEntry(mode: mode, name: lastComponent(of: path), oid: oid))
    }

    /// Writes the tree of the directory that is open last into its parent.
    private mutating func close(at position: Int) throws(WorktreeError) {
        guard let directory = open.last else { return }
        // Nothing but files that no commit gets: then no commit gets the directory.
        let oid = directory.entries.isEmpty ? nil : try writeLast(at: position)
        open.removeLast()
        if directory.hasIntentToAdd { open[open.count - 1].hasIntentToAdd = true }
        if let oid { append(.directory, directory.path, oid) }
    }

    private mutating func writeLast(at position: Int) throws(WorktreeError) -> ObjectID {
        let directory = open[open.count - 1]
        let oid: ObjectID
        do throws(StoreError) {
            oid = try objects.write(.tree, encodeTree(directory.entries))
        } catch {
            throw WorktreeError(error)
        }
        let count = position - directory.firstPosition
        cacheTree.note(
            directory.path, directory.hasIntentToAdd ? nil : .init(entryCount: count, oid: oid))
        return oid
    }

    private func contains(_ oid: ObjectID) throws(WorktreeError) -> Bool {
        do throws(StoreError) { return try objects.contains(oid) } catch {
            throw WorktreeError(error)
        }
    }
}
