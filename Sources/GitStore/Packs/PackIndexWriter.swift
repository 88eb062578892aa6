// A pack's index, version 2 (gitformat-pack, "Version 2 pack-*.idx files"), all numbers big-endian:
//
//     ff 74 4f 63, version 2 in 4 bytes
//     256 × 4 bytes    fan-out: how many ids have a first byte up to this one
//     n × 20 or 32     the ids, sorted
//     n × 4            CRC-32 of each entry's bytes in the pack
//     n × 4            offset in the pack, or bit 31 and a row of the next table
//     m × 8            offsets of 2^31 and more
//     20 or 32 bytes   trailer of the pack
//     20 or 32 bytes   hash of all that comes before
//
// Its reverse index (gitformat-pack, "pack-*.rev files"):
//
//     "RIDX", version 1 in 4 bytes, hash function (1 or 2) in 4 bytes
//     n × 4            for each entry in pack order, its row in the index
//     trailer of the pack, hash of all that comes before

internal import GitCore

/// Makes the files that go with a pack.
struct PackIndexWriter {
    let table: PackEntryTable
    /// Rows of `table` in the order of their ids.
    let order: [UInt32]
    let trailer: ObjectID
    /// Offsets from here on take eight bytes; no more than 2^31.
    var smallOffsetLimit: UInt64 = 1 << 31

    func index() -> [UInt8] {
        let width = table.format.byteCount
        var out = TableWriter(capacity: 1_032 + table.count * (width + 16) + 2 * width)
        out.append(bytes: [0xff, 0x74, 0x4f, 0x63])
        out.append(2 as UInt32)
        for total in fanOut() { out.append(total) }
        table.oids.withUnsafeBytes { oids in
            for row in order {
                out.append(
                    UnsafeRawBufferPointer(rebasing: oids[(Int(row) * width)...].prefix(width)))
            }
        }
        for row in order { out.append(table.crcs[Int(row)]) }
        appendOffsets(&out)
        return finish(&out)
    }

    func reverseIndex() -> [UInt8] {
        var out = TableWriter(capacity: 12 + table.count * 4 + 2 * table.format.byteCount)
        out.append(bytes: Array("RIDX".utf8))
        out.append(1 as UInt32)
        out.append(table.format == .sha1 ? 1 : 2 as UInt32)
        var positions = [UInt32](repeating: 0, count: order.count)
        for (position, row) in order.enumerated() { positions[Int(row)] = UInt32(position) }
        for position in positions { out.append(position) }
        return finish(&out)
    }

    private func fanOut() -> [UInt32] {
        var totals = [UInt32](repeating: 0, count: 256)
        for row in 0 ..< table.count { totals[Int(table.oids[row * table.format.byteCount])] += 1 }
        for index in 1 ..< 256 { totals[index] += totals[index - 1] }
        return totals
    }

    private func appendOffsets(_ out: inout TableWriter) {
        var large: [UInt64] = []
        for row in order {
            let offset = table.offsets[Int(row)]
            if offset < smallOffsetLimit {
                out.append(UInt32(offset))
            } else {
                out.append(UInt32(large.count) | 1 << 31)
                large.append(offset)
            }
        }
        for offset in large { out.append(offset) }
    }

    private func finish(_ out: inout TableWriter) -> [UInt8] {
        out.append(bytes: trailer.rawBytes)
        var hasher = PlainHasher(table.format)
        hasher.update(out.bytes)
        out.append(bytes: hasher.finalize().rawBytes)
        return out.bytes
    }
}

/// Bytes of tables of big-endian numbers.
private struct TableWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func append(bytes more: [UInt8]) { bytes += more }
    mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
