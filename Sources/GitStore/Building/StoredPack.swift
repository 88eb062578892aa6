internal import GitCore

/// A pack of a selection, written to a temporary file of a `pack` directory, with what its index needs.
struct StoredPack {
    let pack: IndexedPack
    let summary: PackSummary
    /// The number of the object of each entry, in the order of the pack.
    private let numbers: [UInt32]
    private let selection: PackSelection

    /// Bytes of a pack that are read at a time.
    private static let batchSize = 1 << 18

    init(
        _ selection: PackSelection, _ assembler: PackAssembler, in directory: ByteString
    ) throws(StoreError) {
        self.selection = selection
        let file = try PackFile(temporaryIn: directory)
        let writer = assembler.writer(of: try assembler.prepare(selection)) {
            bytes throws(StoreError) in
            try file.append(bytes)
        }
        summary = try writer.run()
        guard let trailer = summary.trailer else {
            throw StoreError(.corrupt, "pack without a trailer")
        }
        let offsets = writer.offsets
        let entries = selection.chosen.map {
            PackedRow(offset: offsets[Int($0)], row: $0)
        }
        numbers = PackedRow.sorted(entries).map(\.row)
        let table = try Self.table(numbers, offsets, selection, file)
        pack = IndexedPack(
            file: file, table: table, trailer: trailer, addedBases: 0, links: nil)
    }

    /// Reads what was written, for its checksums.
    private static func table(
        _ numbers: [UInt32], _ offsets: [UInt64], _ selection: PackSelection, _ file: PackFile
    ) throws(StoreError) -> PackEntryTable {
        let objects = selection.objects
        var table = PackEntryTable(objects.format)
        table.reserve(numbers.count)
        let reader = try PackReader(file.path)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: batchSize, alignment: 64)
        defer { buffer.deallocate() }
        var (start, count) = (0 as UInt64, 0)
        for (place, number) in numbers.enumerated() {
            var position = offsets[Int(number)]
            let end =
                place + 1 < numbers.count
                ? offsets[Int(numbers[place + 1])] : file.end(objects.format)
            guard position > 0, end > position else {
                throw StoreError(.corrupt, "object \(objects.oid(Int(number))) was not written")
            }
            var crc: UInt32 = 0
            while position < end {
                if position >= start + UInt64(count) {
                    start = position
                    count = Int(min(UInt64(buffer.count), file.end(objects.format) - start))
                    try reader.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: start)
                }
                let part =
                    Int(position - start) ..< Int(min(end - start, UInt64(count)))
                crc = crc32(crc, UnsafeRawBufferPointer(rebasing: buffer[part]))
                position += UInt64(part.count)
            }
            table.append(
                whole: objects.kind(Int(number)) ?? .blob, objects.oid(Int(number)),
                offset: offsets[Int(number)], headerLength: 0, crc: crc)
        }
        table.close(at: file.end(objects.format))
        return table
    }

    /// The bytes of its file of bitmaps.
    ///
    /// - Parameter tips: numbers of commits that refs are at.
    /// - Throws: ``StoreError/Code/invalid`` where the pack does not hold all that its objects lead to.
    func bitmaps(tips: Set<Int>) throws(StoreError) -> [UInt8] {
        var rows = [UInt32](repeating: 0, count: numbers.count)
        for (row, position) in pack.order.enumerated() {
            rows[Int(position)] = UInt32(truncatingIfNeeded: row)
        }
        let objects = zip(rows, numbers).map { BitmapWriter.Object(row: $0, number: $1) }
        let kinds = numbers.map { selection.objects.kind(Int($0)) ?? .blob }
        return try BitmapWriter(selection, objects, kinds: kinds)
            .bytes(tips: tips, checksum: pack.trailer)
    }
}
