internal import GitCore

/// Puts a file of chunks together (ChunkTable.swift has the layout of its table): header, table, chunks,
/// hash of all.
struct ChunkFileWriter {
    private var chunks: [(id: UInt32, bytes: [UInt8])] = []

    /// Adds a chunk behind those that are there.
    mutating func add(_ name: StaticString, _ bytes: [UInt8]) {
        chunks.append((name.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt32($1) } }, bytes))
    }

    var count: Int { chunks.count }

    func bytes(header: [UInt8], _ format: ObjectFormat) -> [UInt8] {
        var bytes = header
        var offset = UInt64(header.count + (chunks.count + 1) * 12)
        bytes.reserveCapacity(chunks.reduce(Int(offset)) { $0 + $1.bytes.count } + 32)
        for chunk in chunks {
            bytes.append(bigEndian: chunk.id)
            bytes.append(bigEndian: offset)
            offset += UInt64(chunk.bytes.count)
        }
        bytes.append(bigEndian: 0 as UInt32)
        bytes.append(bigEndian: offset)
        for chunk in chunks { bytes += chunk.bytes }
        var hasher = PlainHasher(format)
        bytes.withUnsafeBytes { hasher.update($0) }
        return bytes + hasher.finalize().rawBytes
    }

    /// The chunk OIDF of ids that are sorted.
    static func fanOut(_ oids: [ObjectID]) -> [UInt8] {
        var totals = [UInt32](repeating: 0, count: 256)
        for oid in oids { totals[Int(oid.firstByte)] += 1 }
        var bytes: [UInt8] = []
        var total: UInt32 = 0
        for count in totals {
            total += count
            bytes.append(bigEndian: total)
        }
        return bytes
    }

    /// The chunk OIDL.
    static func lookup(_ oids: [ObjectID]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(oids.count * (oids.first?.format.byteCount ?? 0))
        for oid in oids { bytes += oid.rawBytes }
        return bytes
    }
}
