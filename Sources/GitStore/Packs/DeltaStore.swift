import Synchronization

/// Deltas that were inflated to find where their entries end, kept until they are applied so that they
/// need not be inflated twice; no more than a budget of bytes.
///
/// Each thread has a ``Writer``, and puts deltas one after the other into chunks of its own. Which row a
/// delta is of is said later, by the one thread that parses.
final class DeltaStore: @unchecked Sendable {
    // SAFETY: a chunk is written by the one writer that it was made for, `positions` by the thread that
    // parses; they are read once these have ended.

    /// Where a delta is: the number of its chunk, then where in it its length is, in four bytes, which
    /// its bytes follow.
    typealias Position = UInt32

    /// The chunks: as many as the budget allows, made when they are needed.
    private let chunks: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>
    private let madeCount = Atomic(0)
    /// The deltas by row, from `firstRow` on.
    private var positions: [Position] = []
    private var firstRow = 0
    /// How often it was emptied.
    private var turn = 0

    private static let chunkShift: UInt32 = 20
    private static let chunkSize = 1 << Int(chunkShift)
    private static let absent = Position.max
    /// Larger deltas are not kept, in bytes.
    private static let largest = chunkSize / 4

    /// - Parameter budget: bytes that it may hold.
    init(budget: Int) {
        chunks = .allocate(capacity: min(max(budget, 0), 1 << 31) / Self.chunkSize)
        chunks.initialize(repeating: nil)
    }

    deinit {
        for chunk in chunks { chunk?.deallocate() }
        chunks.deallocate()
    }

    /// Adds deltas. One a thread.
    final class Writer {
        private let store: DeltaStore
        private var chunk = UnsafeMutableRawPointer(bitPattern: 0)
        private var number: Position = 0
        /// Where the free part of the chunk begins.
        private var used = DeltaStore.chunkSize
        private var turn = 0

        init(_ store: DeltaStore) { self.store = store }

        /// Room for a delta; nil where it cannot be kept. It is kept once ``commit(_:)`` is called, for
        /// as many bytes.
        func room(for count: Int) -> UnsafeMutableRawBufferPointer? {
            guard count <= DeltaStore.largest else { return nil }
            if DeltaStore.chunkSize - used < count + 4 || turn != store.turn {
                guard let made = store.makeChunk() else { return nil }
                (chunk, number, used, turn) = (made.chunk, made.number, 0, store.turn)
            }
            return chunk.map { UnsafeMutableRawBufferPointer(start: $0 + used + 4, count: count) }
        }

        /// Keeps the delta that there was room made for; says where.
        func commit(_ count: Int) -> Position {
            chunk?.storeBytes(of: UInt32(count), toByteOffset: used, as: UInt32.self)
            defer { used = (used + 4 + count + 3) & ~3 }
            return number << DeltaStore.chunkShift | Position(used)
        }
    }

    private func makeChunk() -> (chunk: UnsafeMutableRawPointer, number: Position)? {
        guard madeCount.load(ordering: .relaxed) < chunks.count else { return nil }
        let number = madeCount.add(1, ordering: .relaxed).oldValue
        guard number < chunks.count else { return nil }
        let chunk =
            chunks[number] ?? .allocate(byteCount: Self.chunkSize, alignment: 16)
        chunks[number] = chunk
        return (chunk, Position(number))
    }

    /// Whether there is little room left.
    var isNearlyFull: Bool {
        madeCount.load(ordering: .relaxed) > chunks.count - chunks.count / 8 - 1
    }

    /// Lets go of all deltas; those of rows from `row` on may come. Nobody may be writing.
    func removeAll(upTo row: Int) {
        madeCount.store(0, ordering: .relaxed)
        positions.removeAll(keepingCapacity: true)
        firstRow = row
        turn += 1
    }

    /// Says which row's delta is at a place. Rows come in ascending order.
    func note(_ position: Position, row: Int) {
        while positions.count < row - firstRow { positions.append(Self.absent) }
        positions.append(position)
    }

    /// The delta of `row`, if it was kept.
    func delta(row: Int) -> UnsafeRawBufferPointer? {
        let number = row - firstRow
        guard number >= 0, number < positions.count, positions[number] != Self.absent,
            let chunk = chunks[Int(positions[number] >> Self.chunkShift)]
        else { return nil }
        let start = Int(positions[number] & (1 << Self.chunkShift - 1))
        let count = Int(chunk.load(fromByteOffset: start, as: UInt32.self))
        return UnsafeRawBufferPointer(start: chunk + start + 4, count: count)
    }
}
