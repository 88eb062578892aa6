// What a sparse checkout holds, as a blob says it (git-sparse-checkout, "FULL PATTERN SET"; gitignore,
// "PATTERN FORMAT"): lines that end in LF or CR LF, the last one perhaps in nothing, of
//
//     # …          a comment
//     <pattern>    what it matches is held
//     !<pattern>   what it matches is not held
//
//     <pattern>/   matches directories only
//     a/b, /a      with a slash before the end: matches a path from the top
//     a            else: matches a name at any depth
//
// The last line that matches counts; where none does, what counts for the directory. Spaces at the end of
// a line are cut off unless a backslash is before them. A byte order mark at the beginning is passed over.

public import GitCore

/// Which files a sparse checkout holds. Two are equal if they are of one blob.
public struct SparsePatterns: Sendable, Hashable {
    struct Pattern: Sendable {
        let isNegative: Bool
        let meansDirectories: Bool
        let wild: WildPattern
    }

    /// The blob that holds the patterns.
    public let blob: ObjectID
    /// Those that match names, and those that match paths, each by the number of its line.
    private(set) var names: [(line: Int, pattern: Pattern)] = []
    private(set) var paths: [(line: Int, pattern: Pattern)] = []

    /// Bytes of the blob.
    static let largestBlob: UInt64 = 1 << 20
    static let mostPatterns = 1 << 14
    /// Bytes of a line.
    static let longestPattern = 4_096

    /// Reads the patterns.
    ///
    /// - Throws: ``StoreError/Code/notFound``; ``StoreError/Code/invalid`` where it is no blob, or too
    ///   large.
    public init(blob: ObjectID, in database: ObjectDatabase) throws(StoreError) {
        let (kind, size) = try database.header(blob)
        guard kind == .blob else {
            throw StoreError(.invalid, "sparse patterns in \(blob), which is a \(kind.name)")
        }
        guard size <= Self.largestBlob else {
            throw StoreError(
                .invalid, "sparse patterns in \(blob) are more than \(Self.largestBlob) bytes")
        }
        try self.init(parsing: ByteString(try database.read(blob).content), blob: blob)
    }

    init(parsing text: ByteString, blob: ObjectID) throws(StoreError) {
        self.blob = blob
        var rest = text.bytes[...]
        if rest.starts(with: [0xef, 0xbb, 0xbf]) { rest = rest.dropFirst(3) }
        var number = 0
        while !rest.isEmpty {
            var line = rest.prefix { $0 != 0x0a }
            rest = rest[line.endIndex...].dropFirst()
            number += 1
            guard let first = line.first, first != 0x23 else { continue }
            if line.last == 0x0d { line.removeLast() }
            try add(line.prefix { $0 != 0 }, number)
        }
    }

    /// The patterns that a filter names are not there, or not for who asks.
    public static func inaccessible(_ name: ByteString) -> StoreError {
        StoreError(.invalid, "unable to access sparse blob in '\(name)'")
    }

    private mutating func add(_ line: ArraySlice<UInt8>, _ number: Int) throws(StoreError) {
        guard line.count <= Self.longestPattern, names.count + paths.count < Self.mostPatterns
        else {
            throw StoreError(
                .invalid,
                "sparse patterns in \(blob) are more than \(Self.mostPatterns), or one is longer "
                    + "than \(Self.longestPattern) bytes")
        }
        var text = Self.trimmed(line)
        let isNegative = text.first == 0x21
        if isNegative { text = text.dropFirst() }
        let meansDirectories = text.last == 0x2f
        if meansDirectories { text.removeLast() }
        let isPath = text.contains(0x2f)
        if text.first == 0x2f { text = text.dropFirst() }
        let pattern = Pattern(
            isNegative: isNegative, meansDirectories: meansDirectories, wild: WildPattern(text))
        if isPath { paths.append((number, pattern)) } else { names.append((number, pattern)) }
    }

    /// Without spaces at the end.
    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var end = line.startIndex
        var isEscaped = false
        for index in line.indices {
            if line[index] != 0x20 || isEscaped { end = index + 1 }
            isEscaped = line[index] == 0x5c && !isEscaped
        }
        return line[..<end]
    }

    public static func == (one: SparsePatterns, other: SparsePatterns) -> Bool {
        one.blob == other.blob
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(blob) }
}
