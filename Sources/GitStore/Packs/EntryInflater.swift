/// What a thread of the first pass inflates entries with.
final class EntryInflater {
    let inflater = Inflater()
    private let kept: DeltaStore.Writer
    private var scratch = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    /// - Parameter store: keeps the deltas that are small enough.
    init(_ store: DeltaStore) { kept = DeltaStore.Writer(store) }

    deinit { scratch.deallocate() }

    /// Inflates a delta of `size` bytes, which must be little enough to hold.
    ///
    /// - Returns: as ``Inflater/inflate(_:into:)``, and where the delta was kept, if it was.
    func inflateDelta(
        _ stream: UnsafeRawBufferPointer, _ size: Int
    ) -> (consumed: Int, position: DeltaStore.Position?)? {
        if let room = kept.room(for: size) {
            guard let consumed = inflater.inflate(stream, into: room) else { return nil }
            return (consumed, kept.commit(size))
        }
        let room = UnsafeMutableRawBufferPointer(rebasing: scratch(size)[..<size])
        return inflater.inflate(stream, into: room).map { ($0, nil) }
    }

    /// Bytes to overwrite, at least so many.
    func scratch(_ size: Int) -> UnsafeMutableRawBufferPointer {
        if scratch.count < size {
            scratch.deallocate()
            scratch = .allocate(byteCount: size + size / 4, alignment: 16)
        }
        return scratch
    }
}
