// Which objects some commits reach, in a file beside a pack (`pack-<hash>.bitmap`) or a
// multi-pack-index (`multi-pack-index-<hash>.bitmap`); gitformat-bitmap, all numbers big-endian:
//
//     "BITM"
//     2 bytes   version, 1
//     2 bytes   flags: 1, all that an object leads to is there too; 4, with hashes of names; 16, with a
//               table to look commits up
//     4 bytes   number of entries, e
//     20 or 32 bytes    hash of the pack or of the multi-pack-index
//     4 bitmaps         which objects are commits, trees, blobs, tags (EWAH.swift)
//     e entries, each
//         4 bytes   row of the commit in the index
//         1 byte    x: the bitmap is to be added, without carry, to that of the xth entry before
//         1 byte    flags
//         bitmap    the objects that the commit reaches
//     e × (4 + 8 + 4)   the table, where there is one; not used here
//     n × 4             hashes of the objects' paths, by their rows in the index, where there are any
//     20 or 32 bytes    hash of all that comes before
//
// The bits of a bitmap stand for the objects in the order of the pack, or the one that the
// multi-pack-index's RIDX chunk gives.

internal import GitCore
import Synchronization

/// A file of bitmaps, mapped. It is checked whole when it is opened, and its bitmaps when they are used.
final class BitmapFile: Sendable {
    /// How many objects there are.
    let count: Int
    private let file: MappedFile
    private let entries: [Entry]
    /// The entry of a commit, by its row.
    private let entryOfRow: [UInt32: UInt32]
    private let types: [EWAH]
    /// Where the hashes of names begin.
    private let nameHashes: Int?
    private let recent = Mutex(Recent())

    private struct Entry {
        let row: UInt32
        /// 0 for none.
        let base: UInt8
        let bitmap: EWAH
    }

    private static let isClosed: UInt16 = 1
    private static let hasNameHashes: UInt16 = 4
    /// The farthest entry that one may be built on.
    private static let farthestBase = 160

    /// - Parameters:
    ///   - count: of objects in the pack or multi-pack-index.
    ///   - checksum: the trailer of the pack or the hash of the multi-pack-index.
    init(
        _ path: ByteString, count: Int, checksum: ObjectID
    ) throws(StoreError) {
        file = try MappedFile(path)
        self.count = count
        let parts: Parts
        do throws(ParseError) {
            parts = try Self.parse(file, count, checksum)
        } catch {
            throw StoreError("bitmap index '\(path)'", error)
        }
        types = parts.types
        entries = parts.entries
        nameHashes = parts.nameHashes
        entryOfRow = parts.entryOfRow
    }

    private struct Parts {
        var types: [EWAH] = []
        var entries: [Entry] = []
        var entryOfRow: [UInt32: UInt32] = [:]
        var nameHashes: Int?
    }

    private static func parse(
        _ file: MappedFile, _ count: Int, _ checksum: ObjectID
    ) throws(ParseError) -> Parts {
        let width = checksum.format.byteCount
        let end = file.count - width
        var cursor = ByteCursor(file.bytes)
        guard cursor.skip("BITM") else { throw ParseError("no BITM signature", at: 0) }
        let version = try cursor.readUInt16()
        guard version == 1 else { throw ParseError("unsupported version \(version)", at: 4) }
        let flags = try cursor.readUInt16()
        guard flags & isClosed != 0 else { throw ParseError("not closed", at: 6) }
        let entryCount = Int(try cursor.readUInt32())
        guard try cursor.readObjectID(checksum.format) == checksum else {
            throw ParseError("it is for another pack", at: 12)
        }
        guard end >= cursor.offset else { throw ParseError("unexpected end", at: file.count) }
        try checkHash(file, end, checksum.format)
        var parts = Parts()
        for _ in 0 ..< 4 { parts.types.append(try EWAH(reading: &cursor)) }
        // An entry has at least 18 bytes.
        guard entryCount <= cursor.remaining / 18 else {
            throw ParseError("more entries than fit", at: 8)
        }
        parts.entries.reserveCapacity(entryCount)
        for number in 0 ..< entryCount {
            let entry = try readEntry(&cursor, number, count)
            parts.entryOfRow[entry.row] = UInt32(truncatingIfNeeded: number)
            parts.entries.append(entry)
        }
        if flags & hasNameHashes != 0 {
            let start = end - count * 4
            guard start >= cursor.offset else { throw ParseError("no name hashes", at: end) }
            // Git writes zeros for a multi-pack-index.
            let isUseful = file.unsafeBytes[start ..< end].contains { $0 != 0 }
            if isUseful { parts.nameHashes = start }
        }
        guard cursor.offset <= end else { throw ParseError("unexpected end", at: end) }
        return parts
    }

    @_lifetime(cursor: copy cursor)
    private static func readEntry(
        _ cursor: inout ByteCursor, _ number: Int, _ count: Int
    ) throws(ParseError) -> Entry {
        let at = cursor.offset
        let row = try cursor.readUInt32()
        guard Int(row) < count else { throw ParseError("commit outside the index", at: at) }
        let base = try cursor.readByte()
        guard Int(base) <= min(number, farthestBase) else {
            throw ParseError("base outside the entries", at: at + 4)
        }
        _ = try cursor.readByte()
        return Entry(row: row, base: base, bitmap: try EWAH(reading: &cursor))
    }

    private static func checkHash(
        _ file: MappedFile, _ end: Int, _ format: ObjectFormat
    ) throws(ParseError) {
        var hasher = PlainHasher(format)
        hasher.update(UnsafeRawBufferPointer(rebasing: file.unsafeBytes[..<end]))
        let trailer = ObjectID(
            raw: UnsafeRawBufferPointer(rebasing: file.unsafeBytes[end...]), format)
        guard hasher.finalize() == trailer else { throw ParseError("its hash is wrong", at: end) }
    }

    // MARK: What it says

    /// The objects of one kind.
    func objects(_ kind: ObjectKind) throws(StoreError) -> Bitmap {
        var bitmap = Bitmap(count: count)
        try add(types[Int(kind.rawValue) - 1], to: &bitmap)
        return bitmap
    }

    func hasEntry(row: Int) -> Bool { entryOfRow[UInt32(truncatingIfNeeded: row)] != nil }

    var entryCount: Int { entries.count }

    /// The hash of the path of an object, as ``PathHash`` makes it; 0 where that is not known.
    func nameHash(row: Int) -> UInt32 {
        guard let nameHashes, row < count else { return 0 }
        return file.number(at: nameHashes + row * 4)
    }

    var hasNameHashes: Bool { nameHashes != nil }

    /// What the commit of a row in the index reaches, itself included; nil where that is not here.
    func reached(row: Int) throws(StoreError) -> Bitmap? {
        guard let number = entryOfRow[UInt32(truncatingIfNeeded: row)] else { return nil }
        // From the entry down to one that stands alone, or that is at hand.
        var bitmap = Bitmap(count: count)
        var next = Int(number)
        while true {
            if let known = recent.withLock({ $0.bitmap(next) }) {
                bitmap.formSymmetricDifference(known)
                break
            }
            try add(entries[next].bitmap, to: &bitmap)
            guard entries[next].base > 0 else { break }
            next -= Int(entries[next].base)
        }
        recent.withLock { [bitmap] in $0.put(bitmap, Int(number)) }
        return bitmap
    }

    private func add(_ part: EWAH, to bitmap: inout Bitmap) throws(StoreError) {
        do throws(ParseError) { try part.symmetricDifference(into: &bitmap, file) } catch {
            throw StoreError("bitmap index '\(file.path)'", error)
        }
    }

    /// Bitmaps that were lately asked for.
    private struct Recent {
        private var bitmaps: [(number: Int, bitmap: Bitmap)] = []
        private static let most = 16

        func bitmap(_ number: Int) -> Bitmap? {
            bitmaps.first { $0.number == number }?.bitmap
        }

        mutating func put(_ bitmap: Bitmap, _ number: Int) {
            guard !bitmaps.contains(where: { $0.number == number }) else { return }
            if bitmaps.count == Self.most { bitmaps.removeFirst() }
            bitmaps.append((number, bitmap))
        }
    }
}
