internal import GitCore

/// The first pass over a pack: takes it in as it arrives, finds each entry, hashes whole objects on
/// other threads, notes deltas, and verifies the trailer.
///
/// Entries of ordinary size are inflated by libdeflate once surely all their bytes are there; larger
/// ones, and any that do not inflate so, go through zlib piece by piece.
final class PackStreamParser {
    private(set) var table: PackEntryTable
    private(set) var deltas: DeltaStore
    private(set) var trailer: ObjectID?
    /// Bytes of the pack up to its trailer.
    private(set) var end: UInt64 = 0

    private let format: ObjectFormat
    private let limits: PackLimits
    private let hashes: HashQueue
    private let progress: PackProgress
    private var state = State.header
    private var expectedCount = 0
    /// What the streams that came so far inflate to, together.
    private(set) var inflatedTotal: UInt64 = 0

    // What has arrived and is not yet consumed: window[start..<filled], where window[start] is byte
    // `position` of the pack. window[hashed..<start] awaits the trailer's hash.
    private var window: UnsafeMutableRawBufferPointer
    private var (hashed, start, filled) = (0, 0, 0)
    private var position: UInt64 = 0
    private var packHash: PlainHasher

    private var batch = HashQueue.Batch()
    private let inflater = Inflater()
    private var scratch: [UInt8] = []

    private enum State {
        case header
        case entry
        case streaming(StreamedEntry)
        case trailer
        case end
    }

    /// Objects up to this size are inflated in one piece, in bytes.
    static let wholeLimit = 4 << 20
    private static let windowSize = 2 * wholeLimit

    init(
        _ format: ObjectFormat, limits: PackLimits, deltaBudget: Int, hashes: HashQueue,
        progress: PackProgress
    ) {
        self.format = format
        self.limits = limits
        self.hashes = hashes
        self.progress = progress
        table = PackEntryTable(format)
        deltas = DeltaStore(budget: deltaBudget)
        packHash = PlainHasher(format)
        window = .allocate(byteCount: Self.windowSize, alignment: 16)
    }

    deinit {
        window.deallocate()
        deltas.removeAll()
    }

    /// Takes in the next bytes.
    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if filled == window.count { compact() }
            let count = min(rest.count, window.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: window[filled ..< filled + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
            filled += count
            rest = rest.dropFirst(count)
            progress.add(bytes: count)
            guard position + UInt64(filled - start) <= limits.packSize else {
                throw StoreError(.limit, "pack is larger than \(limits.packSize) bytes")
            }
            try parse(isLast: false)
        }
    }

    /// Says that all has arrived.
    func finish() throws(StoreError) {
        try parse(isLast: true)
        guard case .end = state else {
            throw StoreError(
                .corrupt,
                "pack ends early: \(table.count) of \(expectedCount) objects have arrived")
        }
        try hashes.submit(batch)
        try hashes.finish()
        takeHashed()
        table.close(at: end)
    }

    /// Hands the entries and the kept deltas to the second pass.
    func takeResult() -> (table: PackEntryTable, deltas: DeltaStore) {
        let result = (table, deltas)
        table = PackEntryTable(format)
        deltas = DeltaStore(budget: 0)
        return result
    }

    // MARK: The window

    private var unread: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: window[start ..< filled])
    }

    private func consume(_ count: Int) {
        start += count
        position += UInt64(count)
    }

    private func hashConsumed() {
        packHash.update(UnsafeRawBufferPointer(rebasing: window[hashed ..< start]))
        hashed = start
    }

    private func compact() {
        hashConsumed()
        let rest = unread
        window.copyMemory(from: rest)
        (hashed, start, filled) = (0, 0, rest.count)
    }

    // MARK: Entries

    /// Goes as far as the bytes allow.
    private func parse(isLast: Bool) throws(StoreError) {
        while true {
            let isDone =
                switch state {
                case .header: try parseHeader()
                case .entry: try parseEntry(isLast: isLast)
                case .streaming(let entry): try stream(entry)
                case .trailer: try parseTrailer()
                case .end: try refuseMore()
                }
            if isDone { return }
        }
    }

    private func fault(_ reason: String) -> StoreError {
        StoreError("pack", ParseError(reason, at: position))
    }

    private func fault(_ error: ParseError) -> StoreError {
        StoreError("pack", ParseError(error.reason, at: position + error.offset))
    }

    /// Each of these says whether it must wait for more bytes.
    private func parseHeader() throws(StoreError) -> Bool {
        guard unread.count >= PackHeader.length else { return true }
        do throws(ParseError) {
            let bytes = UnsafeRawBufferPointer(rebasing: unread.prefix(PackHeader.length))
            expectedCount = Int(try PackHeader(parsing: bytes.span).entryCount)
        } catch { throw fault(error) }
        consume(PackHeader.length)
        progress.setTotal(expectedCount)
        state = expectedCount == 0 ? .trailer : .entry
        return false
    }

    private func parseEntry(isLast: Bool) throws(StoreError) -> Bool {
        let header: PackEntryHeader
        do throws(ParseError) {
            header = try PackEntryHeader(parsing: unread, format)
        } catch
            where error.reason == PackEntryHeader.truncated
            && unread.count < PackEntryHeader.maximumLength
        {
            return true
        } catch { throw fault(error) }
        try checkLimits(header)
        let size = Int(clamping: header.size)
        if size <= Self.wholeLimit {
            let isAllThere =
                unread.count - header.length >= Inflater.compressedBound(size) + format.byteCount
            guard isAllThere || isLast else { return true }
            if try parseWhole(header, size) { return false }
        }
        try startStreaming(header)
        return false
    }

    private func checkLimits(_ header: PackEntryHeader) throws(StoreError) {
        guard header.size <= limits.objectSize else {
            throw StoreError(
                .limit,
                "pack: object of \(header.size) bytes at byte \(position) is larger than "
                    + "\(limits.objectSize)")
        }
        guard header.size <= limits.inflatedSize,
            inflatedTotal <= limits.inflatedSize - header.size
        else {
            throw StoreError(.limit, "pack inflates to more than \(limits.inflatedSize) bytes")
        }
    }

    /// Inflates an entry in one piece; false where it did not work out.
    private func parseWhole(_ header: PackEntryHeader, _ size: Int) throws(StoreError) -> Bool {
        let input = UnsafeRawBufferPointer(rebasing: unread.dropFirst(header.length))
        let row = table.count
        let consumed: Int
        if case .none(let kind) = header.base {
            if !batch.hasRoom(for: size) { try submitBatch() }
            guard let count = inflater.inflate(input, into: batch.room(for: size)) else {
                return false
            }
            consumed = count
            batch.commit(row: row, kind, size)
        } else {
            let (count, isKept) = inflateDelta(input, size)
            guard let count else { return false }
            consumed = count
            if isKept { deltas.commit(row: row, size) }
        }
        try appendRow(header)
        let length = header.length + consumed
        let bytes = UnsafeRawBufferPointer(rebasing: unread.prefix(length))
        table.setCRC(crc32(0, bytes), row: row)
        consume(length)
        finishEntry()
        return true
    }

    private func inflateDelta(
        _ input: UnsafeRawBufferPointer, _ size: Int
    ) -> (consumed: Int?, isKept: Bool) {
        if let room = deltas.room(for: size) { return (inflater.inflate(input, into: room), true) }
        if scratch.count < size { scratch = [UInt8](repeating: 0, count: size) }
        let consumed = scratch.withUnsafeMutableBytes { buffer in
            inflater.inflate(input, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<size]))
        }
        return (consumed, false)
    }

    private func appendRow(_ header: PackEntryHeader) throws(StoreError) {
        do throws(ParseError) {
            try table.append(offset: position, header)
        } catch { throw fault(error.reason) }
        inflatedTotal += header.size
    }

    private func finishEntry() {
        let isDelta = table.isDelta(table.count - 1)
        progress.add(objects: 1, deltas: isDelta ? 1 : 0)
        state = table.count == expectedCount ? .trailer : .entry
    }

    // MARK: Hashing

    private func submitBatch() throws(StoreError) {
        try hashes.submit(batch)
        takeHashed()
        batch = spare ?? HashQueue.Batch()
        spare = nil
    }

    private var spare: HashQueue.Batch?

    private func takeHashed() {
        while let done = hashes.takeHashed() {
            for (item, oid) in zip(done.items, done.oids) {
                if let oid { table.setObjectID(oid, row: item.row) }
            }
            done.clear()
            spare = done
        }
    }

    // MARK: Large entries

    /// An entry that is inflated piece by piece.
    private final class StreamedEntry {
        let header: PackEntryHeader
        let inflate = InflateStream()
        /// For a blob, which has no links and need not be held.
        var hasher: ObjectHasher?
        /// For a tree, commit or tag: its place in the batch.
        var content: UnsafeMutableRawBufferPointer?
        var produced: UInt64 = 0
        var crc: UInt32
        let row: Int
        init(_ header: PackEntryHeader, row: Int, crc: UInt32) {
            self.header = header
            self.row = row
            self.crc = crc
        }
    }

    private func startStreaming(_ header: PackEntryHeader) throws(StoreError) {
        let bytes = UnsafeRawBufferPointer(rebasing: unread.prefix(header.length))
        let entry = StreamedEntry(header, row: table.count, crc: crc32(0, bytes))
        if case .none(let kind) = header.base {
            if kind == .blob {
                entry.hasher = ObjectHasher(format)
                entry.hasher?.updateHeader(kind, size: header.size)
            } else {
                guard header.size <= limits.linkedObjectSize else {
                    throw StoreError(
                        .limit, "pack: \(kind.name) of \(header.size) bytes at byte \(position)")
                }
                let size = Int(header.size)
                if !batch.hasRoom(for: size) { try submitBatch() }
                entry.content = batch.room(for: size)
            }
        }
        try appendRow(header)
        consume(header.length)
        state = .streaming(entry)
    }

    private func stream(_ entry: StreamedEntry) throws(StoreError) -> Bool {
        if scratch.count < Self.streamChunk {
            scratch = [UInt8](repeating: 0, count: Self.streamChunk)
        }
        while !entry.inflate.isFinished {
            let input = unread
            let step: (consumed: Int, produced: Int)
            do throws(ParseError) {
                step = try inflatePiece(entry, input)
            } catch { throw fault(error.reason) }
            entry.crc = crc32(
                entry.crc, UnsafeRawBufferPointer(rebasing: input.prefix(step.consumed)))
            entry.produced += UInt64(step.produced)
            guard entry.produced <= entry.header.size else {
                throw fault("object inflates to more than it declares")
            }
            consume(step.consumed)
            if step == (0, 0), !entry.inflate.isFinished {
                if unread.isEmpty { return true }
                throw fault(
                    entry.produced < entry.header.size
                        ? "corrupt zlib stream" : "object inflates to more than it declares")
            }
        }
        guard entry.produced == entry.header.size else {
            throw fault("object inflates to less than it declares")
        }
        try finish(entry)
        return false
    }

    private func inflatePiece(
        _ entry: StreamedEntry, _ input: UnsafeRawBufferPointer
    ) throws(ParseError) -> (consumed: Int, produced: Int) {
        if let content = entry.content {
            let rest = UnsafeMutableRawBufferPointer(rebasing: content[Int(entry.produced)...])
            return try entry.inflate.inflate(input, into: rest)
        }
        let result = scratch.withUnsafeMutableBytes { output in
            Result { () throws(ParseError) in try entry.inflate.inflate(input, into: output) }
        }
        let step = try result.get()
        scratch.withUnsafeBytes { output in
            entry.hasher?.update(UnsafeRawBufferPointer(rebasing: output.prefix(step.produced)))
        }
        return step
    }

    /// Bytes inflated at a time.
    private static let streamChunk = 1 << 18

    private func finish(_ entry: StreamedEntry) throws(StoreError) {
        table.setCRC(entry.crc, row: entry.row)
        if let hasher = entry.hasher {
            var hasher = hasher
            do throws(CollisionError) {
                table.setObjectID(try hasher.finalize(), row: entry.row)
            } catch { throw StoreError(.collision, "\(error)", cause: error) }
        } else if let content = entry.content, case .none(let kind) = entry.header.base {
            batch.commit(row: entry.row, kind, content.count)
        }
        finishEntry()
    }

    // MARK: The end

    private func parseTrailer() throws(StoreError) -> Bool {
        guard unread.count >= format.byteCount else { return true }
        hashConsumed()
        let stored = ObjectID(raw: unread, format)
        let actual = packHash.finalize()
        guard stored == actual else {
            throw fault("corrupt: its trailer says \(stored), its bytes hash to \(actual)")
        }
        trailer = stored
        end = position
        consume(format.byteCount)
        hashed = start
        state = .end
        return false
    }

    private func refuseMore() throws(StoreError) -> Bool {
        guard unread.isEmpty else { throw fault("garbage after the end of the pack") }
        return true
    }
}
