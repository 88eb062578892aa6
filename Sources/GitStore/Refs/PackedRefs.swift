public import GitCore
import Synchronization

// packed-refs, many refs in one file (gitrepository-layout, "packed-refs"; git-pack-refs). Lines, each
// ended by LF:
//
//     # pack-refs with: <traits> LF        first line only, may be missing; each trait followed by a
//                                          space: peeled fully-peeled sorted
//     <hex oid> <name>                     a ref
//     ^<hex oid>                           what the tag of the line before peels to
//
// `sorted`: by name, bytewise. `peeled`: every tag under refs/tags/ that peels has its `^` line;
// `fully-peeled`: every tag anywhere has.

/// A ref as packed-refs holds it.
public struct PackedRef: Hashable, Sendable {
    public let name: RefName
    public let oid: ObjectID
    /// Where `oid` is a tag: the first object behind it that is none. It is believed by every reader,
    /// so it must come from the objects themselves.
    public let peeled: ObjectID?

    public init(name: RefName, oid: ObjectID, peeled: ObjectID?) {
        self.name = name
        self.oid = oid
        self.peeled = peeled
    }
}

/// The packed-refs file as it was at one moment. Looking one name up takes time logarithmic in its
/// size.
final class PackedRefs: Sendable {
    /// One ref's line or two.
    struct Record {
        let name: Range<Int>
        let oid: ObjectID
        let peeled: ObjectID?
        /// All of it, with the last LF.
        let range: Range<Int>
    }

    private enum Peeling { case unknown, tags, fully }

    private let file: MappedFile
    private let format: ObjectFormat
    private let start: Int
    private let peeling: Peeling
    /// Where the records begin, by name, if the file itself is in no order.
    private let order: [Int]?
    /// What listings have made of it.
    let listed = Mutex(PackedListing.none)

    init(_ path: ByteString, _ format: ObjectFormat) throws(StoreError) {
        let file = try MappedFile(path)
        self.file = file
        self.format = format
        var traits: Set<ByteString> = []
        var start = 0
        let bytes = file.bytes
        if bytes.count > 0, bytes[0] == 0x23 {
            var cursor = ByteCursor(bytes)
            guard cursor.skip("# pack-refs with:"), let line = try? cursor.read(until: 0x0a) else {
                throw StoreError(.corrupt, "'\(path)' has a malformed header")
            }
            traits = Set(ByteString(line).split(0x20))
            start = cursor.offset
        }
        self.start = start
        peeling =
            traits.contains("fully-peeled") ? .fully : traits.contains("peeled") ? .tags : .unknown
        order =
            traits.contains("sorted") ? nil : try Self.sortedStarts(bytes, start, format, path)
    }

    /// Whether what stands in the file tells all there is to know of what this ref peels to.
    func knowsPeeled(_ record: Record) -> Bool {
        record.peeled != nil || peeling == .fully
            || peeling == .tags && name(record).hasPrefix("refs/tags/")
    }

    func name(_ record: Record) -> ByteString {
        let file = file
        return ByteString(file.bytes.extracting(record.name))
    }

    func find(_ name: RefName) throws(StoreError) -> Record? {
        let file = file
        let place = try lowerBound(name.bytes)
        guard let record = try record(at: place),
            Self.compare(file.bytes, record.name, name.bytes) == 0
        else { return nil }
        return record
    }

    /// Calls `body` with every record whose name begins with `prefix`, in the order of names, until it
    /// says false.
    func forEach(
        prefix: ByteString, _ body: (Record) throws(StoreError) -> Bool
    ) throws(StoreError) {
        let file = file
        var place = try lowerBound(prefix)
        var previous: Range<Int>?
        while let record = try record(at: place) {
            let bytes = file.bytes
            guard Self.hasPrefix(bytes, record.name, prefix) else { return }
            if let previous {
                guard Self.compare(bytes, previous, record.name) < 0 else {
                    throw corrupt("refs twice, or not sorted though it says so", record.range)
                }
            }
            previous = record.name
            guard try body(record) else { return }
            place = order == nil ? record.range.upperBound : place + 1
        }
    }

    /// The whole file without these refs; nil if it has none of them.
    func removing(_ names: Set<ByteString>) throws(StoreError) -> [UInt8]? {
        let file = file
        let bytes = file.bytes
        var kept: [UInt8] = ByteString(bytes.extracting(0 ..< start)).bytes
        var offset = start
        var hasRemoved = false
        while offset < bytes.count {
            let record = try Self.record(bytes, offset, format, file.path)
            if names.contains(name(record)) {
                hasRemoved = true
            } else {
                bytes.extracting(record.range).withUnsafeBufferPointer { kept += $0 }
            }
            offset = record.range.upperBound
        }
        return hasRemoved ? kept : nil
    }

    // MARK: Places: offsets in the file, or positions in `order`

    private func record(at place: Int) throws(StoreError) -> Record? {
        let file = file
        let bytes = file.bytes
        guard let order else {
            guard place < bytes.count else { return nil }
            return try Self.record(bytes, place, format, file.path)
        }
        guard place < order.count else { return nil }
        return try Self.record(bytes, order[place], format, file.path)
    }

    /// The place of the first record whose name is not below `name`.
    private func lowerBound(_ name: ByteString) throws(StoreError) -> Int {
        let file = file
        let bytes = file.bytes
        var low = order == nil ? start : 0
        var high = order?.count ?? bytes.count
        while low < high {
            let middle = low + (high - low) / 2
            let place = order == nil ? lineStart(middle, from: low) : middle
            guard let record = try record(at: place) else { return high }
            if Self.compare(bytes, record.name, name) < 0 {
                low = order == nil ? record.range.upperBound : place + 1
            } else {
                high = place
            }
        }
        return low
    }

    /// Where the record that `offset` is in begins.
    private func lineStart(_ offset: Int, from low: Int) -> Int {
        let file = file
        let bytes = file.bytes
        var place = offset
        while place > low, bytes[place - 1] != 0x0a || bytes[place] == 0x5e { place -= 1 }
        return place
    }

    private static func sortedStarts(
        _ bytes: Span<UInt8>, _ start: Int, _ format: ObjectFormat, _ path: ByteString
    ) throws(StoreError) -> [Int] {
        var named: [(name: ByteString, start: Int)] = []
        var offset = start
        while offset < bytes.count {
            let record = try record(bytes, offset, format, path)
            named.append((ByteString(bytes.extracting(record.name)), offset))
            offset = record.range.upperBound
        }
        return named.sorted { $0.name < $1.name }.map(\.start)
    }

    // MARK: Bytes

    private static func record(
        _ bytes: Span<UInt8>, _ offset: Int, _ format: ObjectFormat, _ path: ByteString
    ) throws(StoreError) -> Record {
        do throws(ParseError) {
            var cursor = ByteCursor(bytes.extracting(offset...))
            let oid = try cursor.readHexObjectID(format)
            guard cursor.skip(" ") else {
                throw ParseError("no space after an object id", at: cursor.offset)
            }
            let nameStart = cursor.offset
            _ = try cursor.read(until: 0x0a)
            let name = offset + nameStart ..< offset + cursor.offset - 1
            guard !name.isEmpty else { throw ParseError("ref without a name", at: nameStart) }
            var peeled: ObjectID?
            if cursor.skip("^") {
                peeled = try cursor.readHexObjectID(format)
                guard cursor.skip("\n") else {
                    throw ParseError("no line end after an object id", at: cursor.offset)
                }
            }
            return Record(
                name: name, oid: oid, peeled: peeled, range: offset ..< offset + cursor.offset)
        } catch {
            throw StoreError(
                "'\(path)'", ParseError(error.reason, at: error.offset + UInt64(offset)))
        }
    }

    private func corrupt(_ reason: String, _ range: Range<Int>) -> StoreError {
        StoreError("'\(file.path)'", ParseError(reason, at: range.lowerBound))
    }

    private static func hasPrefix(
        _ bytes: Span<UInt8>, _ name: Range<Int>, _ prefix: ByteString
    ) -> Bool {
        guard name.count >= prefix.count else { return false }
        let range = name.lowerBound ..< name.lowerBound + prefix.count
        return compare(bytes, range, prefix) == 0
    }

    /// Below, equal or above, as a number below, at or above zero.
    private static func compare(
        _ bytes: Span<UInt8>, _ name: Range<Int>, _ other: ByteString
    ) -> Int {
        let count = min(name.count, other.count)
        for index in 0 ..< count {
            let difference = Int(bytes[name.lowerBound + index]) - Int(other.bytes[index])
            if difference != 0 { return difference }
        }
        return name.count - other.count
    }

    private static func compare(_ bytes: Span<UInt8>, _ a: Range<Int>, _ b: Range<Int>) -> Int {
        for index in 0 ..< min(a.count, b.count) {
            let difference = Int(bytes[a.lowerBound + index]) - Int(bytes[b.lowerBound + index])
            if difference != 0 { return difference }
        }
        return a.count - b.count
    }
}
