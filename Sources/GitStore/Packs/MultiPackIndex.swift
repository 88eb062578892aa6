// An index of many packs, objects/pack/multi-pack-index (gitformat-pack, "multi-pack-index (MIDX)
// files"), all numbers big-endian:
//
//     "MIDX"
//     1 byte    version, 1 or 2; they differ only in the order of the packs
//     1 byte    hash function: 1 for SHA-1, 2 for SHA-256
//     1 byte    number of chunks, c
//     1 byte    number of base files, 0
//     4 bytes   number of packs, p
//     (c + 1) × (4 + 8)   chunk id, where the chunk begins; the last id is 0 and says where they end
//     chunks, in any order:
//         PNAM  p names of .idx files, a NUL after each, NULs to a multiple of four bytes
//         OIDF  256 × 4: fan-out
//         OIDL  n × 20 or 32: the ids, sorted
//         OOFF  n × (4 + 4): number of the pack, offset in it; where there is a LOFF, bit 31 and a row
//               of that
//         LOFF  m × 8: offsets of 2^31 and more
//         others, which are passed over
//     20 or 32 bytes    hash of all that comes before

internal import GitCore

/// An index of many packs, mapped: of each object, one pack that has it and where in that.
///
/// Checked like ``PackIndexFile``: tables when it is opened, each number when it is used.
final class MultiPackIndex: Sendable {
    let oids: ObjectIDTable
    /// The packs' file names without `.idx`, by their numbers.
    let packNames: [ByteString]
    private let file: MappedFile
    private let places: Range<Int>
    private let largeOffsets: Range<Int>?

    private static let headerLength = 12
    private static let chunkLength = 12

    init(_ path: ByteString, _ format: ObjectFormat) throws(StoreError) {
        file = try MappedFile(path)
        do throws(ParseError) {
            (oids, packNames, places, largeOffsets) = try Self.parse(file, format)
        } catch {
            throw StoreError("multi-pack-index '\(path)'", error)
        }
    }

    // MARK: Parsing

    private static func parse(
        _ file: MappedFile, _ format: ObjectFormat
    ) throws(ParseError) -> (ObjectIDTable, [ByteString], Range<Int>, Range<Int>?) {
        var cursor = ByteCursor(file.bytes)
        let counts = try readHeader(&cursor, format)
        let chunks = try readChunks(&cursor, counts.chunks, end: file.count - format.byteCount)
        let names = try readNames(file.bytes, try required("PNAM", chunks), counts.packs)
        let oids = try table(file, format, chunks)
        let places = try required("OOFF", chunks, size: oids.count * 8)
        return (oids, names, places, chunks[id("LOFF")])
    }

    @_lifetime(cursor: copy cursor)
    private static func readHeader(
        _ cursor: inout ByteCursor, _ format: ObjectFormat
    ) throws(ParseError) -> (chunks: Int, packs: Int) {
        guard cursor.skip("MIDX") else { throw ParseError("no MIDX signature", at: 0) }
        let version = try cursor.readByte()
        guard version == 1 || version == 2 else {
            throw ParseError("unsupported version \(version)", at: 4)
        }
        guard try cursor.readByte() == (format == .sha1 ? 1 : 2) else {
            throw ParseError("it is for another hash function", at: 5)
        }
        let chunks = Int(try cursor.readByte())
        guard try cursor.readByte() == 0 else { throw ParseError("it builds on others", at: 7) }
        return (chunks, Int(try cursor.readUInt32()))
    }

    /// Where each chunk is; all of them lie behind this table and before `end`.
    @_lifetime(cursor: copy cursor)
    private static func readChunks(
        _ cursor: inout ByteCursor, _ count: Int, end: Int
    ) throws(ParseError) -> [UInt32: Range<Int>] {
        var chunks: [UInt32: Range<Int>] = [:]
        var (id, start) = (0 as UInt32, headerLength + (count + 1) * chunkLength)
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
        return chunks
    }

    private static func id(_ name: StaticString) -> UInt32 {
        name.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    private static func required(
        _ name: StaticString, _ chunks: [UInt32: Range<Int>], size: Int? = nil
    ) throws(ParseError) -> Range<Int> {
        guard let chunk = chunks[id(name)] else { throw ParseError("no chunk \(name)", at: 0) }
        guard size == nil || chunk.count == size else {
            throw ParseError("chunk \(name) has a wrong size", at: chunk.lowerBound)
        }
        return chunk
    }

    private static func readNames(
        _ bytes: Span<UInt8>, _ chunk: Range<Int>, _ count: Int
    ) throws(ParseError) -> [ByteString] {
        var cursor = ByteCursor(bytes.extracting(chunk))
        var names: [ByteString] = []
        for _ in 0 ..< count {
            let at = chunk.lowerBound + cursor.offset
            let name = ByteString(try cursor.read(until: 0))
            guard name.hasSuffix(".idx"), !name.bytes.contains(0x2f) else {
                throw ParseError("wrong name of a pack", at: at)
            }
            names.append(name.dropLast(4))
        }
        return names
    }

    private static func table(
        _ file: MappedFile, _ format: ObjectFormat, _ chunks: [UInt32: Range<Int>]
    ) throws(ParseError) -> ObjectIDTable {
        let fanOut = try required("OIDF", chunks, size: ObjectIDTable.fanOutLength)
        var cursor = ByteCursor(file.bytes.extracting(fanOut))
        let count = try ObjectIDTable.readCount(&cursor)
        let rows = try required("OIDL", chunks, size: count * format.byteCount)
        return ObjectIDTable(
            file, format, count: count, fanOut: fanOut.lowerBound, start: rows.lowerBound,
            stride: format.byteCount)
    }

    // MARK: Looking up

    /// The number of the pack that the row's object is in, and where its entry begins there.
    func place(row: Int) throws(StoreError) -> (pack: Int, offset: UInt64) {
        let start = places.lowerBound + row * 8
        let pack = Int(file.number(at: start))
        guard pack < packNames.count else { throw fault("pack \(pack) is none of it", row) }
        return (pack, try offset(file.number(at: start + 4), row))
    }

    private func offset(_ small: UInt32, _ row: Int) throws(StoreError) -> UInt64 {
        guard let largeOffsets, small & 1 << 31 != 0 else { return UInt64(small) }
        let index = Int(small & ~(1 << 31))
        guard index < largeOffsets.count / 8 else { throw fault("offset outside its table", row) }
        return file.largeNumber(at: largeOffsets.lowerBound + index * 8)
    }

    private func fault(_ reason: String, _ row: Int) -> StoreError {
        StoreError("multi-pack-index '\(file.path)'", ParseError(reason, at: row))
    }
}
