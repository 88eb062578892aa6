internal import GitCore

/// A sorted table of ids under its fan-out table, in a mapped file: what an index of a pack and an index
/// of many packs have in common.
///
///     256 × 4 bytes    fan-out: how many ids have a first byte up to this one
///     rows of `stride` bytes, each with an id at its front or further in
struct ObjectIDTable: Sendable {
    let format: ObjectFormat
    /// How many ids there are.
    let count: Int
    private let file: MappedFile
    private let fanOutStart: Int
    private let start: Int
    private let stride: Int

    static let fanOutLength = 1_024

    /// - Parameters:
    ///   - fanOut: where the fan-out table begins in `file`; ``readCount(_:)`` took it.
    ///   - start: where the first id begins.
    ///   - stride: bytes from one id to the next.
    /// - Precondition: the file has all rows.
    init(
        _ file: MappedFile, _ format: ObjectFormat, count: Int, fanOut: Int, start: Int, stride: Int
    ) {
        precondition(
            fanOut >= 0 && fanOut + Self.fanOutLength <= file.count && start >= 0 && count >= 0)
        precondition(
            count == 0 || start + (count - 1) * stride + format.byteCount <= file.count)
        self.format = format
        self.count = count
        self.file = file
        fanOutStart = fanOut
        self.start = start
        self.stride = stride
    }

    /// Reads a fan-out table, which must be sorted, and says how many ids there are.
    @_lifetime(cursor: copy cursor)
    static func readCount(_ cursor: inout ByteCursor) throws(ParseError) -> Int {
        var last: UInt32 = 0
        for _ in 0 ..< 256 {
            let total = try cursor.readUInt32()
            guard total >= last else {
                throw ParseError("fan-out table is not sorted", at: cursor.offset - 4)
            }
            last = total
        }
        return Int(last)
    }

    /// - Precondition: `row` is under ``count``.
    func oid(row: Int) -> ObjectID {
        precondition(row >= 0 && row < count)
        return ObjectID(
            raw: UnsafeRawBufferPointer(rebasing: file.unsafeBytes[(start + row * stride)...]),
            format)
    }

    /// The row of an id.
    func row(of oid: ObjectID) -> Int? {
        let row = firstRow(notBefore: oid)
        return row < count && self.oid(row: row) == oid ? row : nil
    }

    /// The first row whose id is not lower than `oid`.
    func firstRow(notBefore oid: ObjectID) -> Int {
        let first = Int(oid.firstByte)
        let start = first == 0 ? 0 : total(first - 1)
        let end = total(first)
        let prefix = oid.prefix
        // Ids are spread evenly: where it should be, the lines of the cache are few.
        var (low, high) = narrow(start, end, prefix)
        while low < high {
            let middle = low + (high - low) / 2
            let other = self.prefix(row: middle)
            // Few ids share their first eight bytes.
            let isBefore = other == prefix ? self.oid(row: middle) < oid : other < prefix
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Bounds, nearer than those given, for the first row that is not lower than `prefix`: looks from
    /// where it should be outwards, in steps that grow.
    private func narrow(_ start: Int, _ end: Int, _ prefix: UInt64) -> (low: Int, high: Int) {
        guard end - start > 16 else { return (start, end) }
        let share = (prefix << 8).multipliedFullWidth(by: UInt64(end - start)).high
        let guess = start + Int(truncatingIfNeeded: share)
        // Ids differ from an even spread by about the square root of their number.
        var step = 4
        var (low, high) = (start, end)
        let found = self.prefix(row: guess)
        if found < prefix {
            low = guess + 1
            while low + step < end {
                let found = self.prefix(row: low + step)
                // Of ids that share their first eight bytes, it may be any.
                if found == prefix { return (low, end) }
                if found > prefix { return (low, low + step) }
                low += step + 1
                step *= 2
            }
        } else if found > prefix {
            high = guess
            while high - step > start {
                let found = self.prefix(row: high - step)
                if found == prefix { return (start, high) }
                if found < prefix { return (high - step + 1, high) }
                high -= step
                step *= 2
            }
        }
        return (low, high)
    }

    /// The rows of the ids whose first byte is `first`.
    func rows(firstByte first: UInt8) -> Range<Int> {
        let low = first == 0 ? 0 : total(Int(first) - 1)
        return low ..< max(low, total(Int(first)))
    }

    private func total(_ first: Int) -> Int {
        min(count, Int(file.number(at: fanOutStart + first * 4)))
    }

    private func prefix(row: Int) -> UInt64 {
        // SAFETY: row is under count, and init found all rows inside the file.
        UInt64(
            bigEndian: file.unsafeBytes.loadUnaligned(
                fromByteOffset: start + row * stride, as: UInt64.self))
    }

    /// The first row whose id is not higher than the one before, or whose id the fan-out table does not
    /// lead to; nil where all is in order.
    func firstFault() -> Int? {
        for row in 0 ..< count {
            let oid = oid(row: row)
            guard rows(firstByte: oid.firstByte).contains(row) else { return row }
            if row > 0, self.oid(row: row - 1) > oid { return row }
        }
        return nil
    }
}

extension MappedFile {
    /// The four bytes at `offset` as a big-endian number.
    func number(at offset: Int) -> UInt32 {
        precondition(offset >= 0 && offset <= count - 4)
        return UInt32(bigEndian: unsafeBytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The eight bytes at `offset` as a big-endian number.
    func largeNumber(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= count - 8)
        return UInt64(bigEndian: unsafeBytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
