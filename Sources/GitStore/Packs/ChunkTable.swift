// The table of contents of a file of chunks (gitformat-chunk), all numbers big-endian:
//
//     (c + 1) × (4 + 8)   chunk id, where the chunk begins in the file; the last id is 0 and says where
//                         the chunks end

internal import GitCore

/// Where the chunks of a file are: of an index of many packs, or a commit-graph.
struct ChunkTable {
    private let chunks: [UInt32: Range<Int>]

    private static let rowLength = 12

    /// Reads the table of `count` chunks; all of them lie behind it and before `end`.
    @_lifetime(cursor: copy cursor)
    init(reading cursor: inout ByteCursor, count: Int, end: Int) throws(ParseError) {
        var chunks: [UInt32: Range<Int>] = [:]
        var (id, start) = (0 as UInt32, cursor.offset + (count + 1) * Self.rowLength)
        for number in 0 ... count {
            let at = cursor.offset
            let nextID = try cursor.readUInt32()
            let offset = try cursor.readUInt64()
            guard offset <= UInt64(clamping: end), Int(offset) >= start else {
                throw ParseError("chunk outside the file", at: at)
            }
            guard (nextID == 0) == (number == count) else {
                throw ParseError("wrong number of chunks", at: at)
            }
            if number > 0, chunks.updateValue(start ..< Int(offset), forKey: id) != nil {
                throw ParseError("chunk is there twice", at: at)
            }
            (id, start) = (nextID, Int(offset))
        }
        self.chunks = chunks
    }

    /// Where a chunk is in the file; nil where there is none.
    subscript(name: StaticString) -> Range<Int>? {
        chunks[name.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt32($1) } }]
    }

    /// Where a chunk is that must be there, of `size` bytes where that is given.
    func required(_ name: StaticString, size: Int? = nil) throws(ParseError) -> Range<Int> {
        guard let chunk = self[name] else { throw ParseError("no chunk \(name)", at: 0) }
        guard size == nil || chunk.count == size else {
            throw ParseError("chunk \(name) has a wrong size", at: chunk.lowerBound)
        }
        return chunk
    }

    /// The ids in the chunks OIDF (256 × 4 bytes of fan-out) and OIDL (the ids, sorted).
    func oids(
        of file: MappedFile, _ format: ObjectFormat
    ) throws(ParseError) -> ObjectIDTable {
        let fanOut = try required("OIDF", size: ObjectIDTable.fanOutLength)
        var cursor = ByteCursor(file.bytes.extracting(fanOut))
        let count = try ObjectIDTable.readCount(&cursor)
        let rows = try required("OIDL", size: count * format.byteCount)
        return ObjectIDTable(
            file, format, count: count, fanOut: fanOut.lowerBound, start: rows.lowerBound,
            stride: format.byteCount)
    }
}
