internal import GitCore

/// A pack's index, mapped. Its layout stands in PackIndexWriter.swift.
///
/// The file is hostile like any other: its size, signature and fan-out are checked when it is opened,
/// every offset when it is used, its hash when ``verify()`` is called.
final class PackIndexFile: Sendable {
    let count: Int
    let format: ObjectFormat
    private let file: MappedFile
    private let path: ByteString
    private let largeCount: Int

    private static let headerLength = 8
    private static let fanOutLength = 1_024

    init(_ path: ByteString, _ format: ObjectFormat) throws(StoreError) {
        self.path = path
        self.format = format
        file = try MappedFile(path)
        (count, largeCount) = try Self.measure(file, format)
    }

    private static func measure(
        _ file: MappedFile, _ format: ObjectFormat
    ) throws(StoreError) -> (count: Int, largeCount: Int) {
        do throws(ParseError) {
            var cursor = ByteCursor(file.bytes)
            guard try cursor.readUInt32() == 0xff74_4f63 else {
                throw ParseError("no version 2 pack index", at: 0)
            }
            let version = try cursor.readUInt32()
            guard version == 2 else { throw ParseError("unsupported version \(version)", at: 4) }
            var last: UInt32 = 0
            for _ in 0 ..< 256 {
                let total = try cursor.readUInt32()
                guard total >= last else {
                    throw ParseError("fan-out table is not sorted", at: cursor.offset - 4)
                }
                last = total
            }
            let count = Int(last)
            let fixed =
                headerLength + fanOutLength + count * (format.byteCount + 8) + 2 * format.byteCount
            let rest = file.count - fixed
            guard rest >= 0, rest % 8 == 0, rest / 8 <= count else {
                throw ParseError("size does not fit \(count) objects", at: file.count)
            }
            return (count, rest / 8)
        } catch {
            throw StoreError("pack index '\(file.path)'", error)
        }
    }

    private var bytes: UnsafeRawBufferPointer { file.unsafeBytes }
    private var oidsStart: Int { Self.headerLength + Self.fanOutLength }
    private var crcsStart: Int { oidsStart + count * format.byteCount }
    private var offsetsStart: Int { crcsStart + count * 4 }
    private var largeStart: Int { offsetsStart + count * 4 }

    private func number(_ offset: Int) -> UInt32 {
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    func oid(row: Int) -> ObjectID {
        ObjectID(
            raw: UnsafeRawBufferPointer(rebasing: bytes[(oidsStart + row * format.byteCount)...]),
            format)
    }

    func crc(row: Int) -> UInt32 { number(crcsStart + row * 4) }

    /// Where the row's entry begins in the pack.
    func offset(row: Int) throws(StoreError) -> UInt64 {
        let small = number(offsetsStart + row * 4)
        guard small & 1 << 31 != 0 else { return UInt64(small) }
        let index = Int(small & ~(1 << 31))
        guard index < largeCount else {
            throw StoreError(
                "pack index '\(path)'", ParseError("offset outside its table", at: row))
        }
        let large = bytes.loadUnaligned(fromByteOffset: largeStart + index * 8, as: UInt64.self)
        return UInt64(bigEndian: large)
    }

    /// Where the entries begin, in pack order, with their rows.
    func rowsInPackOrder() throws(StoreError) -> [(offset: UInt64, row: Int)] {
        var order: [(offset: UInt64, row: Int)] = []
        order.reserveCapacity(count)
        for row in 0 ..< count { order.append((try offset(row: row), row)) }
        order.sort { $0.offset < $1.offset }
        return order
    }

    /// The row of an id.
    func row(of oid: ObjectID) -> Int? {
        let row = firstRow(notBefore: oid)
        return row < count && self.oid(row: row) == oid ? row : nil
    }

    /// The first row whose id is not lower than `oid`.
    func firstRow(notBefore oid: ObjectID) -> Int {
        let first = Int(oid.firstByte)
        let low = first == 0 ? 0 : Int(number(Self.headerLength + (first - 1) * 4))
        let high = Int(number(Self.headerLength + first * 4))
        return (low ..< high).partitionPoint { self.oid(row: $0) < oid }
    }

    /// The trailer of the pack that it is for.
    var packTrailer: ObjectID {
        let start = file.count - 2 * format.byteCount
        return ObjectID(raw: UnsafeRawBufferPointer(rebasing: bytes[start...]), format)
    }

    /// Checks the file's own hash and the order of its ids.
    func verify() throws(StoreError) {
        let end = file.count - format.byteCount
        var hasher = PlainHasher(format)
        hasher.update(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        guard
            hasher.finalize()
                == ObjectID(raw: UnsafeRawBufferPointer(rebasing: bytes[end...]), format)
        else {
            throw StoreError("pack index '\(path)'", ParseError("its hash is wrong", at: end))
        }
        for row in 1 ..< max(1, count) where oid(row: row) < oid(row: row - 1) {
            throw StoreError("pack index '\(path)'", ParseError("ids are not sorted", at: row))
        }
    }

    /// The whole file, to compare.
    var allBytes: UnsafeRawBufferPointer { bytes }
}

extension RandomAccessCollection where Index == Int {
    /// The first position at which `belongsBefore` is false, in a collection that it divides in two.
    func partitionPoint(_ belongsBefore: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if belongsBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
