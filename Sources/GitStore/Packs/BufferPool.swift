/// The buffers of one thread that rebuilds objects, used again and again: fresh large ones cost a page
/// fault every 4 KiB.
final class BufferPool {
    private let budget: RebuildBudget
    private var free: [UnsafeMutableRawBufferPointer] = []
    private var freeBytes = 0
    /// Large buffers that are in use.
    private var largeCount = 0

    /// Buffers kept for later use, their bytes together, and the most bytes of one.
    private static let maximumFree = 8
    private static let maximumFreeBytes = 32 << 20
    static let largestKept = 16 << 20

    init(_ budget: RebuildBudget) { self.budget = budget }

    deinit { for buffer in free { buffer.deallocate() } }

    /// A buffer of at least `count` bytes, to be given back by ``give(_:)``.
    ///
    /// - Throws: ``StoreError/Code/limit``.
    func take(_ count: Int) throws(StoreError) -> UnsafeMutableRawBufferPointer {
        let buffer = takeFree(count) ?? .allocate(byteCount: Self.capacity(count), alignment: 16)
        if isLarge(buffer) {
            if largeCount == 0 { budget.beginLarge() }
            largeCount += 1
        }
        do throws(StoreError) {
            try budget.hold(buffer.count)
        } catch {
            give(buffer)
            throw error
        }
        return buffer
    }

    func give(_ buffer: UnsafeMutableRawBufferPointer) {
        budget.release(buffer.count)
        if isLarge(buffer) {
            largeCount -= 1
            if largeCount == 0 { budget.endLarge() }
        }
        guard buffer.count <= Self.largestKept else { return buffer.deallocate() }
        while free.count == Self.maximumFree || freeBytes > Self.maximumFreeBytes - buffer.count {
            let oldest = free.removeFirst()
            freeBytes -= oldest.count
            oldest.deallocate()
        }
        free.append(buffer)
        freeBytes += buffer.count
    }

    /// The smallest that is large enough.
    private func takeFree(_ count: Int) -> UnsafeMutableRawBufferPointer? {
        var best: Int?
        for (index, buffer) in free.enumerated() where buffer.count >= count {
            if let known = best, free[known].count <= buffer.count { continue }
            best = index
        }
        guard let best else { return nil }
        freeBytes -= free[best].count
        return free.remove(at: best)
    }

    private func isLarge(_ buffer: UnsafeMutableRawBufferPointer) -> Bool {
        buffer.count > RebuildBudget.largeSize
    }

    private static func capacity(_ count: Int) -> Int {
        max(1 << 16, count <= largestKept ? count.nextPowerOf2 : count)
    }
}

extension Int {
    fileprivate var nextPowerOf2: Int {
        self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
    }
}
