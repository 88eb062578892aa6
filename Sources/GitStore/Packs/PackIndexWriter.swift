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
        let large = order.count { table.offsets[Int($0)] >= smallOffsetLimit }
        let size = 8 + 256 * 4 + order.count * (width + 8) + large * 8 + 2 * width
        return TableWriter.write(size) { out in
            out.append(0xff74_4f63 as UInt32)
            out.append(2 as UInt32)
            for total in fanOut() { out.append(total) }
            appendObjectIDs(&out)
            table.crcs.withUnsafeBufferPointer { crcs in
                for row in order { out.append(crcs[Int(row)]) }
            }
            appendOffsets(&out)
            finish(&out)
        }
    }

    func reverseIndex() -> [UInt8] {
        var positions = [UInt32](repeating: 0, count: order.count)
        for (position, row) in order.enumerated() { positions[Int(row)] = UInt32(position) }
        let size = 12 + order.count * 4 + 2 * table.format.byteCount
        return TableWriter.write(size) { out in
            out.append(0x5249_4458 as UInt32)
            out.append(1 as UInt32)
            out.append(table.format == .sha1 ? 1 : 2 as UInt32)
            for position in positions { out.append(position) }
            finish(&out)
        }
    }

    private func fanOut() -> [UInt32] {
        let width = table.format.byteCount
        var totals = [UInt32](repeating: 0, count: 256)
        let oids = table.oids.bytes
        for row in 0 ..< table.count { totals[Int(oids[row * width])] += 1 }
        for index in 1 ..< 256 { totals[index] += totals[index - 1] }
        return totals
    }

    private func appendObjectIDs(_ out: inout TableWriter) {
        let format = table.format
        for row in order {
            if let bytes = table.oids[Int(row)].baseAddress {
                out.append(RawObjectID(bytes, format), format)
            }
        }
    }

    private func appendOffsets(_ out: inout TableWriter) {
        var large: [UInt64] = []
        table.offsets.withUnsafeBufferPointer { offsets in
            for row in order {
                let offset = offsets[Int(row)]
                if offset < smallOffsetLimit {
                    out.append(UInt32(truncatingIfNeeded: offset))
                } else {
                    out.append(UInt32(truncatingIfNeeded: large.count) | 1 << 31)
                    large.append(offset)
                }
            }
        }
        for offset in large { out.append(offset) }
    }

    private func finish(_ out: inout TableWriter) {
        out.append(trailer)
        var hasher = PlainHasher(table.format)
        hasher.update(out.written)
        out.append(hasher.finalize())
    }
}

/// Writes tables of big-endian numbers into memory of the size that they will have.
private struct TableWriter {
    private let buffer: UnsafeMutableRawBufferPointer
    private var count = 0

    /// What `body` appends, `size` bytes and no more.
    static func write(_ size: Int, _ body: (inout TableWriter) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            var out = TableWriter(buffer: UnsafeMutableRawBufferPointer(buffer))
            body(&out)
            count = out.count
        }
    }

    private init(buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    var written: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    @inline(__always)
    mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        let size = MemoryLayout<Number>.size
        // SAFETY: the table that would not fit is a fault of this file's; it is then cut short.
        guard size <= buffer.count &- count, let base = buffer.baseAddress else { return }
        base.storeBytes(of: number.bigEndian, toByteOffset: count, as: Number.self)
        count &+= size
    }

    @inline(__always)
    mutating func append(_ id: RawObjectID, _ format: ObjectFormat) {
        guard format.byteCount <= buffer.count &- count, let base = buffer.baseAddress else {
            return
        }
        id.store(to: base + count, format)
        count &+= format.byteCount
    }

    mutating func append(_ oid: ObjectID) { for byte in oid.rawBytes { append(byte) } }
}
