// A commit-graph, objects/info/commit-graph, or one layer of several (gitformat-commit-graph), all
// numbers big-endian:
//
//     "CGPH"
//     1 byte    version, 1
//     1 byte    hash function: 1 for SHA-1, 2 for SHA-256
//     1 byte    number of chunks
//     1 byte    number of layers below this one, b
//     the table of chunks (ChunkTable.swift), and the chunks, in any order:
//         OIDF  256 × 4: fan-out
//         OIDL  n × 20 or 32: ids of commits, sorted
//         CDAT  n × (20 or 32: id of the tree; 4: first parent; 4: second parent; 8: the generation
//               number in the upper 30 bits, the committer's time in the lower 34). A parent is a
//               position: that of its id, counted on from the layers below; 0x70000000 is none. As
//               second parent, bit 31 and a row of the EDGE chunk where there are more than two.
//         EDGE  m × 4: positions of the second and further parents; bit 31 marks the last of a commit
//         GDA2  n × 4: by how many seconds the corrected time is after the committer's; or bit 31 and a
//               row of the GDO2 chunk
//         GDO2  k × 8: such times that are larger
//         BASE  b × 20 or 32: the hashes of the layers below
//         others, which are passed over
//     20 or 32 bytes    hash of all that comes before

internal import GitCore

/// One file of a commit-graph, mapped. Checked when it is opened; each number when it is used.
final class CommitGraphFile: Sendable {
    let oids: ObjectIDTable
    /// The hashes of the layers below, lowest first.
    let bases: [ObjectID]
    private let file: MappedFile
    private let rows: Int
    private let edges: Range<Int>
    /// The chunks GDA2 and GDO2; nil where there are none.
    private let times: Range<Int>?
    private let largeTimes: Range<Int>
    private let format: ObjectFormat

    private static let none: UInt32 = 0x7000_0000
    private static let mark: UInt32 = 0x8000_0000

    init(_ path: ByteString, _ format: ObjectFormat) throws(StoreError) {
        file = try MappedFile(path)
        self.format = format
        do throws(ParseError) {
            (oids, rows, edges, bases, times, largeTimes) = try Self.parse(file, format)
        } catch {
            throw StoreError("commit-graph '\(path)'", error)
        }
    }

    private static func parse(
        _ file: MappedFile, _ format: ObjectFormat
    ) throws(ParseError) -> (
        ObjectIDTable, Int, Range<Int>, [ObjectID], Range<Int>?, Range<Int>
    ) {
        var cursor = ByteCursor(file.bytes)
        guard cursor.skip("CGPH") else { throw ParseError("no CGPH signature", at: 0) }
        let version = try cursor.readByte()
        guard version == 1 else { throw ParseError("unsupported version \(version)", at: 4) }
        guard try cursor.readByte() == (format == .sha1 ? 1 : 2) else {
            throw ParseError("it is for another hash function", at: 5)
        }
        let chunkCount = Int(try cursor.readByte())
        let baseCount = Int(try cursor.readByte())
        let chunks = try ChunkTable(
            reading: &cursor, count: chunkCount, end: file.count - format.byteCount)
        let oids = try chunks.oids(of: file, format)
        let rows = try chunks.required("CDAT", size: oids.count * (format.byteCount + 16))
        var bases: [ObjectID] = []
        if baseCount > 0 {
            let chunk = try chunks.required("BASE", size: baseCount * format.byteCount)
            var cursor = ByteCursor(file.bytes.extracting(chunk))
            for _ in 0 ..< baseCount { bases.append(try cursor.readObjectID(format)) }
        }
        let times =
            chunks["GDA2"] == nil ? nil : try chunks.required("GDA2", size: oids.count * 4)
        return (
            oids, rows.lowerBound, chunks["EDGE"] ?? 0 ..< 0, bases, times,
            chunks["GDO2"] ?? 0 ..< 0
        )
    }

    /// Appends the positions of a commit's parents to `parents`; says its tree and the time in seconds.
    ///
    /// - Parameter row: of its id in ``oids``.
    func commit(
        row: Int, appendingParentsTo parents: inout [UInt32]
    ) throws(StoreError) -> (tree: ObjectID, time: UInt64) {
        precondition(row >= 0 && row < oids.count)
        let start = rows + row * (format.byteCount + 16)
        let tree = ObjectID(
            raw: UnsafeRawBufferPointer(rebasing: file.unsafeBytes[start...]), format)
        let numbers = start + format.byteCount
        let (first, second) = (file.number(at: numbers), file.number(at: numbers + 4))
        if first != Self.none { parents.append(first) }
        if second & Self.mark != 0 {
            try appendEdges(from: second & ~Self.mark, row, &parents)
        } else if second != Self.none {
            parents.append(second)
        }
        return (tree, file.largeNumber(at: numbers + 8) & (1 << 34 - 1))
    }

    private func appendEdges(
        from first: UInt32, _ row: Int, _ parents: inout [UInt32]
    ) throws(StoreError) {
        var edge = Int(first)
        while true {
            guard edge < edges.count / 4 else {
                throw StoreError(
                    "commit-graph '\(file.path)'",
                    ParseError("parents outside their table", at: row))
            }
            let parent = file.number(at: edges.lowerBound + edge * 4)
            parents.append(parent & ~Self.mark)
            if parent & Self.mark != 0 { return }
            edge += 1
        }
    }

    // MARK: Generations

    /// One more than the highest level of the parents; 0 where the graph was made without.
    func level(row: Int) -> UInt32 {
        let numbers = rows + row * (format.byteCount + 16) + format.byteCount
        return file.number(at: numbers + 8) >> 2
    }

    var hasCorrectedTimes: Bool { times != nil }

    /// By how many seconds the corrected time is after the committer's; nil where that is not known.
    func correction(row: Int) throws(StoreError) -> UInt64? {
        guard let times else { return nil }
        let offset = file.number(at: times.lowerBound + row * 4)
        guard offset & Self.mark != 0 else { return UInt64(offset) }
        let large = Int(offset & ~Self.mark)
        guard large < largeTimes.count / 8 else {
            throw StoreError(
                "commit-graph '\(file.path)'", ParseError("time outside its table", at: row))
        }
        return file.largeNumber(at: largeTimes.lowerBound + large * 8)
    }

    /// Whether the hash at its end is right.
    var hasRightChecksum: Bool {
        let end = file.count - format.byteCount
        var hasher = PlainHasher(format)
        hasher.update(UnsafeRawBufferPointer(rebasing: file.unsafeBytes[..<end]))
        return hasher.finalize()
            == ObjectID(raw: UnsafeRawBufferPointer(rebasing: file.unsafeBytes[end...]), format)
    }
}
