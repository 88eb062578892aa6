internal import GitCore
import Synchronization

/// Has several threads look through a window of a pack for entries, each through a part of it
/// (``PackScan``), while the calling thread does something else.
final class PackLookahead {
    private final class Search: Sendable {
        let window: ArrivalWindow
        let scans: [PackScan]
        /// Whether an entry is known to begin with the first part.
        let isStart: Bool
        private let next = Atomic(0)

        init(_ window: ArrivalWindow, _ scans: [PackScan], isStart: Bool) {
            self.window = window
            self.scans = scans
            self.isStart = isStart
        }

        /// Looks through parts as long as there are any.
        func run(_ inflater: EntryInflater) {
            // SAFETY: what was there when the search began stays until it ends.
            let bytes = UnsafeRawBufferPointer(
                rebasing: window.bytes[..<(scans.last?.range.upperBound ?? 0)])
            while true {
                let number = next.add(1, ordering: .relaxed).oldValue
                guard number < scans.count else { return }
                scans[number].run(bytes, isStart: isStart && number == 0, inflater)
            }
        }

        func stop() { next.store(scans.count, ordering: .relaxed) }
    }

    private let format: ObjectFormat
    private let makeBatch: () -> HashQueue.Batch
    /// One for each thread; the first is the caller's own.
    private let inflaters: [EntryInflater]
    private var search: Search?
    private var workers: Workers?
    private var idle: [PackScan] = []

    /// Bytes that one thread looks through at a time.
    private static let scanSize = 1 << 19

    /// - Parameters:
    ///   - inflaters: one for each thread that may take part, the first for the calling thread.
    ///   - makeBatch: makes what whole objects are put in.
    init(
        _ format: ObjectFormat, _ inflaters: [EntryInflater],
        makeBatch: @escaping () -> HashQueue.Batch
    ) {
        self.format = format
        self.inflaters = inflaters
        self.makeBatch = makeBatch
    }

    deinit {
        search?.stop()
        if let running = workers.take() { running.join() }
    }

    /// Begins to look through what is unread of a window, if it is much. It may be read meanwhile, and
    /// what was left of the part before be put in front.
    ///
    /// - Parameter isStart: whether an entry is known to begin there.
    func start(_ window: ArrivalWindow, isStart: Bool) {
        let (start, end) = (window.start, window.filled)
        guard inflaters.count > 1, end - start >= 2 * Self.scanSize else { return }
        let scans = stride(from: start, to: end, by: Self.scanSize).map { place in
            let scan = idle.popLast() ?? PackScan(format, makeBatch: makeBatch)
            scan.reset(place ..< min(place + Self.scanSize, end))
            return scan
        }
        let search = Search(window, scans, isStart: isStart)
        self.search = search
        // SAFETY: thread i alone uses inflater i until it is joined.
        nonisolated(unsafe) let inflaters = inflaters
        // Without a thread to be had, the caller does it all.
        workers = try? Workers(min(inflaters.count, scans.count) - 1) { number in
            search.run(inflaters[number + 1])
        }
    }

    /// Helps to look through what is left of the window, and waits for the others; says what was found.
    func finish() -> ArraySlice<PackScan> {
        guard let search else { return [] }
        search.run(inflaters[0])
        if let running = workers.take() { running.join() }
        self.search = nil
        return search.scans[...]
    }

    /// Takes back what is not needed any more.
    func recycle(_ scan: PackScan) { idle.append(scan) }
}
