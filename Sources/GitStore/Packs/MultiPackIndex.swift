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
//         RIDX  n × 4: rows, in the order that the bits of bitmaps have: by pack, one that is preferred
//               first, then by offset
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
    /// Where the RIDX chunk is.
    private let bitOrder: Range<Int>?
    let format: ObjectFormat
    let openBitmaps = Lazily<BitmapIndex?>()

    init(_ path: ByteString, _ format: ObjectFormat) throws(StoreError) {
        self.format = format
        file = try MappedFile(path)
        do throws(ParseError) {
            (oids, packNames, places, largeOffsets, bitOrder) = try Self.parse(file, format)
        } catch {
            throw StoreError("multi-pack-index '\(path)'", error)
        }
    }

    var path: ByteString { file.path }

    /// The whole file, to compare.
    var allBytes: UnsafeRawBufferPointer { file.unsafeBytes }

    /// The hash at its end.
    var checksum: ObjectID {
        let end = file.count - format.byteCount
        return ObjectID(raw: UnsafeRawBufferPointer(rebasing: file.unsafeBytes[end...]), format)
    }

    /// Checks the file's own hash.
    func verifyChecksum() throws(StoreError) {
        var hasher = PlainHasher(format)
        hasher.update(UnsafeRawBufferPointer(rebasing: file.unsafeBytes.dropLast(format.byteCount)))
        guard hasher.finalize() == checksum else {
            throw StoreError(
                "multi-pack-index '\(file.path)'",
                ParseError("its hash is wrong", at: file.count - format.byteCount))
        }
    }

    // MARK: Parsing

    private static func parse(
        _ file: MappedFile, _ format: ObjectFormat
    ) throws(ParseError) -> (ObjectIDTable, [ByteString], Range<Int>, Range<Int>?, Range<Int>?) {
        var cursor = ByteCursor(file.bytes)
        let counts = try readHeader(&cursor, format)
        let chunks = try ChunkTable(
            reading: &cursor, count: counts.chunks, end: file.count - format.byteCount)
        let names = try readNames(file.bytes, try chunks.required("PNAM"), counts.packs)
        let oids = try chunks.oids(of: file, format)
        let places = try chunks.required("OOFF", size: oids.count * 8)
        var bitOrder = chunks["RIDX"]
        if let chunk = bitOrder, chunk.count != oids.count * 4 { bitOrder = nil }
        return (oids, names, places, chunks["LOFF"], bitOrder)
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

    // MARK: Looking up

    /// The number of the pack that the row's object is in, and where its entry begins there.
    func place(row: Int) throws(StoreError) -> (pack: Int, offset: UInt64) {
        let start = places.lowerBound + row * 8
        let pack = Int(file.number(at: start))
        guard pack < packNames.count else { throw fault("pack \(pack) is none of it", row) }
        return (pack, try offset(file.number(at: start + 4), row))
    }

    /// The rows in the order of the bits of bitmaps; nil where the file does not say that.
    func rowsInBitOrder() throws(StoreError) -> [UInt32]? {
        guard let bitOrder else { return nil }
        var rows: [UInt32] = []
        rows.reserveCapacity(oids.count)
        for bit in 0 ..< oids.count {
            let row = file.number(at: bitOrder.lowerBound + bit * 4)
            guard row < oids.count else { throw fault("row outside the index", bit) }
            rows.append(row)
        }
        return rows
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
