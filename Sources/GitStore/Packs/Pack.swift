internal import GitCore
import Synchronization

/// A pack with its index, to read objects from. Both are opened when they are first needed.
///
/// It is read by position and not mapped: a mapping of a large pack would fill this process's memory
/// with pages that were read once, and one that another process cuts short would kill it.
final class Pack: Sendable {
    /// The path of the `.pack` file.
    let path: ByteString
    /// Tells this pack from all others, gone ones too.
    let number: UInt64
    let format: ObjectFormat
    let limits = PackLimits()
    private let base: ByteString
    private let openPacks: OpenPacks

    private let openIndex = Lazily<PackIndexFile>()
    private let openEnd = Lazily<UInt64>()
    private let order = Lazily<[PackedRow]>()
    private let openPositions = Lazily<[UInt32]>()
    private let openBitmaps = Lazily<BitmapIndex?>()
    private let openKinds = Lazily<KindTable>()
    private static let lastNumber = Atomic<UInt64>(0)

    /// `<base>.pack` and `<base>.idx`.
    init(_ base: ByteString, _ format: ObjectFormat, _ openPacks: OpenPacks) {
        path = base + ".pack"
        number = Self.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        self.base = base
        self.format = format
        self.openPacks = openPacks
    }

    deinit { openPacks.close(number) }

    // MARK: Its files

    /// - Throws: ``StoreError/Code/corrupt`` where it is no index.
    func index() throws(StoreError) -> PackIndexFile {
        try openIndex.value { () throws(StoreError) in try PackIndexFile(base + ".idx", format) }
    }

    /// The file, open.
    func reader() throws(StoreError) -> PackReader { try openPacks.reader(number, path) }

    /// Where the trailer begins.
    ///
    /// - Throws: ``StoreError/Code/corrupt`` where the file is no pack, or not the one that its index is
    ///   for.
    func end() throws(StoreError) -> UInt64 {
        try openEnd.value { () throws(StoreError) in try check() }
    }

    private func check() throws(StoreError) -> UInt64 {
        let (index, reader) = (try index(), try reader())
        let size = try reader.size()
        let least = UInt64(PackHeader.length + format.byteCount)
        guard size >= least else {
            throw StoreError("pack '\(path)'", ParseError("unexpected end", at: size))
        }
        let end = size - UInt64(format.byteCount)
        let front = try reader.read(PackHeader.length, at: 0)
        do throws(ParseError) {
            guard Int(try PackHeader(parsing: front.span).entryCount) == index.count else {
                throw ParseError("its index is for another number of objects", at: 8)
            }
        } catch {
            throw StoreError("pack '\(path)'", error)
        }
        let trailer = try reader.read(format.byteCount, at: end)
        guard ObjectID(raw: trailer.span, format) == index.packTrailer else {
            throw StoreError(.corrupt, "pack '\(path)' does not match its index")
        }
        return end
    }

    /// What was found out of its objects' kinds.
    func kinds() throws(StoreError) -> KindTable {
        try openKinds.value { () throws(StoreError) in KindTable(count: try index().count) }
    }

    // MARK: Its order

    /// How many bytes each entry takes in the pack is known by where the next one begins.
    func rowsInPackOrder() throws(StoreError) -> [PackedRow] {
        try order.value { () throws(StoreError) in
            let index = try index()
            if let rows = try PackReverseIndex.rows(base + ".rev", for: index) { return rows }
            return try index.rowsInPackOrder()
        }
    }

    /// The position of each row in the order of the pack.
    func positions() throws(StoreError) -> [UInt32] {
        try openPositions.value { () throws(StoreError) in
            let order = try rowsInPackOrder()
            var positions = [UInt32](repeating: 0, count: order.count)
            for (position, entry) in order.enumerated() {
                positions[Int(entry.row)] = UInt32(truncatingIfNeeded: position)
            }
            return positions
        }
    }

    /// The bitmaps beside it; nil where there are none.
    func bitmaps() throws(StoreError) -> BitmapIndex? {
        try openBitmaps.value { () throws(StoreError) in
            let path = base + ".bitmap"
            return FileSystem.exists(path) ? try BitmapIndex(path, of: self) : nil
        }
    }

    /// Bytes that the entry at `offset` takes in the pack.
    func packedSize(at offset: UInt64) throws(StoreError) -> UInt64 {
        let (order, end) = (try rowsInPackOrder(), try end())
        let next = order.partitionPoint { $0.offset <= offset }
        return (next < order.count ? min(order[next].offset, end) : end) &- offset
    }

    /// The id of the entry at `offset`.
    func oid(at offset: UInt64) throws(StoreError) -> ObjectID? {
        let order = try rowsInPackOrder()
        let position = order.partitionPoint { $0.offset < offset }
        guard position < order.count, order[position].offset == offset else { return nil }
        return try index().oid(row: Int(order[position].row))
    }

    func fault(_ offset: UInt64, _ error: ParseError) -> StoreError {
        StoreError("pack '\(path)', entry at byte \(offset)", error)
    }
}

/// A value that is made when it is first asked for, and again where that failed.
struct Lazily<Value: Sendable>: ~Copyable, Sendable {
    private let made = Mutex<Value?>(nil)

    func value(_ make: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        try made.withLock { made throws(StoreError) in
            if let made { return made }
            let value = try make()
            made = value
            return value
        }
    }
}
