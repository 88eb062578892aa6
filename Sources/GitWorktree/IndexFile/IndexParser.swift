public import GitCore

// The index file (gitformat-index), numbers big-endian:
//
//     "DIRC", version (2, 3 or 4) in 4 bytes, number of entries in 4 bytes
//     the entries, sorted by path and stage, each
//         ctime, mtime                   2 × 4 bytes seconds, 4 bytes nanoseconds
//         device, inode, mode, uid, gid, size        6 × 4 bytes
//         object id                      20 or 32 bytes
//         flags, 2 bytes                 assume-valid 1 bit, extended 1, stage 2, path length 12
//         extended flags, 2 bytes        version 3 on, if `extended`: 1 bit unused, skip-worktree,
//                                        intent-to-add, 13 bits unused
//         version 2 and 3: path; 1 to 8 NULs, so that the entry's length is a multiple of 8
//         version 4: number of bytes to drop from the end of the path before, as the offset of an
//                    OFS_DELTA; the bytes to add in their place; NUL
//     extensions, each 4 bytes signature, 4 bytes length, content; the signature begins with a
//         capital letter unless a reader must understand it
//     hash of all before: SHA-1 or SHA-256; all zeros where `index.skipHash` is set

extension Index {
    /// Reads the content of an index file whose paths follow `rules`.
    public init(
        parsing content: Span<UInt8>, format: ObjectFormat, rules: PathRules = PathRules()
    ) throws(ParseError) {
        let end = content.count - format.byteCount
        guard end >= headerLength else { throw ParseError("index is too short", at: 0) }
        try verifyTrailer(content, at: end, format)
        var parser = IndexParser(content.extracting(0 ..< end), format, rules)
        self = try parser.parse()
    }
}

private let headerLength = 12

/// Bytes of an entry before its id.
let indexStatLength = 40

private func verifyTrailer(
    _ content: Span<UInt8>, at end: Int, _ format: ObjectFormat
) throws(ParseError) {
    let stored = ObjectID(raw: content.extracting(end ..< content.count), format)
    // index.skipHash: whoever wrote it left the hash out.
    if stored.isZero { return }
    var hasher = PlainHasher(format)
    content.extracting(0 ..< end).withUnsafeBytes { hasher.update($0) }
    guard hasher.finalize() == stored else {
        throw ParseError("index does not match its checksum", at: end)
    }
}

private struct IndexParser: ~Escapable {
    private var cursor: ByteCursor
    private let format: ObjectFormat
    private let rules: PathRules
    private var version: UInt32 = 0
    private var entries: [IndexEntry] = []

    @_lifetime(copy content)
    init(_ content: Span<UInt8>, _ format: ObjectFormat, _ rules: PathRules) {
        cursor = ByteCursor(content)
        self.format = format
        self.rules = rules
    }

    @_lifetime(self: copy self)
    mutating func parse() throws(ParseError) -> Index {
        guard cursor.skip("DIRC") else { throw ParseError("not an index: no DIRC", at: 0) }
        version = try cursor.readUInt32()
        guard (2 ... 4).contains(version) else {
            throw ParseError("index version \(version) is not supported", at: 4)
        }
        let count = Int(try cursor.readUInt32())
        // Two bytes of flags, and a path with its NUL or, in version 4, a number and a NUL.
        let leastLength = indexStatLength + format.byteCount + 4
        guard count <= cursor.remaining / leastLength, count <= WorktreeLimits.entries else {
            throw ParseError("index has no room for \(count) entries", at: 8)
        }
        entries.reserveCapacity(count)
        for _ in 0 ..< count { try appendEntry() }
        var index = Index(entries: entries, cacheTree: CacheTree(), format)
        while !cursor.isAtEnd { try readExtension(into: &index) }
        return index
    }

    @_lifetime(self: copy self)
    private mutating func appendEntry() throws(ParseError) {
        let start = cursor.offset
        let (stat, mode) = try readStat(at: start)
        let oid = try cursor.readObjectID(format)
        let flags = try cursor.readUInt16()
        var extended: UInt16 = 0
        if flags & 0x4000 != 0 {
            guard version >= 3 else { throw ParseError("extended flags in version 2", at: start) }
            extended = try cursor.readUInt16()
            guard extended & 0x9fff == 0 else {
                throw ParseError("unknown extended flags", at: start)
            }
        }
        let path =
            version == 4
            ? try readCompressedPath() : try readPaddedPath(length: flags & 0xfff, from: start)
        var entry = IndexEntry(path: path, mode: mode, oid: oid)
        entry.stage = UInt8(flags >> 12 & 3)
        entry.isAssumedValid = flags & 0x8000 != 0
        entry.isSkippingWorktree = extended & 0x4000 != 0
        entry.isIntentToAdd = extended & 0x2000 != 0
        entry.stat = stat
        try verify(entry, at: start)
        entries.append(entry)
    }

    @_lifetime(self: copy self)
    private mutating func readStat(at start: Int) throws(ParseError) -> (IndexStat, FileMode) {
        var stat = IndexStat()
        stat.ctimeSeconds = try cursor.readUInt32()
        stat.ctimeNanoseconds = try cursor.readUInt32()
        stat.mtimeSeconds = try cursor.readUInt32()
        stat.mtimeNanoseconds = try cursor.readUInt32()
        stat.device = try cursor.readUInt32()
        stat.inode = try cursor.readUInt32()
        let bits = try cursor.readUInt32()
        guard let mode = FileMode(lenient: bits), bits <= 0xffff, mode != .directory else {
            throw ParseError("mode \(String(bits, radix: 8)) is not one of a file", at: start)
        }
        stat.uid = try cursor.readUInt32()
        stat.gid = try cursor.readUInt32()
        stat.size = try cursor.readUInt32()
        return (stat, mode == .groupWritable ? .regular : mode)
    }

    @_lifetime(self: copy self)
    private mutating func readPaddedPath(
        length: UInt16, from start: Int
    ) throws(ParseError) -> ByteString {
        let path = ByteString(try cursor.read(until: 0))
        guard min(path.count, 0xfff) == Int(length) else {
            throw ParseError("path is not as long as its entry says", at: start)
        }
        // read(until:) took the first of the NULs.
        while (cursor.offset - start) % 8 != 0 {
            guard try cursor.readByte() == 0 else {
                throw ParseError("entry is not padded with NULs", at: start)
            }
        }
        return path
    }

    @_lifetime(self: copy self)
    private mutating func readCompressedPath() throws(ParseError) -> ByteString {
        let start = cursor.offset
        var byte = try cursor.readByte()
        var dropped = Int(byte & 0x7f)
        while byte & 0x80 != 0 {
            byte = try cursor.readByte()
            dropped = (dropped + 1) << 7 | Int(byte & 0x7f)
            guard dropped <= WorktreeLimits.pathLength else {
                throw ParseError("path drops more than the path before has", at: start)
            }
        }
        let before = entries.last?.path ?? ""
        guard dropped <= before.count else {
            throw ParseError("path drops more than the path before has", at: start)
        }
        let added = try cursor.read(until: 0)
        guard before.count - dropped + added.count <= WorktreeLimits.pathLength else {
            throw ParseError("path is too long", at: start)
        }
        return before.dropLast(dropped) + ByteString(added)
    }

    private func verify(_ entry: IndexEntry, at offset: Int) throws(ParseError) {
        if let fault = rules.fault(inPath: entry.path, isLink: entry.mode == .symbolicLink) {
            throw ParseError("invalid path '\(entry.path)': \(fault.reason)", at: offset)
        }
        guard let last = entries.last else { return }
        let order = compare(last.path, entry.path)
        guard order < 0 || (order == 0 && last.stage != 0 && last.stage < entry.stage) else {
            throw ParseError("entry '\(entry.path)' is out of order, or there twice", at: offset)
        }
    }

    @_lifetime(self: copy self)
    private mutating func readExtension(into index: inout Index) throws(ParseError) {
        let start = cursor.offset
        let signature = ByteString(try cursor.read(4))
        let length = Int(try cursor.readUInt32())
        let content = try cursor.read(length)
        switch signature {
        case "TREE":
            // The cached trees only save time: where they make no sense, they are left out.
            index.cacheTree = (try? CacheTree(parsing: content, format)) ?? CacheTree()
        case "REUC":
            index.resolveUndo = [UInt8](ByteString(content).bytes)
        default:
            // Optional: what Git makes anew when it needs it (untracked files, offsets of entries).
            guard signature.bytes.first.map({ (0x41 ... 0x5a).contains($0) }) == true else {
                throw ParseError(
                    "index extension '\(signature)' (a split or sparse index?) is not supported",
                    at: start)
            }
        }
    }
}
