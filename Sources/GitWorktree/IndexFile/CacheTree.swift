public import GitCore

// The TREE extension: one record a directory, in preorder, the root first; the subdirectories of one
// in order of their names' length, then of their bytes:
//
//     name of the directory within its parent, empty for the root; NUL
//     number of index entries in it and below, ASCII decimal, or "-1": not known
//     one space
//     number of its subdirectories that have records, ASCII decimal
//     LF
//     id of the tree, 20 or 32 bytes, binary; missing where the number of entries is -1

/// Which trees are known to be made of which runs of an index's entries, so that they need not be
/// computed again.
public struct CacheTree: Hashable, Sendable {
    /// A tree that holds `entryCount` entries of the index.
    struct Known: Hashable, Sendable {
        let entryCount: Int
        let oid: ObjectID
    }

    /// By directory; the root's path is empty. nil: there is such a directory, its tree is not known.
    private var directories: [ByteString: Known?] = [:]

    init() {}

    /// Whether nothing at all is known.
    var isEmpty: Bool { directories.isEmpty }

    /// The tree of `directory`, where it is known.
    public func tree(of directory: ByteString) -> ObjectID? { known(directory)?.oid }

    /// Every tree that is known, in the order of their directories.
    public var trees: [ObjectID] {
        directories.sorted { $0.key < $1.key }.compactMap { $0.value?.oid }
    }

    func known(_ directory: ByteString) -> Known? { directories[directory] ?? nil }

    mutating func note(_ directory: ByteString, _ known: Known?) {
        directories.updateValue(known, forKey: directory)
    }

    /// Forgets the trees that `path` is in.
    mutating func invalidate(_ path: ByteString) {
        guard !directories.isEmpty else { return }
        directories.removeValue(forKey: path)
        note("", nil)
        for slash in path.bytes.indices where path.bytes[slash] == 0x2f {
            let directory = ByteString(path.bytes[..<slash])
            if directories.index(forKey: directory) != nil { note(directory, nil) }
        }
    }
}

extension CacheTree {
    /// Reads the extension's content.
    init(parsing content: Span<UInt8>, _ format: ObjectFormat) throws(ParseError) {
        var cursor = ByteCursor(content)
        // Directories whose subdirectories are being read, and how many are still to come.
        var open: [(path: ByteString, left: Int)] = []
        repeat {
            let start = cursor.offset
            let name = ByteString(try cursor.read(until: 0))
            guard name.isEmpty == open.isEmpty else {
                throw ParseError("bad directory name in cached trees", at: start)
            }
            let path = (open.last?.path ?? "") / name
            let entryCount = try cursor.readDecimal(until: 0x20)
            guard let subtrees = try cursor.readDecimal(until: 0x0a),
                subtrees <= cursor.remaining, open.count < WorktreeLimits.depth,
                path.count <= WorktreeLimits.pathLength
            else { throw ParseError("bad number of cached trees", at: start) }
            var known: Known?
            if let entryCount {
                known = Known(entryCount: entryCount, oid: try cursor.readObjectID(format))
            }
            note(path, known)
            if let parent = open.indices.last { open[parent].left -= 1 }
            open.append((path, subtrees))
            while let last = open.last, last.left == 0 { open.removeLast() }
        } while !open.isEmpty
        guard cursor.isAtEnd else {
            throw ParseError("bytes after the cached trees", at: cursor.offset)
        }
    }

    /// The extension's content, in Git's order.
    func serialized() -> [UInt8] {
        var subdirectories: [ByteString: [ByteString]] = [:]
        for path in directories.keys where !path.isEmpty {
            subdirectories[parent(of: path), default: []].append(path)
        }
        var out: [UInt8] = []
        var pending: [ByteString] = [""]
        while let path = pending.popLast() {
            // Within one parent the order of the paths is that of the names.
            let children = (subdirectories[path] ?? []).sorted { a, b in
                a.count != b.count ? a.count < b.count : compare(a, b) < 0
            }
            appendRecord(path, subtrees: children.count, to: &out)
            pending += children.reversed()
        }
        return out
    }

    private func appendRecord(_ path: ByteString, subtrees: Int, to out: inout [UInt8]) {
        let known = known(path)
        out += lastComponent(of: path).bytes
        out.append(0)
        out += Array("\(known?.entryCount ?? -1) \(subtrees)\n".utf8)
        if let known { out += known.oid.rawBytes }
    }
}

extension ByteCursor {
    /// A decimal number of at most nine digits and the byte after it, `terminator`; nil for "-1".
    @_lifetime(self: copy self)
    fileprivate mutating func readDecimal(until terminator: UInt8) throws(ParseError) -> Int? {
        let start = offset
        let digits = try read(until: terminator)
        if digits.count == 2, digits[0] == 0x2d, digits[1] == 0x31 { return nil }
        guard (1 ... 9).contains(digits.count) else { throw ParseError("bad number", at: start) }
        var value = 0
        for index in digits.indices {
            guard (0x30 ... 0x39).contains(digits[index]) else {
                throw ParseError("bad number", at: start)
            }
            value = value * 10 + Int(digits[index] & 15)
        }
        return value
    }
}

/// `a/b` of `a/b/c`; empty for one component.
func parent(of path: ByteString) -> ByteString {
    ByteString(path.bytes[..<(path.bytes.lastIndex(of: 0x2f) ?? 0)])
}

/// `c` of `a/b/c`.
func lastComponent(of path: ByteString) -> ByteString {
    guard let slash = path.bytes.lastIndex(of: 0x2f) else { return path }
    return ByteString(path.bytes[(slash + 1)...])
}
