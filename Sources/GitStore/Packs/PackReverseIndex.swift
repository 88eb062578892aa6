internal import GitCore

/// The order of a pack's entries, from the file beside it that has it (`.rev`; PackIndexWriter.swift has
/// the layout).
enum PackReverseIndex {
    private static let headerLength = 12

    /// Where the entries begin, in pack order, with their rows; nil where the file does not say that
    /// rightly: who needs it then sorts.
    static func rows(_ path: ByteString, for index: PackIndexFile) throws(StoreError)
        -> [PackedRow]?
    {
        guard FileSystem.exists(path) else { return nil }
        let file = try MappedFile(path)
        let width = index.format.byteCount
        guard file.count == headerLength + index.count * 4 + 2 * width,
            file.number(at: 0) == 0x5249_4458, file.number(at: 4) == 1,
            file.number(at: 8) == (index.format == .sha1 ? 1 : 2)
        else { return nil }
        var order: [PackedRow] = []
        order.reserveCapacity(index.count)
        var last: UInt64 = 0
        for position in 0 ..< index.count {
            let row = file.number(at: headerLength + position * 4)
            guard row < index.count else { return nil }
            let offset = try index.offset(row: Int(row))
            // As many offsets as rows, each higher than the one before: no row is there twice.
            guard position == 0 || offset > last else { return nil }
            order.append(PackedRow(offset: offset, row: row))
            last = offset
        }
        return order
    }
}
