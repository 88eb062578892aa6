internal import GitCore
import Synchronization

/// The first pass over a pack: takes it in as it arrives, finds each entry, hashes whole objects on
/// other threads, notes deltas, and verifies the trailer.
///
/// What arrives is gathered in a window. When that is full, other threads begin to look through it for
/// entries (``PackLookahead``), while this one goes from entry to entry through the window before
/// (``PackEntryParser``), where they have looked already, and while the next bytes arrive. What comes
/// slowly is taken window or not.
final class PackStreamParser {
    private(set) var trailer: ObjectID?
    /// Bytes of the pack up to its trailer.
    private var end: UInt64 = 0

    private let format: ObjectFormat
    private let limits: PackLimits
    private let hashes: HashQueue
    private let progress: PackProgress
    private let entries: ArrivedEntries
    private var parser: PackEntryParser

    /// What arrives is put in here.
    private var filling: ArrivalWindow
    /// Full, and being looked through, if `isAhead`; else empty.
    private var other: ArrivalWindow
    private var isAhead = false
    private var lookahead: PackLookahead
    private var lastParse = ContinuousClock.now

    /// Bytes that have arrived, and how many of them are in the trailer's hash.
    private var (arrived, hashed): (UInt64, UInt64) = (0, 0)
    private var packHash: PlainHasher

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
        let deltas = DeltaStore(budget: deltaBudget)
        entries = ArrivedEntries(format, limits: limits, deltas, hashes: hashes)
        let inflaters = (0 ..< max(threads, 1)).map { _ in EntryInflater(deltas) }
        parser = PackEntryParser(
            format, entries, inflaters[0], hashes: hashes, progress: progress)
        lookahead = PackLookahead(format, inflaters, makeBatch: hashes.makeBatch)
        packHash = PlainHasher(format)
        let capacity = min(max(threads, 2), 16) * Self.windowSize
        filling = ArrivalWindow(front: PackEntryParser.mostLeft, capacity: capacity)
        other = ArrivalWindow(front: PackEntryParser.mostLeft, capacity: capacity)
    }

    /// What the streams that came so far inflate to, together.
    var inflatedTotal: UInt64 { entries.inflatedTotal }

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
        !parser.isBetweenEntries || ContinuousClock.now - lastParse >= Self.patience
    }

    /// Whether deltas should be resolved before more come.
    var isFull: Bool { entries.isFull }

    /// Takes what is there, and has `resolve` resolve the deltas of which it can; no delta is kept
    /// afterwards. Does no more than that in the middle of a large entry.
    func resolveSoFar(
        _ resolve: (inout PackEntryTable, DeltaStore) throws(StoreError) -> Void
    ) throws(StoreError) {
        try parseAll(isLast: false)
        // An entry of which only a part is there cannot be read again yet.
        guard parser.isBetweenEntries else { return }
        try entries.resolveSoFar(at: parser.position, resolve)
    }

    /// Says that all has arrived.
    func finish() throws(StoreError) {
        try parseAll(isLast: true)
        guard trailer != nil else {
            throw StoreError(
                .corrupt,
                "pack ends early: \(entries.count) of \(parser.expectedCount) objects have arrived")
        }
        try parser.finish(at: end)
    }

    /// Hands the entries and the kept deltas to the second pass, and gives up all other memory.
    func takeResult() -> (table: PackEntryTable, deltas: DeltaStore) {
        let inflater = EntryInflater(DeltaStore(budget: 0))
        parser = PackEntryParser(format, entries, inflater, hashes: hashes, progress: progress)
        lookahead = PackLookahead(format, [inflater], makeBatch: hashes.makeBatch)
        filling = ArrivalWindow(front: 0, capacity: 0)
        other = filling
        return entries.takeResult()
    }

    // MARK: Windows

    /// Has the full window looked through while the one before is gone through, which is filled next.
    private func turn() throws(StoreError) {
        let isFound = isAhead
        let found = lookahead.finish()
        // What is in the middle of a large entry is not worth a look.
        if parser.isBetweenEntries { lookahead.start(filling, isStart: !isFound) }
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
        if parser.isBetweenEntries { lookahead.start(filling, isStart: true) }
        hash(filling)
        try parse(filling, lookahead.finish(), isLast: isLast)
        swap(&filling, &other)
    }

    /// Goes through a window as far as the bytes allow, and leaves the rest to the next.
    private func parse(
        _ window: ArrivalWindow, _ found: ArraySlice<PackScan>, isLast: Bool
    ) throws(StoreError) {
        let (count, deltaCount) = (entries.count, entries.deltaCount)
        defer {
            lastParse = .now
            progress.add(objects: entries.count - count, deltas: entries.deltaCount - deltaCount)
        }
        hash(window)
        try parser.parse(window, found, isLast: isLast)
        for scan in found { lookahead.recycle(scan) }
        if parser.isAtEnd { try checkTrailer(window) }
        hash(window, to: max(parser.position, hashed))
        window.moveRest(to: window === filling ? other : filling)
    }

    // MARK: The trailer

    /// Brings the trailer's hash up to the end of a window, but for what may be the trailer.
    private func hash(_ window: ArrivalWindow) {
        let end = parser.position + UInt64(window.unread.count)
        if end > hashed + UInt64(format.byteCount) {
            hash(window, to: end - UInt64(format.byteCount))
        }
    }

    private func hash(_ window: ArrivalWindow, to end: UInt64) {
        let start = window.start + Int(hashed) - Int(parser.position)
        let count = Int(end - hashed)
        packHash.update(UnsafeRawBufferPointer(rebasing: window.bytes[start ..< start + count]))
        hashed = end
    }

    /// Holds the trailer, once it is there, against the hash of all before it.
    private func checkTrailer(_ window: ArrivalWindow) throws(StoreError) {
        let isThere = trailer == nil && window.unread.count >= format.byteCount
        guard window.unread.count <= (trailer == nil ? format.byteCount : 0) else {
            throw parser.fault("garbage after the end of the pack")
        }
        guard isThere else { return }
        hash(window)
        let stored = ObjectID(raw: window.unread, format)
        let actual = packHash.finalize()
        guard stored == actual else {
            throw parser.fault("corrupt: its trailer says \(stored), its bytes hash to \(actual)")
        }
        trailer = stored
        end = parser.position
        parser.consume(format.byteCount)
        hashed = parser.position
    }
}
