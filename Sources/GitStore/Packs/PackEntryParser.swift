internal import GitCore

/// Goes from entry to entry of a pack, through the windows in which it arrives.
///
/// Entries of ordinary size are inflated by libdeflate once surely all their bytes are there; larger
/// ones, and any that do not inflate so, go through zlib piece by piece. What other threads have found
/// ahead (``PackScan``) is taken wherever the entries before have led to it.
final class PackEntryParser {
    private let format: ObjectFormat
    private let entries: ArrivedEntries
    private let hashes: HashQueue
    private let progress: PackProgress
    private var state = State.header
    /// How many the pack's header announces.
    private(set) var expectedCount = 0

    /// What is gone through.
    private var window: ArrivalWindow
    /// The place in the pack where its unread bytes begin.
    private(set) var position: UInt64 = 0
    /// What was found ahead in it, in order.
    private var scans: ArraySlice<PackScan> = []

    /// Whole objects that were found here, for other threads to hash.
    private var batch = HashQueue.Batch()
    private let inflater: EntryInflater

    private enum State {
        case header
        case entry
        case streaming(StreamedEntry)
        case end
    }

    /// Objects up to this size are inflated in one piece, in bytes.
    static let wholeLimit = 4 << 20
    /// The most bytes of a window that are left for the next: an entry of which not surely all is there.
    static let mostLeft = Inflater.compressedBound(wholeLimit) + 128

    /// - Parameter inflater: that of the calling thread.
    init(
        _ format: ObjectFormat, _ entries: ArrivedEntries, _ inflater: EntryInflater,
        hashes: HashQueue, progress: PackProgress
    ) {
        self.format = format
        self.entries = entries
        self.inflater = inflater
        self.hashes = hashes
        self.progress = progress
        window = ArrivalWindow(front: 0, capacity: 0)
    }

    /// Whether it is not in the middle of a large entry, nor before the first or behind the last.
    var isBetweenEntries: Bool { if case .entry = state { true } else { false } }

    /// Whether all entries are gone through: what comes next is the trailer.
    var isAtEnd: Bool { if case .end = state { true } else { false } }

    /// Goes through a window, as far as the bytes allow.
    ///
    /// - Parameters:
    ///   - window: begins where the last one was left.
    ///   - found: what was found ahead in it.
    ///   - isLast: whether no more bytes come.
    func parse(
        _ window: ArrivalWindow, _ found: ArraySlice<PackScan>, isLast: Bool
    ) throws(StoreError) {
        self.window = window
        scans = found
        try parseEntries(isLast: isLast)
        while !scans.isEmpty { try dropScan() }
    }

    /// Takes the next bytes of the window as read.
    func consume(_ count: Int) {
        window.consume(count)
        position += UInt64(count)
    }

    /// Says that all has arrived: waits until all is hashed.
    ///
    /// - Parameter end: where the pack's trailer begins.
    func finish(at end: UInt64) throws(StoreError) { try entries.finish(batch, at: end) }

    // MARK: Entries

    private func parseEntries(isLast: Bool) throws(StoreError) {
        while true {
            let isDone =
                switch state {
                case .header: try parseHeader()
                case .entry: try parseEntry(isLast: isLast)
                case .streaming(let entry): try stream(entry)
                case .end: true
                }
            if isDone { return }
        }
    }

    /// What is wrong where the unread bytes begin.
    func fault(_ reason: String) -> StoreError {
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
        entries.reserve(expectedCount)
        progress.setTotal(expectedCount)
        state = expectedCount == 0 ? .end : .entry
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
        try entries.checkLimits(header, at: position)
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

    /// Inflates an entry in one piece; false where it did not work out.
    private func parseWhole(_ header: PackEntryHeader, _ size: Int) throws(StoreError) -> Bool {
        let input = UnsafeRawBufferPointer(rebasing: window.unread.dropFirst(header.length))
        let row = entries.count
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
            if let position = found.position { entries.noteDelta(position, row: row) }
        }
        try entries.append(header, at: position)
        let length = header.length + consumed
        let bytes = UnsafeRawBufferPointer(rebasing: window.unread.prefix(length))
        entries.setCRC(crc32(0, bytes), row: row)
        consume(length)
        finishEntry()
        return true
    }

    private func finishEntry() {
        state = entries.count == expectedCount ? .end : .entry
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
            while number < scan.entries.count, entries.count < expectedCount {
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
            if batch.items.isEmpty { hashes.recycle(batch) } else { try entries.submit(batch) }
        }
    }

    private func take(_ entry: PackScan.Entry, from scan: PackScan) throws(StoreError) {
        try entries.checkLimits(entry.header, at: position)
        let row = entries.count
        switch (entry.content, entry.header.base) {
        case (.object(let batch, let place), .none(let kind)):
            scan.batches[batch].add(row: row, kind, at: place, Int(entry.header.size))
        case (.delta(let position?), _): entries.noteDelta(position, row: row)
        default: break
        }
        try entries.append(entry.header, at: position)
        entries.setCRC(entry.crc, row: row)
        consume(entry.length)
    }

    private func submitBatch() throws(StoreError) {
        try entries.submit(batch)
        batch = hashes.makeBatch()
    }

    // MARK: Large entries

    private func startStreaming(_ header: PackEntryHeader) throws(StoreError) {
        let target: StreamedEntry.Target
        switch header.base {
        case .none(.blob): target = .hash(format)
        case .none(let kind):
            try entries.checkLinkedSize(header, kind, at: position)
            let size = Int(header.size)
            if !batch.hasRoom(for: size) { try submitBatch() }
            target = .memory(batch.room(for: size))
        default: target = .nothing
        }
        let bytes = UnsafeRawBufferPointer(rebasing: window.unread.prefix(header.length))
        let entry = StreamedEntry(header, bytes, row: entries.count, to: target)
        try entries.append(header, at: position)
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
        entries.setCRC(entry.crc, row: entry.row)
        do throws(CollisionError) {
            if let oid = try entry.finalize() { entries.setObjectID(oid, row: entry.row) }
        } catch { throw StoreError(.collision, "\(error)", cause: error) }
        if case .none(let kind) = entry.header.base, kind != .blob {
            batch.commit(row: entry.row, kind, Int(entry.header.size))
        }
        finishEntry()
    }
}
