internal import GitCore

/// The bytes of a pack on their way out, hashed for its trailer; small pieces are put together.
final class PackOutput {
    typealias Sink = (UnsafeRawBufferPointer) throws(StoreError) -> Void

    /// Bytes that came so far.
    private(set) var count: UInt64 = 0
    private let sink: Sink
    private var hasher: PlainHasher
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
    private var used = 0
    /// What is written, as long as that is the front of a pack, is hashed no second time: the pack's own
    /// trailer is known.
    private var original: ObjectID?

    private static let size = 1 << 16

    init(_ format: ObjectFormat, _ sink: @escaping Sink) {
        hasher = PlainHasher(format)
        self.sink = sink
    }

    deinit { buffer.deallocate() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        count += UInt64(bytes.count)
        if bytes.count > buffer.count - used { try drain() }
        if bytes.count >= buffer.count { return try send(bytes) }
        UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyMemory(from: bytes)
        used += bytes.count
    }

    func write(_ bytes: [UInt8]) throws(StoreError) {
        try bytes.span.withUnsafeBytes { bytes throws(StoreError) in try write(bytes) }
    }

    /// Takes all that comes for a copy of a whole pack with this trailer, until told otherwise.
    func expectCopy(of trailer: ObjectID) { original = trailer }

    /// Hashes from here on, and first what came before, which the pack begins with.
    func hash(copiedFrom pack: Pack) throws(StoreError) {
        guard original != nil else { return }
        try drain()
        original = nil
        var position: UInt64 = 0
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { room.deallocate() }
        while position < count {
            let part = UnsafeMutableRawBufferPointer(
                rebasing: room[..<Int(min(UInt64(room.count), count - position))])
            try pack.reader().read(into: part, at: position)
            hasher.update(UnsafeRawBufferPointer(part))
            position += UInt64(part.count)
        }
    }

    /// Ends the pack; says its trailer.
    func finish() throws(StoreError) -> ObjectID {
        try drain()
        let trailer = if let original { original } else { hasher.finalize() }
        try trailer.rawBytes.span.withUnsafeBytes { bytes throws(StoreError) in try sink(bytes) }
        count += UInt64(trailer.format.byteCount)
        return trailer
    }

    private func drain() throws(StoreError) {
        guard used > 0 else { return }
        let part = UnsafeRawBufferPointer(rebasing: buffer[..<used])
        used = 0
        try send(part)
    }

    private func send(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        if original == nil { hasher.update(bytes) }
        try sink(bytes)
    }
}
