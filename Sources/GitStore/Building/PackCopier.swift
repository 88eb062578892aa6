internal import GitCore

/// Writes a ``PackShare``: entries as they are, in runs, each checked by the CRC of the index.
///
/// As long as nothing was left out, all entries are as far from one another as in the pack, and none is
/// looked into. Behind a gap the deltas on what is before it get other distances.
final class PackCopier {
    /// Entries that follow one another here and in the pack.
    private struct Run {
        let source: UInt64
        var end: UInt64
        let output: UInt64
    }

    private let share: PackShare
    private let output: PackOutput
    private let usesOffsetDeltas: Bool
    private let cancellation: CancellationFlag
    private var runs: [Run] = []
    /// Entries that are copied unseen, up to now: all from the first on.
    private var isUnbroken = true
    /// What waits in the buffer to be written.
    private var waiting = 0 ..< 0
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: batchSize, alignment: 64)

    /// Bytes of a pack that are read at a time: what stays in the processor's cache.
    private static let batchSize = 1 << 18
    /// Bytes that nobody wants and that are read with their neighbours.
    private static let largestGap: UInt64 = 1 << 13

    init(
        _ share: PackShare, _ output: PackOutput, usesOffsetDeltas: Bool,
        _ cancellation: CancellationFlag
    ) {
        self.share = share
        self.output = output
        self.usesOffsetDeltas = usesOffsetDeltas
        self.cancellation = cancellation
    }

    deinit { buffer.deallocate() }

    /// - Parameters:
    ///   - replace: writes an object whose entry cannot be used.
    ///   - tell: is told how many objects were written since the last time.
    func run(
        replace: (ObjectID) throws(StoreError) -> Void, tell: (Int) -> Void
    ) throws(StoreError) {
        isUnbroken = usesOffsetDeltas && output.count == UInt64(PackHeader.length)
        var next = share.wanted.first(from: 0)
        while let first = next {
            try cancellation.check()
            let (last, end, count) = stretch(from: first)
            let start = share.offset(first)
            if end >= start, end - start <= UInt64(buffer.count) {
                try copy(first ... last, start ..< end, replace)
            } else if try !copyAlone(first, end) {
                try self.replace(first, replace)
            }
            tell(count)
            next = share.wanted.first(from: last + 1)
        }
    }

    /// The last of the neighbours that are read together, where they end and how many they are.
    private func stretch(from first: Int) -> (last: Int, end: UInt64, count: Int) {
        let start = share.offset(first)
        var (last, end, count) = (first, share.end(first), 1)
        while last + 1 < share.order.count, let next = share.wanted.first(from: last + 1) {
            let nextEnd = share.end(next)
            guard share.offset(next) &- end <= Self.largestGap, nextEnd > end,
                nextEnd - start <= UInt64(buffer.count)
            else { break }
            (last, end, count) = (next, nextEnd, count + 1)
        }
        return (last, end, count)
    }

    private func copy(
        _ positions: ClosedRange<Int>, _ range: Range<UInt64>,
        _ replace: (ObjectID) throws(StoreError) -> Void
    ) throws(StoreError) {
        let start = range.lowerBound
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(range.count)])
        let isRead = try succeeds { () throws(StoreError) in
            try share.pack.reader().read(into: room, at: start)
        }
        let bytes = UnsafeRawBufferPointer(room)
        var next: Int? = positions.lowerBound
        while let position = next, position <= positions.upperBound {
            next = share.wanted.first(from: position + 1)
            let part = Int(share.offset(position) - start) ..< Int(share.end(position) - start)
            let entry = UnsafeRawBufferPointer(rebasing: bytes[part])
            if isRead, matches(position, crc32(0, entry)),
                let header = way(entry, position)
            {
                if let new = header.new {
                    try flush(bytes)
                    begin(position)
                    try output.write(new)
                    waiting = part.lowerBound + header.length ..< part.upperBound
                } else {
                    if waiting.upperBound != part.lowerBound || waiting.isEmpty {
                        try flush(bytes)
                        begin(position)
                        waiting = part
                    } else {
                        begin(position)
                        waiting = waiting.lowerBound ..< part.upperBound
                    }
                }
            } else {
                try flush(bytes)
                try self.replace(position, replace)
            }
        }
        try flush(bytes)
    }

    private func flush(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        if !waiting.isEmpty {
            try output.write(UnsafeRawBufferPointer(rebasing: bytes[waiting]))
        }
        waiting = 0 ..< 0
    }

    private func matches(_ position: Int, _ crc: UInt32) -> Bool {
        share.index.crc(row: Int(share.order[position].row)) == crc
    }

    private func replace(
        _ position: Int, _ body: (ObjectID) throws(StoreError) -> Void
    ) throws(StoreError) {
        try breakOff()
        let source = share.offset(position)
        runs.append(Run(source: source, end: source + 1, output: output.count))
        try body(share.oid(position))
    }

    /// From here on entries are not as far from the others as they were.
    private func breakOff() throws(StoreError) {
        isUnbroken = false
        try output.hash(copiedFrom: share.pack)
    }

    private var here: UInt64 { output.count + UInt64(waiting.count) }

    /// Notes where the entry is written.
    private func begin(_ position: Int) {
        let (source, here) = (share.offset(position), here)
        if let last = runs.last, last.end == source, last.output &+ (source &- last.source) == here
        {
            runs[runs.count - 1].end = share.end(position)
        } else {
            runs.append(Run(source: source, end: share.end(position), output: here))
        }
    }

    // MARK: Where entries are

    /// Where the entry that begins at `source` in the pack was written; nil for one that was not yet.
    private func place(_ source: UInt64) -> UInt64? {
        var run = runs.count - 1
        if run >= 0, runs[run].source > source {
            run = runs.partitionPoint { $0.source <= source } - 1
        }
        guard run >= 0, source < runs[run].end else { return nil }
        return runs[run].output + (source - runs[run].source)
    }

    /// Where the entry of an object was written; nil for one that is none of the share.
    func place(of oid: ObjectID) -> UInt64? {
        guard let position = share.position(of: oid), share.wanted.contains(position) else {
            return nil
        }
        return place(share.offset(position))
    }

    private struct Way {
        /// What the entry's header is replaced by; nil where it stays.
        let new: [UInt8]?
        /// Bytes of the header in the pack.
        let length: Int
    }

    /// How the entry goes out; nil where it cannot.
    private func way(_ entry: UnsafeRawBufferPointer, _ position: Int) -> Way? {
        let (source, here) = (share.offset(position), here)
        if isUnbroken {
            if here == source { return Way(new: nil, length: 0) }
            isUnbroken = false
        }
        guard let header = try? PackEntryHeader(parsing: entry, share.pack.format) else {
            return nil
        }
        guard case .distance(let distance) = header.base else {
            return Way(new: nil, length: header.length)
        }
        guard distance < source else { return nil }
        if usesOffsetDeltas, let base = place(source - distance), base < here {
            let new =
                here - base == distance
                ? nil : PackEntryHeader.encode(deltaAt: here - base, size: header.size)
            return Way(new: new, length: header.length)
        }
        // It is with the receiver, or comes later, or the receiver knows no distances.
        guard let base = share.position(at: source - distance, before: position) else { return nil }
        return Way(
            new: PackEntryHeader.encode(deltaOn: share.oid(base), size: header.size),
            length: header.length)
    }

    // MARK: Large entries

    /// Copies one entry of any size; false where it cannot be used.
    private func copyAlone(_ position: Int, _ end: UInt64) throws(StoreError) -> Bool {
        let start = share.offset(position)
        guard end > start else { return false }
        var crc: UInt32 = 0
        var front: [UInt8] = []
        let isRead = try succeeds { () throws(StoreError) in
            try forEachPiece(start ..< end) { piece throws(StoreError) in
                if front.isEmpty { front = Array(piece.prefix(PackEntryHeader.maximumLength)) }
                crc = crc32(crc, piece)
            }
        }
        guard isRead, matches(position, crc),
            let way = front.withUnsafeBytes({ way($0, position) })
        else { return false }
        begin(position)
        if let new = way.new { try output.write(new) }
        let body = way.new == nil ? start : start + UInt64(way.length)
        try forEachPiece(body ..< end) { piece throws(StoreError) in try output.write(piece) }
        return true
    }

    private func forEachPiece(
        _ range: Range<UInt64>, _ body: (UnsafeRawBufferPointer) throws(StoreError) -> Void
    ) throws(StoreError) {
        var position = range.lowerBound
        while position < range.upperBound {
            try cancellation.check()
            let count = Int(min(UInt64(buffer.count), range.upperBound - position))
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            try share.pack.reader().read(into: room, at: position)
            try body(UnsafeRawBufferPointer(room))
            position += UInt64(count)
        }
    }

    /// False where the pack is damaged or gone: other copies may do.
    private func succeeds(_ body: () throws(StoreError) -> Void) throws(StoreError) -> Bool {
        do throws(StoreError) {
            try body()
            return true
        } catch  where error.code == .corrupt || error.code == .notFound {
            return false
        }
    }
}
