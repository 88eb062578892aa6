internal import GitCore
import Synchronization

/// An object that is held in memory while its deltas are rebuilt; it gives its memory back when it is
/// let go of.
final class HeldObject: @unchecked Sendable {
    // SAFETY: whoever made it fills it before others see it; from then on it is only read.
    let row: Int
    let kind: ObjectKind
    let count: Int
    /// Where the entries of a tree begin, for deltas on it.
    var starts: TreeStarts?
    fileprivate let storage: UnsafeMutableRawBufferPointer
    private let pool: BufferPool

    fileprivate init(
        _ row: Int, _ kind: ObjectKind, _ count: Int, _ storage: UnsafeMutableRawBufferPointer,
        _ pool: BufferPool
    ) {
        self.row = row
        self.kind = kind
        self.count = count
        self.storage = storage
        self.pool = pool
    }

    deinit { pool.give(storage) }

    /// To be filled by whoever took it from the pool. ``BufferPool/slack`` more bytes may be written.
    var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: storage[..<count])
    }

    var content: UnsafeRawBufferPointer { UnsafeRawBufferPointer(room) }

    /// Contents that large are held by one thread at a time.
    var isLarge: Bool { BufferPool.isLarge(storage) }
}

/// The buffers of a thread that rebuilds objects, used again and again: fresh large ones cost a page
/// fault every 4 KiB. Any thread may let go of an object of it.
final class BufferPool: @unchecked Sendable {
    // SAFETY: `state` is behind the mutex; `largeCount` belongs to the one thread that takes: large
    // objects are not shared.
    private let budget: RebuildBudget
    private let state = Mutex(Free())
    /// Large buffers that are in use.
    private var largeCount = 0

    /// The free buffers by size: 2^12 bytes, 2^13 and so on.
    private struct Free: @unchecked Sendable {
        // SAFETY: a buffer in here is in nobody's hands.
        var bySize = [[UnsafeMutableRawBufferPointer]](repeating: [], count: BufferPool.sizes)
        var bytes = 0
    }

    /// Bytes behind each content that may be read and written.
    static let slack = 64
    /// Bytes kept for later use, and the most of one buffer.
    private static let maximumFreeBytes = 4 << 20
    static let largestKept = smallest << (sizes - 1)
    private static let smallest = 1 << 12
    private static let sizes = 13

    init(_ budget: RebuildBudget) { self.budget = budget }

    deinit {
        for buffers in state.withLock({ $0.bySize }) {
            for buffer in buffers { buffer.deallocate() }
        }
    }

    /// An object of `count` bytes, to be filled: that of a row.
    ///
    /// - Throws: ``StoreError/Code/limit``.
    func take(_ row: Int, _ kind: ObjectKind, _ count: Int) throws(StoreError) -> HeldObject {
        let object = HeldObject(row, kind, count, takeBuffer(count + Self.slack), self)
        if object.isLarge {
            if largeCount == 0 { budget.beginLarge() }
            largeCount += 1
        }
        // Where this throws, letting go of the object takes it back.
        try budget.hold(object.storage.count)
        return object
    }

    private func takeBuffer(_ count: Int) -> UnsafeMutableRawBufferPointer {
        let number = Self.sizeNumber(count)
        guard number < Self.sizes else { return .allocate(byteCount: count, alignment: 64) }
        let kept = state.withLock { state in
            let kept = state.bySize[number].popLast()
            state.bytes -= kept?.count ?? 0
            return kept
        }
        return kept ?? .allocate(byteCount: Self.smallest << number, alignment: 64)
    }

    fileprivate func give(_ buffer: UnsafeMutableRawBufferPointer) {
        budget.release(buffer.count)
        if Self.isLarge(buffer) {
            largeCount -= 1
            if largeCount == 0 { budget.endLarge() }
        }
        let number = Self.sizeNumber(buffer.count)
        let isKept =
            number < Self.sizes
            && state.withLock { state in
                guard state.bytes <= Self.maximumFreeBytes - buffer.count else { return false }
                state.bytes += buffer.count
                state.bySize[number].append(buffer)
                return true
            }
        if !isKept { buffer.deallocate() }
    }

    fileprivate static func isLarge(_ buffer: UnsafeMutableRawBufferPointer) -> Bool {
        buffer.count > RebuildBudget.largeSize
    }

    /// Which size holds so many bytes.
    private static func sizeNumber(_ count: Int) -> Int {
        let pieces = (max(count, 1) - 1) / smallest
        return Int.bitWidth - pieces.leadingZeroBitCount
    }
}
