/// A part of a pack that has arrived and is not taken yet: bytes that come are put behind each other until
/// it is full; what was left of the part before is put in front.
final class ArrivalWindow: @unchecked Sendable {
    // SAFETY: bytes are written before `filled` and in front of `start` only by whoever fills it; while
    // other threads read what is between, these do not change.
    private let buffer: UnsafeMutableRawBufferPointer
    private let front: Int
    /// What is not taken yet is buffer[start ..< filled].
    private(set) var start: Int
    private(set) var filled: Int

    /// - Parameters:
    ///   - front: bytes of the part before for which there is room.
    ///   - capacity: bytes of its own.
    init(front: Int, capacity: Int) {
        buffer = .allocate(byteCount: front + capacity, alignment: 16)
        self.front = front
        (start, filled) = (front, front)
    }

    deinit { buffer.deallocate() }

    var isFull: Bool { filled == buffer.count }

    /// All that has arrived, taken or not; what is not begins at ``start``.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[..<filled]) }

    var unread: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[start ..< filled])
    }

    /// Takes in as much as there is room for; says how much.
    func fill(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
        let count = min(bytes.count, buffer.count - filled)
        UnsafeMutableRawBufferPointer(rebasing: buffer[filled ..< filled + count])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
        filled += count
        return count
    }

    func consume(_ count: Int) { start += count }

    /// Moves what is unread, no more than there is room for in front, to where `next` begins, of which
    /// nothing is taken yet; leaves this one empty.
    func moveRest(to next: ArrivalWindow) {
        let rest = unread
        next.start -= rest.count
        UnsafeMutableRawBufferPointer(rebasing: next.buffer[next.start ..< next.start + rest.count])
            .copyMemory(from: rest)
        (start, filled) = (front, front)
    }
}
