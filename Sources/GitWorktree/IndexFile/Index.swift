public import GitCore

/// The index: what the next commit's tree will be, and what is known of the files in the work tree.
///
/// A value: nothing here touches a disk but ``read(path:format:rules:)`` and ``write(to:)``.
public struct Index: Sendable {
    public let format: ObjectFormat
    /// Sorted by path, then stage; no two alike.
    public private(set) var entries: [IndexEntry]
    /// The trees that are known to be made of runs of ``entries``.
    public internal(set) var cacheTree: CacheTree
    /// The REUC extension as it was read: how conflicts were, for `git checkout -m`.
    var resolveUndo: [UInt8]?

    /// An empty index.
    public init(format: ObjectFormat) { self.init(entries: [], cacheTree: CacheTree(), format) }

    /// - Precondition: `entries` are sorted, without duplicates.
    init(entries: [IndexEntry], cacheTree: CacheTree, _ format: ObjectFormat) {
        self.entries = entries
        self.cacheTree = cacheTree
        self.format = format
    }

    /// The entry of `path` at `stage`.
    public subscript(path: ByteString, stage stage: UInt8 = 0) -> IndexEntry? {
        let position = position(of: path, stage)
        guard position < entries.count, entries[position].path == path,
            entries[position].stage == stage
        else { return nil }
        return entries[position]
    }

    /// The entries in the directory `path`, and in those below it.
    public func entries(under path: ByteString) -> ArraySlice<IndexEntry> {
        entries[range(under: path)]
    }

    /// What may happen when an entry is put in.
    public struct InsertOptions: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// A path that is not there yet may be added (`--add`).
        public static let add = InsertOptions(rawValue: 1)
        /// A file may take the place of a directory, and the other way round (`--replace`).
        public static let replace = InsertOptions(rawValue: 2)
    }

    /// Puts `entry` in the place of what has its path and stage; at stage 0, of every stage.
    ///
    /// Throws ``WorktreeError/Code/conflict`` where `options` do not allow what it takes.
    public mutating func insert(
        _ entry: IndexEntry, _ options: InsertOptions = [.add]
    ) throws(WorktreeError) {
        cacheTree.invalidate(entry.path)
        var position = position(of: entry.path, entry.stage)
        if position < entries.count, entries[position].path == entry.path,
            entries[position].stage == entry.stage
        {
            entries[position] = entry
            return
        }
        let hasOtherStages = entry.stage == 0 && removeAllStages(entry.path)
        guard hasOtherStages || options.contains(.add) else {
            throw WorktreeError(
                .conflict, "\(entry.path): cannot add to the index - missing --add option?")
        }
        try makeWay(for: entry, replace: options.contains(.replace))
        position = self.position(of: entry.path, entry.stage)
        entries.insert(entry, at: position)
    }

    /// Removes `path`, at all stages; says whether it was there.
    @discardableResult
    public mutating func remove(_ path: ByteString) -> Bool {
        cacheTree.invalidate(path)
        return removeAllStages(path)
    }

    /// Notes what lstat said of the files whose positions are given.
    mutating func setStats(_ stats: [(position: Int, stat: IndexStat)]) {
        for (position, stat) in stats where entries.indices.contains(position) {
            entries[position].stat = stat
        }
    }

    /// The entries whose files may have changed after they were looked at, within the second in which
    /// the index file, last written at `second`, was: "racily clean" ones (Git's racy-git note). Once
    /// the index is written again, it will be younger than them, and they would be trusted.
    func racyPositions(writtenAt second: UInt32) -> [Int] {
        entries.indices.filter { position in
            let entry = entries[position]
            return entry.stat.mtimeSeconds >= second && entry.mode != .gitlink && entry.stage == 0
        }
    }

    /// Makes an entry untrusted: Git will compare contents the next time, and so find out.
    mutating func smudge(_ position: Int) { entries[position].stat.size = 0 }

    /// Where `path` at `stage` is, or belongs.
    func position(of path: ByteString, _ stage: UInt8) -> Int {
        partition { entry in
            let order = compare(entry.path, path)
            return order != 0 ? order < 0 : entry.stage < stage
        }
    }

    func range(under directory: ByteString) -> Range<Int> {
        if directory.isEmpty { return entries.indices }
        let start = position(of: directory + "/", 0)
        // '0' is the byte after '/'.
        return start ..< max(start, position(of: directory + "0", 0))
    }

    private func partition(_ isBefore: (IndexEntry) -> Bool) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = low + (high - low) / 2
            if isBefore(entries[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func removeAllStages(_ path: ByteString) -> Bool {
        let start = position(of: path, 0)
        let end = entries[start...].prefix { $0.path == path }.endIndex
        entries.removeSubrange(start ..< end)
        return end > start
    }

    /// Removes what cannot be beside `entry`: files under its path, and a file where it needs a
    /// directory.
    private mutating func makeWay(
        for entry: IndexEntry, replace: Bool
    ) throws(WorktreeError) {
        var inTheWay: [ByteString] = []
        for slash in entry.path.bytes.indices where entry.path.bytes[slash] == 0x2f {
            let parent = ByteString(entry.path.bytes[..<slash])
            if self[parent, stage: entry.stage] != nil { inTheWay.append(parent) }
        }
        inTheWay += entries(under: entry.path).filter { $0.stage == entry.stage }.map(\.path)
        guard replace || inTheWay.isEmpty else {
            throw WorktreeError(
                .conflict, "'\(entry.path)' appears as both a file and as a directory")
        }
        for path in inTheWay { remove(path) }
    }
}
