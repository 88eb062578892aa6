internal import CZlib
internal import GitCore

/// Writes entries that are made anew.
final class ObjectWriter {
    private let database: ObjectDatabase
    private let deflater: Deflater
    private let level: Int32

    init(_ database: ObjectDatabase, _ request: PackRequest) {
        self.database = database
        level = request.compressionLevel
        deflater = Deflater(level: level)
    }

    /// Writes the entry of an object in full.
    ///
    /// What is written anew is held against its name: an index that is damaged may lead to an entry that is
    /// whole, and another object's.
    ///
    /// - Throws: ``StoreError/Code/corrupt`` where it is another object.
    func write(_ oid: ObjectID, to output: PackOutput) throws(StoreError) {
        try StoredObject(oid, in: database).content { content in
            var hasher = PlainHasher(oid.format)
            hasher.update(Array("\(content.kind.name) \(content.size)\0".utf8))
            let header = PackEntryHeader.encode(content.kind, size: content.size)
            if content.size <= Pack.largeSize {
                try content.forEachPiece { piece in
                    hasher.update(piece)
                    try Self.expect(oid, hasher.finalize())
                    try output.write(header)
                    try output.write(try deflater.deflate(piece))
                }
            } else {
                try output.write(header)
                let stream = try DeflateStream(level: level)
                try content.forEachPiece { piece in
                    hasher.update(piece)
                    try stream.deflate(piece, output.write)
                }
                try stream.finish(output.write)
                try Self.expect(oid, hasher.finalize())
            }
        }
    }

    private static func expect(_ oid: ObjectID, _ found: ObjectID) throws(StoreError) {
        guard found == oid else {
            throw StoreError(.corrupt, "where object \(oid) should be is object \(found)")
        }
    }

    /// A delta that was found before and not kept.
    func remake(_ delta: NewDelta, _ oid: ObjectID) throws(StoreError) -> [UInt8] {
        let base = try database.read(delta.baseOID)
        let target = try database.read(oid)
        let index = DeltaIndex(base.content)
        let bytes = index.delta(to: DeltaTarget(target.content), limit: .max)
        guard let bytes, bytes.count == delta.size else {
            throw StoreError(.corrupt, "object \(oid) changed while it was packed")
        }
        return try bytes.span.withUnsafeBytes { bytes throws(StoreError) in
            try deflater.deflate(bytes)
        }
    }
}

/// Deflates piece by piece, with zlib: for what cannot be held in memory.
private final class DeflateStream {
    private var stream = z_stream()
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)

    init(level: Int32) throws(StoreError) {
        let size = Int32(MemoryLayout<z_stream>.size)
        guard deflateInit_(&stream, min(level, 9), ZLIB_VERSION, size) == Z_OK else {
            throw StoreError(.system, "no memory to deflate")
        }
    }

    deinit {
        deflateEnd(&stream)
        room.deallocate()
    }

    func deflate(
        _ bytes: UnsafeRawBufferPointer, _ body: PackOutput.Sink
    ) throws(StoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // avail_in has 32 bits.
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            try run(part, Z_NO_FLUSH, body)
            rest = rest.dropFirst(part.count)
        }
    }

    func finish(_ body: PackOutput.Sink) throws(StoreError) {
        try run(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH, body)
    }

    private func run(
        _ input: UnsafeRawBufferPointer, _ flush: Int32, _ body: PackOutput.Sink
    ) throws(StoreError) {
        // SAFETY: zlib reads next_in and writes next_out within the counts given here, both of them
        // only during these calls.
        stream.next_in = UnsafeMutablePointer(
            mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(input.count)
        repeat {
            stream.next_out = room.bindMemory(to: UInt8.self).baseAddress
            stream.avail_out = UInt32(room.count)
            guard CZlib.deflate(&stream, flush) != Z_STREAM_ERROR else {
                throw StoreError(.system, "zlib cannot deflate")
            }
            let count = room.count - Int(stream.avail_out)
            if count > 0 { try body(UnsafeRawBufferPointer(rebasing: room[..<count])) }
        } while stream.avail_out == 0
    }
}
