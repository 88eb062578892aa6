internal import GitCore
import Synchronization

/// The first pass over a pack: takes it in as it arrives, finds each entry, hashes whole objects on
/// other threads, notes deltas, and verifies the trailer.
///
/// What arrives is gathered in a window. When that is full, or a while has passed, the entries in it
/// are found one after the other; but before, if there is much, several threads look ahead for them
/// (``PackScan``), so that little more is left than to see that one follows on the other.
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

    private let threads: Int
    /// What was found ahead, in the window as it is.
    private var scans: ArraySlice<PackScan> = []
    private var lastParse = ContinuousClock.now

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
    /// Bytes of the window that one thread looks through at a time.
    private static let scanSize = 1 << 20
    /// How long what has arrived may wait for more.
    private static let patience = Duration.milliseconds(100)

    /// - Parameter threads: those that may look ahead, this one included.
    init(
        _ format: ObjectFormat, limits: PackLimits, threads: Int, deltaBudget: Int,
        hashes: HashQueue, progress: PackProgress
    ) {
        self.threads = threads
        self.format = format
        self.limits = limits
        self.hashes = hashes
        self.progress = progress
        table = PackEntryTable(format)
        deltas = DeltaStore(budget: deltaBudget)
        packHash = PlainHasher(format)
        let size = max(2 * Self.wholeLimit, min(threads, 16) * 4 * Self.scanSize)
        window = .allocate(byteCount: size, alignment: 16)
    }

    deinit {
        window.deallocate()
        deltas.removeAll()
    }

    /// Takes in the next bytes.
    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if filled == window.count {
                try parse(isLast: false)
                compact()
            }
            let count = min(rest.count, window.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: window[filled ..< filled + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
            filled += count
            rest = rest.dropFirst(count)
            progress.add(bytes: count)
            guard position + UInt64(filled - start) <= limits.packSize else {
                throw StoreError(.limit, "pack is larger than \(limits.packSize) bytes")
            }
        }
        if isWaitedFor { try parse(isLast: false) }
    }

    /// Whether to go on with what is there. A window that fills quickly is better taken whole.
    private var isWaitedFor: Bool {
        if case .entry = state { return ContinuousClock.now - lastParse >= Self.patience }
        return true
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

    /// Hands the entries and the kept deltas to the second pass, and gives up all other memory.
    func takeResult() -> (table: PackEntryTable, deltas: DeltaStore) {
        let result = (table, deltas)
        window.deallocate()
        window = .allocate(byteCount: 0, alignment: 16)
        scratch = []
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

    /// Brings the trailer's hash up to a place in the window.
    private func hash(to end: Int) {
        guard hashed < end else { return }
        packHash.update(UnsafeRawBufferPointer(rebasing: window[hashed ..< end]))
        hashed = end
    }

    private func compact() {
        hash(to: start)
        let rest = unread
        window.copyMemory(from: rest)
        (hashed, start, filled) = (hashed - start, 0, rest.count)
    }

    // MARK: Entries

    /// Goes as far as the bytes allow.
    private func parse(isLast: Bool) throws(StoreError) {
        defer { lastParse = .now }
        if case .header = state, try parseHeader() { return }
        scanAhead()
        try parseEntries(isLast: isLast)
        while !scans.isEmpty { try dropScan() }
    }

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
        if let (scan, entry) = try scanned() {
            try take(entry, from: scan)
            return false
        }
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

    // MARK: Looking ahead

    /// Has threads look through what is unread, if it is much; meanwhile this one hashes it.
    private func scanAhead() {
        guard case .entry = state, threads > 1, filled - start >= 2 * Self.scanSize else { return }
        let ranges = stride(from: start, to: filled, by: Self.scanSize).map {
            $0 ..< min($0 + Self.scanSize, filled)
        }
        let found = ranges.map { PackScan($0, format, makeBatch: hashes.makeBatch) }
        // SAFETY: the window does not change until the threads have been joined.
        nonisolated(unsafe) let bytes = UnsafeRawBufferPointer(rebasing: window[..<filled])
        let first = start
        let number = Atomic(0)
        // The last bytes may be the trailer, which is not hashed.
        let end = filled - format.byteCount
        nonisolated(unsafe) let parser = self
        Workers.run(min(threads, found.count)) { thread in
            if thread == 0 { parser.hash(to: end) }
            while true {
                let next = number.add(1, ordering: .relaxed).oldValue
                guard next < found.count else { return }
                found[next].run(bytes, isStart: found[next].range.lowerBound == first)
            }
        }
        scans = found[...]
    }

    /// What was found ahead at the place where the next entry begins.
    private func scanned() throws(StoreError) -> (PackScan, PackScan.Entry)? {
        while let scan = scans.first {
            if start < scan.range.upperBound {
                return scan.entry(at: start).map { (scan, $0) }
            }
            try dropScan()
        }
        return nil
    }

    /// Has the objects hashed that were taken from the first scan.
    private func dropScan() throws(StoreError) {
        for batch in scans.removeFirst().batches {
            if batch.items.isEmpty { hashes.recycle(batch) } else { try submit(batch) }
        }
    }

    private func take(_ entry: PackScan.Entry, from scan: PackScan) throws(StoreError) {
        try checkLimits(entry.header)
        let row = table.count
        let size = Int(entry.header.size)
        if case .none(let kind) = entry.header.base {
            scan.batches[entry.batch].add(row: row, kind, at: entry.place, size)
        } else if let room = deltas.room(for: size) {
            scan.deltas.withUnsafeBytes { bytes in
                room.copyMemory(
                    from: UnsafeRawBufferPointer(
                        rebasing: bytes[entry.place ..< entry.place + size])
                )
            }
            deltas.commit(row: row, size)
        }
        try appendRow(entry.header)
        table.setCRC(entry.crc, row: row)
        consume(entry.length)
        finishEntry()
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
        guard unread.count == format.byteCount else { throw moreBehind }
        hash(to: start)
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
        guard unread.isEmpty else { throw moreBehind }
        return true
    }

    private var moreBehind: StoreError { fault("garbage after the end of the pack") }
}
