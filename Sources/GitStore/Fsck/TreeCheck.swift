import GitCore

// The layout of a tree is in GitCore/Tree.swift. Entries are read here without TreeReader: what it
// refuses or mends is what this looks for.

extension ObjectChecker {
    /// What is wrong with a tree, and the blobs in it whose content Git itself reads.
    func checkTree(_ content: [UInt8]) -> (faults: [ObjectFault], submodules: [ObjectID]) {
        var scan = TreeScan(isStrict: isStrict)
        var cursor = ByteCursor(content.span)
        while !cursor.isAtEnd {
            guard let entry = try? RawTreeEntry(reading: &cursor, format) else {
                scan.find(.error("badTree", "cannot be parsed as a tree"))
                break
            }
            scan.check(entry)
        }
        return (scan.orderedFaults, scan.submodules)
    }
}

/// An entry as it is written, its mode not interpreted.
struct RawTreeEntry {
    let mode: UInt32
    let isZeroPadded: Bool
    let name: ByteString
    let oid: ObjectID

    var isDirectory: Bool { mode & 0o170000 == 0o040000 }
    var isSymbolicLink: Bool { mode & 0o170000 == 0o120000 }

    init(reading cursor: inout ByteCursor, _ format: ObjectFormat) throws(ParseError) {
        let start = cursor.offset
        let digits = ByteString(try cursor.read(until: 0x20)).bytes
        guard !digits.isEmpty, digits.count <= 11,
            digits.allSatisfy({ (0x30 ... 0x37).contains($0) })
        else { throw ParseError("malformed mode in tree", at: start) }
        mode = digits.reduce(0) { $0 &<< 3 | UInt32($1 & 7) }
        isZeroPadded = digits[0] == 0x30
        name = ByteString(try cursor.read(until: 0))
        guard !name.isEmpty else { throw ParseError("empty file name in tree", at: start) }
        oid = try cursor.readObjectID(format)
    }
}

/// Looks at the entries of one tree in turn.
private struct TreeScan {
    let isStrict: Bool
    private(set) var submodules: [ObjectID] = []
    private var faults: [ObjectFault] = []
    private var previous: RawTreeEntry?
    /// Files whose name a directory further on may repeat: between `a` and `a/` stand `a-` and the
    /// like. Each is a prefix of the next.
    private var openFiles: [ByteString] = []

    init(isStrict: Bool) { self.isStrict = isStrict }

    /// Every kind of fault is told once.
    mutating func find(_ fault: ObjectFault) {
        if !faults.contains(where: { $0.id == fault.id }) { faults.append(fault) }
    }

    mutating func check(_ entry: RawTreeEntry) {
        checkName(entry)
        checkSpecialFile(entry)
        checkMode(entry)
        checkOrder(entry)
        previous = entry
    }

    private mutating func checkName(_ entry: RawTreeEntry) {
        if entry.oid.isZero { warn("nullSha1", "contains entries pointing to null sha1") }
        if entry.name.bytes.contains(0x2f) { warn("fullPathname", "contains full pathnames") }
        if entry.name == "." { warn("hasDot", "contains '.'") }
        if entry.name == ".." { warn("hasDotdot", "contains '..'") }
        // A backslash divides names on Windows.
        let names = entry.name.split(0x5c)
        if names.contains(where: { SpecialName.git.matches($0.bytes.span) }) {
            warn("hasDotgit", "contains '.git'")
        }
    }

    /// Files that Git reads from the work tree must not be links to elsewhere.
    private mutating func checkSpecialFile(_ entry: RawTreeEntry) {
        let name = entry.name.bytes.span
        if SpecialName.gitmodules.matches(name) {
            if entry.isSymbolicLink {
                find(.error("gitmodulesSymlink", ".gitmodules is a symbolic link"))
            } else {
                submodules.append(entry.oid)
            }
        }
        guard entry.isSymbolicLink else { return }
        if SpecialName.gitattributes.matches(name) {
            inform("gitattributesSymlink", ".gitattributes is a symlink")
        }
        if SpecialName.gitignore.matches(name) {
            inform("gitignoreSymlink", ".gitignore is a symlink")
        }
        if SpecialName.mailmap.matches(name) {
            inform("mailmapSymlink", ".mailmap is a symlink")
        }
    }

    private mutating func checkMode(_ entry: RawTreeEntry) {
        if entry.isZeroPadded { warn("zeroPaddedFilemode", "contains zero-padded file modes") }
        let isKnown = FileMode(rawValue: entry.mode) != nil
        if !isKnown || (isStrict && entry.mode == FileMode.groupWritable.rawValue) {
            inform("badFilemode", "contains bad file modes")
        }
    }

    private mutating func checkOrder(_ entry: RawTreeEntry) {
        while let file = openFiles.last, !entry.name.hasPrefix(file) { openFiles.removeLast() }
        if openFiles.last == entry.name {
            findDuplicate()
        } else if let previous {
            if previous.name == entry.name {
                findDuplicate()
            } else if !(Self.sortKey(previous) < Self.sortKey(entry)) {
                find(.error("treeNotSorted", "not properly sorted"))
            }
        }
        if !entry.isDirectory { openFiles.append(entry.name) }
    }

    private mutating func findDuplicate() {
        find(.error("duplicateEntries", "contains duplicate file entries"))
    }

    private static func sortKey(_ entry: RawTreeEntry) -> ByteString {
        entry.isDirectory ? entry.name + "/" : entry.name
    }

    private mutating func warn(_ id: String, _ message: String) {
        find(ObjectFault(.warning, id, message))
    }

    private mutating func inform(_ id: String, _ message: String) {
        find(ObjectFault(.info, id, message))
    }

    /// In the order in which Git tells them.
    var orderedFaults: [ObjectFault] {
        faults.sorted { Self.rank($0) < Self.rank($1) }
    }

    private static func rank(_ fault: ObjectFault) -> Int {
        order.firstIndex(of: fault.id) ?? -1
    }

    private static let order = [
        "badTree", "nullSha1", "fullPathname", "emptyName", "hasDot", "hasDotdot", "hasDotgit",
        "zeroPaddedFilemode", "badFilemode", "duplicateEntries", "treeNotSorted",
    ]
}
