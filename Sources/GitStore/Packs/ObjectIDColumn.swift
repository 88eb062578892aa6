internal import GitCore

/// The ids of a pack's rows one after the other, zeros while unknown: in one place for all copies of the
/// table that they belong to, for threads to write their rows' into.
final class ObjectIDColumn: @unchecked Sendable {
    // SAFETY: rows are added by one thread while there is no other; from then on each is written by the
    // one thread that finds its id.
    private let format: ObjectFormat
    private(set) var count = 0
    private var storage: UnsafeMutableRawBufferPointer

    /// Rows that there is room for at first.
    private static let leastRoom = 1 << 10

    init(_ format: ObjectFormat) {
        self.format = format
        storage = .allocate(byteCount: Self.leastRoom * format.byteCount, alignment: 16)
    }

    deinit { storage.deallocate() }

    /// Adds a row.
    func append() {
        let end = (count + 1) * format.byteCount
        if storage.count < end {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: end + end / 2, alignment: 16)
            larger.copyMemory(from: bytes)
            storage.deallocate()
            storage = larger
        }
        count += 1
        self[count - 1].initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// The bytes of a row's id.
    subscript(row: Int) -> UnsafeMutableRawBufferPointer {
        let start = row * format.byteCount
        return UnsafeMutableRawBufferPointer(rebasing: storage[start ..< start + format.byteCount])
    }

    /// All of them.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[..<(count * format.byteCount)])
    }
}
