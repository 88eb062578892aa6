internal import GitCore

/// A part of a pack file in memory, in a buffer that is used again and again. One a thread.
///
/// What is read here and there comes in small parts; while reading goes on where the last part ended,
/// each part is twice the last.
final class PackWindow {
    /// What is often asked of a pack that is being read from.
    struct Extent {
        /// Where the trailer begins.
        let end: UInt64
        let entryCount: Int
    }

    private struct OpenPack {
        let number: UInt64
        let reader: PackReader
        let extent: Extent
    }

    private var buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: mostSize, alignment: 16)
    private var current: OpenPack?
    /// What part of the file the buffer holds.
    private var start: UInt64 = 0
    private var count = 0

    /// Fewest and most bytes that are read at a time, unless more are asked for.
    private static let leastSize = 1 << 12
    private static let mostSize = 1 << 17

    deinit { buffer.deallocate() }

    /// The pack's bytes from `offset` on, at least `least` of them or all up to the trailer; valid
    /// until the next call.
    func bytes(
        of pack: Pack, at offset: UInt64, atLeast least: Int
    ) throws(StoreError) -> UnsafeRawBufferPointer {
        let end = try turn(to: pack).end
        let rest = end - min(end, offset)
        let least = Int(min(UInt64(least), rest))
        if offset >= start, offset - start <= UInt64(count), UInt64(least) <= inside(offset) {
            return part(from: offset)
        }
        let goesOn = offset >= start && offset - start <= UInt64(count)
        let usual = goesOn ? min(max(count, Self.leastSize) * 2, Self.mostSize) : Self.leastSize
        try fill(open(pack).reader, at: offset, Int(min(UInt64(max(least, usual)), rest)))
        return part(from: offset)
    }

    /// Gives memory back that one large entry took.
    func shrink() {
        guard buffer.count > Self.mostSize else { return }
        buffer.deallocate()
        buffer = .allocate(byteCount: Self.mostSize, alignment: 16)
        count = 0
    }

    /// Opens the pack, if need be, and says how large it is.
    func turn(to pack: Pack) throws(StoreError) -> Extent {
        if let current, current.number == pack.number { return current.extent }
        return try open(pack).extent
    }

    private func open(_ pack: Pack) throws(StoreError) -> OpenPack {
        if let current, current.number == pack.number { return current }
        let extent = Extent(end: try pack.end(), entryCount: try pack.index().count)
        let open = OpenPack(number: pack.number, reader: try pack.reader(), extent: extent)
        (start, count) = (0, 0)
        current = open
        return open
    }

    private func inside(_ offset: UInt64) -> UInt64 { UInt64(count) - (offset - start) }

    private func part(from offset: UInt64) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[Int(offset - start) ..< count])
    }

    private func fill(
        _ reader: PackReader, at offset: UInt64, _ wanted: Int
    ) throws(StoreError) {
        count = 0
        if buffer.count < wanted {
            buffer.deallocate()
            buffer = .allocate(byteCount: wanted + wanted / 4, alignment: 16)
        }
        try reader.read(
            into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset)
        (start, count) = (offset, wanted)
    }
}
