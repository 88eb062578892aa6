import GitCore
import GitStore

/// All files of a tree with its subtrees, as the index lists them.
struct FlatTree: Sendable {
    /// Sorted, without duplicates, none of them also a directory; of no stat data.
    var entries: [IndexEntry]
    var cacheTree: CacheTree
}

/// Lists the files of a tree, holding every name against the rules and every number against its limit
/// before anything is written (a "git bomb" ends here).
struct TreeFlattener {
    private struct Frame {
        let path: ByteString
        let oid: ObjectID
        let firstPosition: Int
        let entries: [TreeEntry]
        var next = 0
    }

    private let objects: ObjectDatabase
    private let rules: PathRules
    private var stack: [Frame] = []
    private var entries: [IndexEntry] = []
    private var cacheTree = CacheTree()
    private var pathBytes = 0

    init(_ objects: ObjectDatabase, _ rules: PathRules) {
        self.objects = objects
        self.rules = rules
    }

    mutating func flatten(
        _ tree: ObjectID, isCancelled: () -> Bool
    ) throws(WorktreeError) -> FlatTree {
        try open(tree, path: "")
        while let frame = stack.last {
            if frame.next == frame.entries.count {
                close(frame)
                if isCancelled() { throw .cancelled }
                continue
            }
            stack[stack.count - 1].next += 1
            try take(frame.entries[frame.next], in: frame.path)
        }
        if let (file, below) = fileThatIsDirectory(entries) {
            throw WorktreeError(
                .unsafePath,
                "tree \(tree) has '\(file)' both as a file and as the directory of '\(below)'")
        }
        return FlatTree(entries: entries, cacheTree: cacheTree)
    }

    private mutating func take(_ entry: TreeEntry, in directory: ByteString) throws(WorktreeError) {
        let path = directory / entry.name
        guard path.count <= WorktreeLimits.pathLength else { throw Self.unsafe(path, .tooLong) }
        if entry.mode == .directory { return try open(entry.oid, path: path) }
        pathBytes += path.count
        guard entries.count < WorktreeLimits.entries, pathBytes <= WorktreeLimits.totalPathLength
        else {
            throw WorktreeError(
                .limit, "the tree has more than \(WorktreeLimits.entries) files, or too long names")
        }
        let mode = entry.mode == .groupWritable ? .regular : entry.mode
        entries.append(IndexEntry(path: path, mode: mode, oid: entry.oid))
    }

    private mutating func open(_ oid: ObjectID, path: ByteString) throws(WorktreeError) {
        guard stack.count < WorktreeLimits.depth else { throw Self.unsafe(path, .tooDeep) }
        let entries = try read(oid, path)
        for (index, entry) in entries.enumerated() {
            let isLink = entry.mode == .symbolicLink
            if let fault = rules.fault(inComponent: entry.name.bytes.span, isLink: isLink) {
                throw Self.unsafe(path / entry.name, fault)
            }
            if index > 0, !comesBefore(entries[index - 1], entry) {
                throw WorktreeError(
                    .unsafePath,
                    "tree \(oid) has '\(path / entry.name)' twice, or out of order")
            }
        }
        stack.append(
            Frame(path: path, oid: oid, firstPosition: self.entries.count, entries: entries))
    }

    private mutating func close(_ frame: Frame) {
        stack.removeLast()
        let count = entries.count - frame.firstPosition
        cacheTree.note(frame.path, .init(entryCount: count, oid: frame.oid))
    }

    private func read(_ oid: ObjectID, _ path: ByteString) throws(WorktreeError) -> [TreeEntry] {
        let object = try storing(path.isEmpty ? nil : path) { () throws(StoreError) in
            try objects.read(oid)
        }
        guard object.kind == .tree else {
            throw WorktreeError(.corrupt, "object \(oid) is a \(object.kind.name), not a tree")
        }
        do throws(ParseError) {
            return try TreeReader.entries(of: object.content, objects.format)
        } catch {
            throw WorktreeError("tree \(oid)", error)
        }
    }

    private static func unsafe(_ path: ByteString, _ fault: PathFault) -> WorktreeError {
        WorktreeError(.unsafePath, "invalid path '\(path)': \(fault.reason)")
    }
}

extension WorktreeError {
    static let cancelled = WorktreeError(.cancelled, "checkout was cancelled")
}

/// The order of a tree: by bytes, a directory's name as if it ended in '/'.
private func comesBefore(_ a: TreeEntry, _ b: TreeEntry) -> Bool {
    let (left, right) = (a.name.bytes, b.name.bytes)
    for index in 0 ..< min(left.count, right.count) where left[index] != right[index] {
        return left[index] < right[index]
    }
    func next(_ entry: TreeEntry, after count: Int) -> UInt8 {
        if entry.name.count > count { return entry.name.bytes[count] }
        return entry.mode == .directory ? 0x2f : 0
    }
    let shared = min(left.count, right.count)
    return next(a, after: shared) < next(b, after: shared)
}
