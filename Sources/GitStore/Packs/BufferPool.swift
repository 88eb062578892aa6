/// Buffers that are used again and again: fresh large ones cost a page fault every 4 KiB. One a thread.
final class BufferPool {
    private var free: [UnsafeMutableRawBufferPointer] = []

    /// Buffers kept for later use, and the most bytes of one.
    private static let maximumFree = 8
    private static let largestKept = 16 << 20

    deinit { for buffer in free { buffer.deallocate() } }

    /// A buffer of at least `count` bytes, to be given back by ``give(_:)``.
    func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if let index = free.lastIndex(where: { $0.count >= count }) {
            return free.remove(at: index)
        }
        let capacity = max(1 << 16, count <= Self.largestKept ? count.nextPowerOf2 : count)
        return .allocate(byteCount: capacity, alignment: 16)
    }

    func give(_ buffer: UnsafeMutableRawBufferPointer) {
        if buffer.count > Self.largestKept {
            buffer.deallocate()
            return
        }
        if free.count == Self.maximumFree { free.removeFirst().deallocate() }
        free.append(buffer)
    }
}

extension Int {
    fileprivate var nextPowerOf2: Int {
        self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
    }
}
