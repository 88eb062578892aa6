// A tree's content: entries, one after the other, each
//
//     mode in octal ASCII, no leading zero   e.g. 100644
//     one space
//     name: bytes other than NUL and '/'
//     NUL
//     object id, 20 or 32 bytes, binary
//
// sorted by name, a directory's name compared as if it ended in '/'.

/// What an entry of a tree, or of the index, is.
public enum FileMode: UInt32, Sendable, CaseIterable {
    case directory = 0o040000
    case regular = 0o100644
    /// Written by early versions of Git; read as ``regular``.
    case groupWritable = 0o100664
    case executable = 0o100755
    case symbolicLink = 0o120000
    /// A commit of another repository: a submodule.
    case gitlink = 0o160000

    /// The kind of the object that such an entry names. A gitlink's is not in this repository.
    public var kind: ObjectKind {
        switch self {
        case .directory: .tree
        case .gitlink: .commit
        case .regular, .groupWritable, .executable, .symbolicLink: .blob
        }
    }

    /// In octal, without leading zeros, as a tree stores it.
    public var octal: String { String(rawValue, radix: 8) }
}

public struct TreeEntry: Hashable, Sendable {
    public let mode: FileMode
    public let name: ByteString
    public let oid: ObjectID

    public init(mode: FileMode, name: ByteString, oid: ObjectID) {
        self.mode = mode
        self.name = name
        self.oid = oid
    }

    /// Git's order of a tree's entries: by bytes, a directory's name ending in '/'.
    public static func precedes(_ a: TreeEntry, _ b: TreeEntry) -> Bool { a.sortKey < b.sortKey }

    private var sortKey: ByteString { mode == .directory ? name + "/" : name }
}

/// Reads a tree's entries one by one.
public struct TreeReader: ~Escapable {
    private var cursor: ByteCursor
    private let format: ObjectFormat

    @_lifetime(copy content)
    public init(_ content: Span<UInt8>, _ format: ObjectFormat) {
        cursor = ByteCursor(content)
        self.format = format
    }

    /// The next entry, or nil at the end.
    ///
    /// Only what would make the entry unreadable is refused here; what makes a name dangerous in a
    /// work tree is the business of the module that writes one.
    @_lifetime(self: copy self)
    public mutating func next() throws(ParseError) -> TreeEntry? {
        guard !cursor.isAtEnd else { return nil }
        let start = cursor.offset
        let mode = try readMode(at: start)
        let name = try cursor.read(until: 0)
        guard !name.isEmpty else { throw ParseError("empty file name in tree", at: start) }
        let nameBytes = ByteString(name)
        let oid = try cursor.readObjectID(format)
        return TreeEntry(mode: mode, name: nameBytes, oid: oid)
    }

    @_lifetime(self: copy self)
    private mutating func readMode(at start: Int) throws(ParseError) -> FileMode {
        let digits = try cursor.read(until: 0x20)
        guard (5 ... 6).contains(digits.count) else {
            throw ParseError("malformed mode in tree", at: start)
        }
        var value: UInt32 = 0
        for index in digits.indices {
            guard (0x30 ... 0x37).contains(digits[index]) else {
                throw ParseError("malformed mode in tree", at: start)
            }
            value = value << 3 | UInt32(digits[index] & 7)
        }
        guard let mode = FileMode(lenient: value) else {
            throw ParseError("unknown mode \(String(value, radix: 8)) in tree", at: start)
        }
        return mode
    }

    /// Every entry of `content`.
    public static func entries(
        of content: [UInt8], _ format: ObjectFormat
    ) throws(ParseError) -> [TreeEntry] {
        var reader = TreeReader(content.span, format)
        var entries: [TreeEntry] = []
        while let entry = try reader.next() { entries.append(entry) }
        return entries
    }
}

extension FileMode {
    /// The meaning of a mode as Git reads it: the type decides; of the permissions of a regular file,
    /// only whether its owner may execute it. nil where the type is none of Git's.
    public init?(lenient mode: UInt32) {
        switch mode & 0o170000 {
        case 0o040000: self = .directory
        case 0o100000:
            self = mode & 0o100 != 0 ? .executable : mode == 0o100664 ? .groupWritable : .regular
        case 0o120000: self = .symbolicLink
        case 0o160000: self = .gitlink
        default: return nil
        }
    }
}

/// The content of a tree with `entries`, sorted here.
public func encodeTree(_ entries: [TreeEntry]) -> [UInt8] {
    var out: [UInt8] = []
    for entry in entries.sorted(by: TreeEntry.precedes) {
        out += Array(entry.mode.octal.utf8)
        out.append(0x20)
        out += entry.name.bytes
        out.append(0)
        out += entry.oid.rawBytes
    }
    return out
}
