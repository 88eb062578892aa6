public import GitCore

/// Walks a tree as `git ls-tree` does: some paths of it, whole directories or one level.
public struct TreeListing: Sendable {
    /// Goes into every directory (`-r`).
    public var isRecursive = false
    /// Tells of the directories that it goes into (`-t`).
    public var showsTrees = false
    /// Tells of directories only (`-d`).
    public var showsOnlyTrees = false
    /// Paths from the root of the tree, without wildcards; one with `/` at its end means what is in the
    /// directory. Empty for all.
    public var paths: [ByteString] = []

    /// Directories within one another that are gone into.
    public static let maximumDepth = 2_048

    public init() {}

    private struct Level {
        let path: ByteString
        /// In reverse order, so that the next is the last.
        var entries: [TreeEntry]
    }

    /// Calls `body` with the path from the root and the entry, in the order of the tree.
    public func walk(
        _ root: ObjectID, in objects: ObjectDatabase,
        _ body: (ByteString, TreeEntry) throws -> Void
    ) throws {
        var levels = [Level(path: "", entries: try read(root, objects))]
        while let entry = levels[levels.count - 1].entries.popLast() {
            let path = levels[levels.count - 1].path + entry.name
            if isWanted(path) {
                let isEntered = entry.mode == .directory && enters(path)
                if isEntered ? showsTrees : entry.mode.kind != .blob || !showsOnlyTrees {
                    try body(path, entry)
                }
                if isEntered {
                    guard levels.count < Self.maximumDepth else {
                        throw StoreError(
                            .limit, "tree \(root) is deeper than \(Self.maximumDepth) directories")
                    }
                    levels.append(Level(path: path + "/", entries: try read(entry.oid, objects)))
                }
            }
            while levels.count > 1, levels[levels.count - 1].entries.isEmpty { levels.removeLast() }
        }
    }

    private func read(_ oid: ObjectID, _ objects: ObjectDatabase) throws(StoreError) -> [TreeEntry]
    {
        let object = try objects.read(oid)
        guard object.kind == .tree else { throw StoreError(.invalid, "not a tree object") }
        do throws(ParseError) {
            return try TreeReader.entries(of: object.content, objects.format).reversed()
        } catch {
            throw StoreError("tree \(oid)", error)
        }
    }

    /// Whether `path` is one of ``paths``, lies in one, or is on the way to one.
    private func isWanted(_ path: ByteString) -> Bool {
        paths.isEmpty
            || paths.contains { wanted in
                let name = wanted.hasSuffix("/") ? wanted.dropLast(1) : wanted
                return wanted.isEmpty || path == name || path.hasPrefix(name + "/")
                    || wanted.hasPrefix(path + "/")
            }
    }

    private func enters(_ directory: ByteString) -> Bool {
        isRecursive || paths.contains { $0.hasPrefix(directory + "/") }
    }
}
