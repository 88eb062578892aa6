public import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// One entry of a pack, as `verify-pack -v` tells of it.
public struct PackEntryReport: Hashable, Sendable {
    public let oid: ObjectID
    public let kind: ObjectKind
    /// Bytes of the content; of a delta, those of the delta.
    public let size: UInt64
    /// Bytes that the entry takes in the pack.
    public let packedSize: UInt64
    /// Where it begins, in bytes from the start of the pack.
    public let offset: UInt64
    /// How many deltas have to be applied for the object: 0 for one in full.
    public let depth: Int
    /// The object that it is a delta on.
    public let base: ObjectID?
}

/// Checks a pack and its index from the first byte to the last.
public struct PackVerifier: Sendable {
    private let base: ByteString
    private let format: ObjectFormat
    private let threads: Int

    /// Largest read, in bytes.
    private static let chunkSize = 1 << 20

    /// - Parameter base: the path of the pack without `.pack` or `.idx`.
    public init(
        _ base: ByteString, _ format: ObjectFormat, threads: Int = PackIndexer.Options().threads
    ) {
        self.base = base
        self.format = format
        self.threads = threads
    }

    /// Reads the pack, rebuilds every object, and holds the index against what was found; says what is
    /// in the pack, in its order.
    ///
    /// - Throws: ``StoreError/Code/corrupt`` for anything wrong; ``StoreError/Code/notFound``.
    public func verify() throws(StoreError) -> [PackEntryReport] {
        let index = try PackIndexFile(base + ".idx", format)
        try index.verify()
        let found = try rebuild()
        try compare(index, found)
        return try report(found)
    }

    private func rebuild() throws(StoreError) -> IndexedPack {
        var options = PackIndexer.Options()
        options.threads = threads
        options.findsMissingLinks = false
        let path = base + ".pack"
        let file = try File(path, O_RDONLY)
        let indexer = try PackIndexer(existing: path, format: format, options: options)
        let chunk = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.chunkSize, alignment: 16)
        defer { chunk.deallocate() }
        while true {
            let count = try file.read(into: chunk)
            if count == 0 { break }
            try indexer.append(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
        }
        return try indexer.finish()
    }

    private func compare(_ index: PackIndexFile, _ found: IndexedPack) throws(StoreError) {
        func fault(_ reason: String) -> StoreError {
            StoreError(.corrupt, "pack index '\(base).idx' does not match its pack: \(reason)")
        }
        guard index.packTrailer == found.trailer else { throw fault("it is for another") }
        guard index.count == found.objectCount else { throw fault("another number of objects") }
        for (row, place) in found.order.enumerated() {
            let place = Int(place)
            let oid = found.table.objectID(row: place)
            guard index.oid(row: row) == oid else { throw fault("object \(oid) is not in it") }
            guard try index.offset(row: row) == found.table.offsets[place] else {
                throw fault("wrong offset of object \(oid)")
            }
            guard index.crc(row: row) ?? found.table.crcs[place] == found.table.crcs[place] else {
                throw fault("wrong CRC of object \(oid)")
            }
        }
    }

    private func report(_ found: IndexedPack) throws(StoreError) -> [PackEntryReport] {
        let table = found.table
        let pack = try PackReader(base + ".pack")
        var reports: [PackEntryReport] = []
        reports.reserveCapacity(table.count)
        let bases = (0 ..< table.count).map { table.baseRow($0) }
        let depths = Self.depths(bases)
        for row in 0 ..< table.count {
            let offset = table.offsets[row]
            let bytes = try pack.read(Int(table.headerLengths[row]), at: offset)
            let header = bytes.withUnsafeBytes { bytes in
                Result { () throws(ParseError) in try PackEntryHeader(parsing: bytes, format) }
            }
            guard let kind = table.kind(row: row), let header = try? header.get() else {
                throw StoreError(.corrupt, "pack '\(base).pack' changed while it was read")
            }
            reports.append(
                PackEntryReport(
                    oid: table.objectID(row: row), kind: kind, size: header.size,
                    packedSize: table.offsets[row + 1] - offset, offset: offset,
                    depth: depths[row], base: bases[row].map { table.objectID(row: $0) }))
        }
        return reports
    }

    /// How far each row is from an object in full. A base may stand behind its delta.
    private static func depths(_ bases: [Int?]) -> [Int] {
        var depths = [Int?](repeating: nil, count: bases.count)
        for row in bases.indices {
            var chain: [Int] = []
            var next: Int? = row
            while let current = next, depths[current] == nil, chain.count <= bases.count {
                chain.append(current)
                next = bases[current]
            }
            var depth = next.flatMap { depths[$0] } ?? -1
            for current in chain.reversed() {
                depth += 1
                depths[current] = depth
            }
        }
        return depths.map { $0 ?? 0 }
    }
}
