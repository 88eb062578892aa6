// Version 1 of a pack's index (gitformat-pack, "Original (version 1) pack-*.idx files"), all numbers
// big-endian; that of version 2 stands in PackIndexWriter.swift:
//
//     256 × 4 bytes    fan-out: how many ids have a first byte up to this one
//     n × (4 + 20 or 32)   offset in the pack, then the id; sorted by id
//     20 or 32 bytes   trailer of the pack
//     20 or 32 bytes   hash of all that comes before

internal import GitCore

/// A pack's index, mapped.
///
/// The file is hostile like any other: its size, signature and fan-out are checked when it is opened,
/// every offset when it is used, its hash when ``verify()`` is called.
final class PackIndexFile: Sendable {
    let format: ObjectFormat
    let oids: ObjectIDTable
    private let file: MappedFile
    /// Where the tables beside the ids are.
    private let columns: Columns

    private enum Columns {
        /// The offset stands in front of each id.
        case version1
        case version2(crcs: Int, offsets: Int, large: Int, largeCount: Int)
    }

    private static let headerLength = 8
    private static let signature: UInt32 = 0xff74_4f63

    init(_ path: ByteString, _ format: ObjectFormat) throws(StoreError) {
        self.format = format
        file = try MappedFile(path)
        do throws(ParseError) {
            (oids, columns) = try Self.parse(file, format)
        } catch {
            throw StoreError("pack index '\(path)'", error)
        }
    }

    private static func parse(
        _ file: MappedFile, _ format: ObjectFormat
    ) throws(ParseError) -> (ObjectIDTable, Columns) {
        var cursor = ByteCursor(file.bytes)
        let isOriginal = try cursor.readUInt32() != signature
        if isOriginal {
            cursor = ByteCursor(file.bytes)
        } else {
            let version = try cursor.readUInt32()
            guard version == 2 else { throw ParseError("unsupported version \(version)", at: 4) }
        }
        let count = try ObjectIDTable.readCount(&cursor)
        let width = format.byteCount
        let start = cursor.offset
        let rest = file.count - start - 2 * width - count * (width + (isOriginal ? 4 : 8))
        let large = isOriginal ? 0 : rest / 8
        guard rest >= 0, rest == large * 8, large <= count else {
            throw ParseError("size does not fit \(count) objects", at: file.count)
        }
        if isOriginal {
            let table = ObjectIDTable(
                file, format, count: count, fanOut: 0, start: start + 4, stride: width + 4)
            return (table, .version1)
        }
        let table = ObjectIDTable(
            file, format, count: count, fanOut: headerLength, start: start, stride: width)
        let crcs = start + count * width
        let offsets = crcs + count * 4
        return (
            table,
            .version2(crcs: crcs, offsets: offsets, large: offsets + count * 4, largeCount: large)
        )
    }

    var count: Int { oids.count }

    func oid(row: Int) -> ObjectID { oids.oid(row: row) }

    /// The row of an id.
    func row(of oid: ObjectID) -> Int? { oids.row(of: oid) }

    /// CRC-32 of the row's entry; nil in an index of version 1.
    func crc(row: Int) -> UInt32? {
        guard case .version2(let crcs, _, _, _) = columns else { return nil }
        return file.number(at: crcs + row * 4)
    }

    /// Where the row's entry begins in the pack.
    func offset(row: Int) throws(StoreError) -> UInt64 {
        guard case .version2(_, let offsets, let large, let largeCount) = columns else {
            let start = ObjectIDTable.fanOutLength + row * (format.byteCount + 4)
            return UInt64(file.number(at: start))
        }
        let small = file.number(at: offsets + row * 4)
        guard small & 1 << 31 != 0 else { return UInt64(small) }
        let index = Int(small & ~(1 << 31))
        guard index < largeCount else {
            throw StoreError(
                "pack index '\(file.path)'", ParseError("offset outside its table", at: row))
        }
        return file.largeNumber(at: large + index * 8)
    }

    /// Where the entries begin, in pack order, with their rows.
    func rowsInPackOrder() throws(StoreError) -> [PackedRow] {
        var order: [PackedRow] = []
        order.reserveCapacity(count)
        for row in 0 ..< count {
            order.append(PackedRow(offset: try offset(row: row), row: UInt32(row)))
        }
        return PackedRow.sorted(order)
    }

    /// The trailer of the pack that it is for.
    var packTrailer: ObjectID { oid(at: file.count - 2 * format.byteCount) }

    private func oid(at offset: Int) -> ObjectID {
        ObjectID(raw: UnsafeRawBufferPointer(rebasing: allBytes[offset...]), format)
    }

    /// Checks the file's own hash and the order of its ids.
    func verify() throws(StoreError) {
        try verifyChecksum()
        if let row = oids.firstFault() {
            throw StoreError(
                "pack index '\(file.path)'", ParseError("ids are not sorted", at: row))
        }
    }

    /// Checks the file's own hash.
    func verifyChecksum() throws(StoreError) {
        let end = file.count - format.byteCount
        var hasher = PlainHasher(format)
        hasher.update(UnsafeRawBufferPointer(rebasing: allBytes[..<end]))
        guard hasher.finalize() == oid(at: end) else {
            throw StoreError("pack index '\(file.path)'", ParseError("its hash is wrong", at: end))
        }
    }

    /// The whole file, to compare.
    var allBytes: UnsafeRawBufferPointer { file.unsafeBytes }
}
