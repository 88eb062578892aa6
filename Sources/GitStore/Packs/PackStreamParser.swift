internal import GitCore
import Synchronization

/// The first pass over a pack: takes it in as it arrives, finds each entry, hashes whole objects on
/// other threads, notes deltas, and verifies the trailer.
///
/// What arrives is gathered in a window. When that is full, other threads begin to look through it for
/// entries (``PackLookahead``), while this one goes from entry to entry through the window before, where
/// they have looked already, and while the next bytes arrive. What comes slowly is taken window or not.
///
/// Entries of ordinary size are inflated by libdeflate once surely all their bytes are there; larger
/// ones, and any that do not inflate so, go through zlib piece by piece.
final class PackStreamParser {
    /// The entries that have arrived.
    private(set) var table: PackEntryTable
    private var deltas: DeltaStore
    /// How many there were when deltas were last resolved.
    private var resolvedCount = 0
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

    /// What arrives is put in here.
    private var filling: ArrivalWindow
    /// Full, and being looked through, if `isAhead`; else empty.
    private var other: ArrivalWindow
    private var isAhead = false
    /// The one of the two that is gone through.
    private var window: ArrivalWindow
    /// The place in the pack where its unread bytes begin.
    private var position: UInt64 = 0
    /// Bytes that have arrived, and how many of them are in the trailer's hash.
    private var (arrived, hashed): (UInt64, UInt64) = (0, 0)
    private var packHash: PlainHasher

    private var lookahead: PackLookahead
    /// What was found ahead in the window, in order.
    private var scans: ArraySlice<PackScan> = []
    private var lastParse = ContinuousClock.now

    private var batch = HashQueue.Batch()
    private var inflater: EntryInflater

    private enum State {
        case header
        case entry
        case streaming(StreamedEntry)
        case trailer
        case end
    }

    /// Objects up to this size are inflated in one piece, in bytes.
    static let wholeLimit = 4 << 20
    /// The most bytes of a window that are left for the next: an entry of which not surely all is there.
    private static let mostLeft = Inflater.compressedBound(wholeLimit) + 128
    /// Bytes of a window for each thread.
    private static let windowSize = 2 << 20
    /// How long what has arrived may wait for more.
    private static let patience = Duration.milliseconds(100)

    /// - Parameter threads: those that may look ahead, this one included.
    init(
        _ format: ObjectFormat, limits: PackLimits, threads: Int, deltaBudget: Int,
        hashes: HashQueue, progress: PackProgress
    ) {
        self.format = format
        self.limits = limits
        self.hashes = hashes
        self.progress = progress
        table = PackEntryTable(format)
        let deltas = DeltaStore(budget: deltaBudget)
        self.deltas = deltas
        let inflaters = (0 ..< max(threads, 1)).map { _ in EntryInflater(deltas) }
        inflater = inflaters[0]
        lookahead = PackLookahead(format, inflaters, makeBatch: hashes.makeBatch)
        packHash = PlainHasher(format)
        let capacity = min(max(threads, 2), 16) * Self.windowSize
        filling = ArrivalWindow(front: Self.mostLeft, capacity: capacity)
        other = ArrivalWindow(front: Self.mostLeft, capacity: capacity)
        window = filling
    }

    /// Takes in the next bytes.
    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if filling.isFull { try turn() }
            let count = filling.fill(rest)
            rest = rest.dropFirst(count)
            arrived += UInt64(count)
            progress.add(bytes: count)
            guard arrived <= limits.packSize else {
                throw StoreError(.limit, "pack is larger than \(limits.packSize) bytes")
            }
        }
        if isWaitedFor { try parseAll(isLast: false) }
    }

    /// Whether to go on with what is there. A window that fills quickly is better taken whole.
    private var isWaitedFor: Bool {
        if case .entry = state { return ContinuousClock.now - lastParse >= Self.patience }
        return true
    }

    /// Whether deltas should be resolved before more come, since there is hardly room to keep more; but
    /// not too often, for it goes over all entries.
    var isFull: Bool {
        deltas.isNearlyFull && table.count - resolvedCount > table.count / Self.mostResolutions
    }

    private static let mostResolutions = 16

    /// Takes what is there, and has `resolve` resolve the deltas of which it can; no delta is kept
    /// afterwards. Does no more than that in the middle of a large entry.
    func resolveSoFar(
        _ resolve: (inout PackEntryTable, DeltaStore) throws(StoreError) -> Void
    ) throws(StoreError) {
        try parseAll(isLast: false)
        // An entry of which only a part is there cannot be read again yet.
        guard case .entry = state else { return }
        takeHashed()
        table.close(at: position)
        try resolve(&table, deltas)
        table.reopen()
        deltas.removeAll(upTo: table.count)
        resolvedCount = table.count
    }

    /// Says that all has arrived.
    func finish() throws(StoreError) {
        try parseAll(isLast: true)
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

    /// Hands the entries and the kept deltas to the second pass, and gives up all other memory.
    func takeResult() -> (table: PackEntryTable, deltas: DeltaStore) {
        let result = (table, deltas)
        table = PackEntryTable(format)
        deltas = DeltaStore(budget: 0)
        inflater = EntryInflater(deltas)
        lookahead = PackLookahead(format, [inflater], makeBatch: hashes.makeBatch)
        filling = ArrivalWindow(front: 0, capacity: 0)
        (other, window) = (filling, filling)
        return result
    }

    // MARK: Windows

    /// Has the full window looked through while the one before is gone through, which is filled next.
    private func turn() throws(StoreError) {
        let isFound = isAhead
        let found = lookahead.finish()
        // What is in the middle of a large entry is not worth a look.
        if case .entry = state { lookahead.start(filling, isStart: !isFound) }
        isAhead = true
        if isFound { try parse(other, found, isLast: false) }
        swap(&filling, &other)
    }

    /// Goes through all that is there.
    private func parseAll(isLast: Bool) throws(StoreError) {
        if isAhead {
            let found = lookahead.finish()
            isAhead = false
            try parse(other, found, isLast: false)
        }
        if case .entry = state { lookahead.start(filling, isStart: true) }
        hash(filling)
        try parse(filling, lookahead.finish(), isLast: isLast)
        swap(&filling, &other)
    }

    /// Goes through a window as far as the bytes allow, and leaves the rest to the next.
    private func parse(
        _ window: ArrivalWindow, _ found: ArraySlice<PackScan>, isLast: Bool
    ) throws(StoreError) {
        let (count, deltaCount) = (table.count, table.deltaCount)
        defer {
            lastParse = .now
            progress.add(objects: table.count - count, deltas: table.deltaCount - deltaCount)
        }
        self.window = window
        hash(window)
        scans = found
        try parseEntries(isLast: isLast)
        while !scans.isEmpty { try dropScan() }
        hash(window, to: max(position, hashed))
        window.moveRest(to: window === filling ? other : filling)
    }

    private func consume(_ count: Int) {
        window.consume(count)
        position += UInt64(count)
    }

    /// Brings the trailer's hash up to the end of a window, but for what may be the trailer.
    private func hash(_ window: ArrivalWindow) {
        let end = position + UInt64(window.unread.count)
        if end > hashed + UInt64(format.byteCount) {
            hash(window, to: end - UInt64(format.byteCount))
        }
    }

    private func hash(_ window: ArrivalWindow, to end: UInt64) {
        let (start, count) = (window.start + Int(hashed) - Int(position), Int(end - hashed))
        packHash.update(UnsafeRawBufferPointer(rebasing: window.bytes[start ..< start + count]))
        hashed = end
    }

    // MARK: Entries

    private func parseEntries(isLast: Bool) throws(StoreError) {
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
        guard window.unread.count >= PackHeader.length else { return true }
        do throws(ParseError) {
            let bytes = UnsafeRawBufferPointer(rebasing: window.unread.prefix(PackHeader.length))
            expectedCount = Int(try PackHeader(parsing: bytes.span).entryCount)
        } catch { throw fault(error) }
        consume(PackHeader.length)
        table.reserve(expectedCount)
        progress.setTotal(expectedCount)
        state = expectedCount == 0 ? .trailer : .entry
        return false
    }

    private func parseEntry(isLast: Bool) throws(StoreError) -> Bool {
        if try takeFound() { return false }
        let header: PackEntryHeader
        do throws(ParseError) {
            header = try PackEntryHeader(parsing: window.unread, format)
        } catch
            where error.reason == PackEntryHeader.truncated
            && window.unread.count < PackEntryHeader.maximumLength
        {
            return true
        } catch { throw fault(error) }
        try checkLimits(header)
        let size = Int(clamping: header.size)
        if size <= Self.wholeLimit {
            let isAllThere =
                window.unread.count - header.length >= Inflater.compressedBound(size)
                + format.byteCount
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
        let input = UnsafeRawBufferPointer(rebasing: window.unread.dropFirst(header.length))
        let row = table.count
        let consumed: Int
        if case .none(let kind) = header.base {
            if !batch.hasRoom(for: size) { try submitBatch() }
            let room = batch.room(for: size)
            guard let count = inflater.inflater.inflate(input, into: room) else { return false }
            consumed = count
            batch.commit(row: row, kind, size)
        } else {
            guard let found = inflater.inflateDelta(input, size) else { return false }
            consumed = found.consumed
            if let position = found.position { deltas.note(position, row: row) }
        }
        try appendRow(header)
        let length = header.length + consumed
        let bytes = UnsafeRawBufferPointer(rebasing: window.unread.prefix(length))
        table.setCRC(crc32(0, bytes), row: row)
        consume(length)
        finishEntry()
        return true
    }

    private func appendRow(_ header: PackEntryHeader) throws(StoreError) {
        do throws(ParseError) {
            try table.append(offset: position, header)
        } catch { throw fault(error.reason) }
        inflatedTotal += header.size
    }

    private func finishEntry() {
        state = table.count == expectedCount ? .trailer : .entry
    }

    // MARK: Looking ahead

    /// Takes what was found ahead from the place on where the next entry begins; says whether there is
    /// such.
    private func takeFound() throws(StoreError) -> Bool {
        while let scan = scans.first {
            guard window.start < scan.range.upperBound else {
                try dropScan()
                continue
            }
            guard var number = scan.entry(at: window.start) else { return false }
            // Those behind it begin where one ends.
            while number < scan.entries.count, table.count < expectedCount {
                try take(scan.entries[number], from: scan)
                number += 1
            }
            finishEntry()
            return true
        }
        return false
    }

    /// Has the objects hashed that were taken from the first scan.
    private func dropScan() throws(StoreError) {
        let scan = scans.removeFirst()
        for batch in scan.takeBatches() {
            if batch.items.isEmpty { hashes.recycle(batch) } else { try submit(batch) }
        }
        lookahead.recycle(scan)
    }

    private func take(_ entry: PackScan.Entry, from scan: PackScan) throws(StoreError) {
        try checkLimits(entry.header)
        let row = table.count
        switch (entry.content, entry.header.base) {
        case (.object(let batch, let place), .none(let kind)):
            scan.batches[batch].add(row: row, kind, at: place, Int(entry.header.size))
        case (.delta(let position?), _): deltas.note(position, row: row)
        default: break
        }
        try appendRow(entry.header)
        table.setCRC(entry.crc, row: row)
        consume(entry.length)
    }

    // MARK: Hashing

    private func submit(_ batch: HashQueue.Batch) throws(StoreError) {
        try hashes.submit(batch)
        takeHashed()
    }

    private func submitBatch() throws(StoreError) {
        try hashes.submit(batch)
        takeHashed()
        batch = hashes.makeBatch()
    }

    private func takeHashed() {
        while let done = hashes.takeHashed() {
            for (item, oid) in zip(done.items, done.oids) {
                if let oid { table.setObjectID(oid, row: item.row) }
            }
            hashes.recycle(done)
        }
    }

    // MARK: Large entries

    private func startStreaming(_ header: PackEntryHeader) throws(StoreError) {
        let target: StreamedEntry.Target
        switch header.base {
        case .none(.blob): target = .hash(format)
        case .none(let kind):
            guard header.size <= limits.linkedObjectSize else {
                throw StoreError(
                    .limit, "pack: \(kind.name) of \(header.size) bytes at byte \(position)")
            }
            let size = Int(header.size)
            if !batch.hasRoom(for: size) { try submitBatch() }
            target = .memory(batch.room(for: size))
        default: target = .nothing
        }
        let bytes = UnsafeRawBufferPointer(rebasing: window.unread.prefix(header.length))
        let entry = StreamedEntry(header, bytes, row: table.count, to: target)
        try appendRow(header)
        consume(header.length)
        state = .streaming(entry)
    }

    private func stream(_ entry: StreamedEntry) throws(StoreError) -> Bool {
        while !entry.isFinished {
            do throws(ParseError) {
                consume(
                    try entry.advance(window.unread, inflater.scratch(Self.streamChunk)))
            } catch { throw fault(error.reason) }
            if window.unread.isEmpty, !entry.isFinished { return true }
        }
        try finish(entry)
        return false
    }

    /// Bytes inflated at a time.
    private static let streamChunk = 1 << 18

    private func finish(_ entry: StreamedEntry) throws(StoreError) {
        table.setCRC(entry.crc, row: entry.row)
        do throws(CollisionError) {
            if let oid = try entry.finalize() { table.setObjectID(oid, row: entry.row) }
        } catch { throw StoreError(.collision, "\(error)", cause: error) }
        if case .none(let kind) = entry.header.base, kind != .blob {
            batch.commit(row: entry.row, kind, Int(entry.header.size))
        }
        finishEntry()
    }

    // MARK: The end

    private func parseTrailer() throws(StoreError) -> Bool {
        guard window.unread.count >= format.byteCount else { return true }
        guard window.unread.count == format.byteCount else { throw moreBehind }
        hash(window)
        let stored = ObjectID(raw: window.unread, format)
        let actual = packHash.finalize()
        guard stored == actual else {
            throw fault("corrupt: its trailer says \(stored), its bytes hash to \(actual)")
        }
        trailer = stored
        end = position
        consume(format.byteCount)
        hashed = position
        state = .end
        return false
    }

    private func refuseMore() throws(StoreError) -> Bool {
        guard window.unread.isEmpty else { throw moreBehind }
        return true
    }

    private var moreBehind: StoreError { fault("garbage after the end of the pack") }
}
