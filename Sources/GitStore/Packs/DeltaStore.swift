/// Deltas that were inflated to find where their entries end, kept until they are applied so that they
/// need not be inflated twice; no more than a budget of bytes.
struct DeltaStore {
    /// Bytes that it may hold.
    let budget: Int
    private var chunks: [UnsafeMutableRawBufferPointer] = []
    /// Where the free part of the last chunk begins.
    private var used = 0
    /// For each row where its delta is; a delta's bytes follow their number in four bytes.
    private var positions: [UInt32] = []

    private static let chunkShift: UInt32 = 20
    private static let absent = UInt32.max
    /// Larger deltas are not kept, in bytes: small ones are the most, and cost the most to inflate
    /// for their size. (Of git.git's 310,000 deltas, 306,000 are up to 16 KiB, 188 of 388 MiB.)
    private let largest: Int

    init(budget: Int) {
        self.budget = min(budget, 1 << 31)
        largest = min(max(budget >> 13, 1 << 10), 1 << 16)
    }

    /// Gives the memory back. Nothing may be looked up afterwards.
    mutating func removeAll() {
        for chunk in chunks { chunk.deallocate() }
        chunks = []
        positions = []
    }

    /// Room to keep the delta of `row`; nil where it cannot be kept. It is kept once ``commit(row:)``
    /// is called, for the bytes last asked for.
    mutating func room(for count: Int) -> UnsafeMutableRawBufferPointer? {
        guard count <= largest else { return nil }
        let size = 1 << Int(Self.chunkShift)
        if chunks.isEmpty || size - used < count + 4 {
            guard (chunks.count + 1) * size <= budget else { return nil }
            chunks.append(.allocate(byteCount: size, alignment: 16))
            used = 0
        }
        let chunk = chunks[chunks.count - 1]
        chunk.storeBytes(of: UInt32(count), toByteOffset: used, as: UInt32.self)
        return UnsafeMutableRawBufferPointer(rebasing: chunk[(used + 4) ..< (used + 4 + count)])
    }

    mutating func commit(row: Int, _ count: Int) {
        while positions.count < row { positions.append(Self.absent) }
        positions.append(UInt32(chunks.count - 1) << Self.chunkShift | UInt32(used))
        used = (used + 4 + count + 3) & ~3
    }

    /// The delta of `row`, if it was kept.
    func delta(row: Int) -> UnsafeRawBufferPointer? {
        guard row < positions.count, positions[row] != Self.absent else { return nil }
        let chunk = chunks[Int(positions[row] >> Self.chunkShift)]
        let start = Int(positions[row] & (1 << Self.chunkShift - 1))
        let count = Int(chunk.load(fromByteOffset: start, as: UInt32.self))
        return UnsafeRawBufferPointer(rebasing: chunk[(start + 4) ..< (start + 4 + count)])
    }
}
