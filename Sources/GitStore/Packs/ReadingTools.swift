internal import GitCore

/// What one thread needs to rebuild objects, used again and again.
final class ReadingTools {
    let cache: DeltaBaseCache
    let window = PackWindow()
    let inflater = Inflater()
    let stream = InflateStream()
    /// The entries of a chain of deltas, from the object down to what is at hand.
    var chain: [PackEntry] = []
    /// Where the entries begin whose kinds are being found out.
    var passed: [UInt64] = []
    private var buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: standardSize, alignment: 16)

    private static let standardSize = 1 << 16

    init(_ cache: DeltaBaseCache) { self.cache = cache }

    deinit { buffer.deallocate() }

    /// Memory of `count` bytes, good until the next call.
    func memory(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if buffer.count < count {
            buffer.deallocate()
            buffer = .allocate(byteCount: count + count / 4, alignment: 16)
        }
        return UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    }

    /// Gives memory back that a large object took.
    func shrink() {
        window.shrink()
        if chain.capacity > 8_192 { chain = [] }
        if passed.capacity > 8_192 { passed = [] }
        guard buffer.count > 1 << 20 else { return }
        buffer.deallocate()
        buffer = .allocate(byteCount: Self.standardSize, alignment: 16)
    }
}
