#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Bytes to hash and to copy in the place of the objects: objects of the pack, spread evenly over it,
/// one after the other, as many as stay in a processor's cache. An object of n bytes is stood for by n
/// of these, from where the last one ended.
struct Content {
    /// What is read again and again: more than the second-level cache, less than the third.
    static let size = 4 << 20

    let bytes: UnsafeRawBufferPointer

    init(_ pack: MappedPack, _ entries: [PackEntry]) throws(Failure) {
        let largest = entries.reduce(1) { max($0, $1.unpacked) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(Self.size, largest), alignment: 64)
        var filled = try Self.fill(buffer, pack, entries.filter { !$0.isDelta && $0.unpacked > 0 })
        guard filled > 0 else { throw Failure("the pack has no object that is no delta") }
        // Little in the pack, or one object larger than the rest: again from the start.
        while filled < buffer.count {
            let more = min(filled, buffer.count - filled)
            buffer[filled...].copyBytes(from: UnsafeRawBufferPointer(buffer)[..<more])
            filled += more
        }
        bytes = UnsafeRawBufferPointer(buffer)
    }

    private static func fill(
        _ buffer: UnsafeMutableRawBufferPointer, _ pack: MappedPack, _ whole: [PackEntry]
    ) throws(Failure) -> Int {
        let inflater = try Inflater()
        let step = max(1, whole.reduce(0) { $0 + $1.unpacked } / size)
        var filled = 0
        for entry in stride(from: 0, to: whole.count, by: step).lazy.map({ whole[$0] }) {
            guard filled < size else { break }
            let object = try inflater.inflate(pack.bytes, at: entry.stream, size: entry.inflated)
                .output
            let taken = min(object.count, size - filled)
            buffer[filled...].copyBytes(from: object[..<taken])
            filled += taken
        }
        return filled
    }

    /// Bytes in the place of each entry's object.
    func objects(_ entries: [PackEntry]) -> some Sequence<UnsafeRawBufferPointer> {
        var position = 0
        return entries.lazy.map { entry in
            if position + entry.unpacked > Self.size { position = 0 }
            defer { position += entry.unpacked }
            return UnsafeRawBufferPointer(rebasing: bytes[position ..< position + entry.unpacked])
        }
    }
}
