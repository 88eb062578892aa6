internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A look ahead at a part of a pack that has arrived, by a thread of its own.
///
/// Where an entry ends is known only once it is inflated, so entries are found one after the other.
/// But most of the time an entry can be recognized without knowing where the one before ends: a
/// header, then a zlib stream that inflates to just the size which the header says, with the right
/// checksum. So each part of the pack is looked through from the first such place on. That is a
/// guess: only once the entries before have led to the offset of one found here, is it, and are those
/// that follow it, truly entries (``PackStreamParser``).
final class PackScan: @unchecked Sendable {
    // SAFETY: one thread looks through the bytes; then the one that parses takes what was found.

    struct Entry {
        /// Where it begins in the bytes that were scanned.
        let start: Int
        /// Bytes of header and stream.
        let length: Int
        let header: PackEntryHeader
        let crc: UInt32
        let content: Content
    }

    /// Where the content of an entry went.
    enum Content {
        /// An object in full: into the batch of that number, at a place there.
        case object(batch: Int, place: Int)
        /// A delta: into the store, if it was kept.
        case delta(DeltaStore.Position?)
    }

    /// The part of the bytes in which entries begin.
    private(set) var range = 0 ..< 0
    private(set) var entries: [Entry] = []
    private(set) var batches: [HashQueue.Batch] = []

    private let format: ObjectFormat
    /// The next entry to be taken.
    private var next = 0
    private var inflated = 0
    /// Bytes that may still be inflated for guesses that turn out wrong.
    private var wasteLeft = 0
    private let makeBatch: () -> HashQueue.Batch

    /// Bytes that may be inflated ahead of their time.
    private static let mostInflated = 4 << 20
    /// Larger entries are left to whoever comes to them in turn, in bytes.
    private static let largest = 1 << 20
    /// The same of the first entry, which is a guess.
    private static let largestGuess = 1 << 16
    /// Bytes that wrong guesses may inflate, together, and what each counts besides its size: a blob can
    /// be made of nothing but what looks like entries. One that was not made so costs little.
    private static let mostWasted = 4 << 20
    private static let guessCost = 1 << 10

    /// - Parameter makeBatch: makes what whole objects are put in.
    init(_ format: ObjectFormat, makeBatch: @escaping () -> HashQueue.Batch) {
        self.format = format
        self.makeBatch = makeBatch
    }

    /// Makes it ready for another part of the bytes.
    func reset(_ range: Range<Int>) {
        self.range = range
        entries.removeAll(keepingCapacity: true)
        (next, inflated, wasteLeft) = (0, 0, Self.mostWasted)
    }

    /// Finds the entries that begin in the range, as far as all their bytes are there.
    ///
    /// - Parameter isStart: whether an entry is known to begin with the range.
    func run(_ bytes: UnsafeRawBufferPointer, isStart: Bool, _ inflater: EntryInflater) {
        var position = range.lowerBound
        if !isStart {
            guard let found = guess(bytes, inflater) else { return }
            position = found
        }
        while position < range.upperBound {
            guard let length = take(bytes, at: position, inflater) else { return }
            position += length
        }
    }

    /// Takes the first place that looks like an entry; says where the next begins.
    private func guess(_ bytes: UnsafeRawBufferPointer, _ inflater: EntryInflater) -> Int? {
        var position = range.lowerBound
        while let stream = nextStream(bytes, position + 1) {
            position = max(position, stream - PackEntryHeader.maximumLength)
            while position < stream {
                guard position < range.upperBound, wasteLeft > 0 else { return nil }
                if endOfHeader(bytes, position) == stream,
                    let length = take(bytes, at: position, inflater, isGuess: true)
                {
                    return position + length
                }
                position += 1
            }
        }
        return nil
    }

    /// Where the next zlib stream may begin: two bytes as nearly every program begins one with (RFC
    /// 1950: deflate, a window of 32 KiB, no dictionary). Looking for these first rules out nearly all
    /// places at once.
    private func nextStream(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        let end = min(range.upperBound + PackEntryHeader.maximumLength, bytes.count - 1)
        guard let base = bytes.baseAddress else { return nil }
        var position = start
        while position < end, let found = memchr(base + position, Self.method, end - position) {
            position = UnsafeRawPointer(found) - base
            let flags = Int32(bytes[position + 1])
            if flags & 0x20 == 0, (Self.method << 8 | flags) % 31 == 0 { return position }
            position += 1
        }
        return nil
    }

    private static let method: Int32 = 0x78

    /// Where an entry's stream would begin, were this its header.
    private func endOfHeader(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        let type = bytes[start] >> 4 & 7
        guard type != 0, type != 5 else { return nil }
        var position = start
        Self.skipNumber(bytes, &position)
        if type == 6 { Self.skipNumber(bytes, &position) }
        if type == 7 { position += format.byteCount }
        return position
    }

    private static func skipNumber(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) {
        let end = min(position + 10, bytes.count)
        while position < end, bytes[position] & 0x80 != 0 { position += 1 }
        position += 1
    }

    /// Inflates the entry at a place and notes it; nil where there is none that can be.
    private func take(
        _ bytes: UnsafeRawBufferPointer, at start: Int, _ inflater: EntryInflater,
        isGuess: Bool = false
    ) -> Int? {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
        guard let header = try? PackEntryHeader(parsing: rest, format),
            header.size <= (isGuess ? Self.largestGuess : Self.largest),
            inflated + Int(header.size) <= Self.mostInflated
        else { return nil }
        let size = Int(header.size)
        if isGuess { wasteLeft -= size + Self.guessCost }
        // No more than a usual stream takes: one could go on and on and make nothing.
        let stream = UnsafeRawBufferPointer(
            rebasing: rest[header.length...].prefix(Inflater.compressedBound(size)))
        guard let (consumed, content) = inflate(header, stream, size, inflater) else { return nil }
        inflated += size
        let length = header.length + consumed
        entries.append(
            Entry(
                start: start, length: length, header: header,
                crc: crc32(0, UnsafeRawBufferPointer(rebasing: rest[..<length])), content: content))
        return length
    }

    private func inflate(
        _ header: PackEntryHeader, _ stream: UnsafeRawBufferPointer, _ size: Int,
        _ inflater: EntryInflater
    ) -> (consumed: Int, Content)? {
        guard case .none = header.base else {
            return inflater.inflateDelta(stream, size).map { ($0.consumed, .delta($0.position)) }
        }
        if batches.last?.hasRoom(for: size) != true { batches.append(makeBatch()) }
        let last = batches[batches.count - 1]
        guard let consumed = inflater.inflater.inflate(stream, into: last.room(for: size)) else {
            return nil
        }
        return (consumed, .object(batch: batches.count - 1, place: last.reserve(size)))
    }

    // MARK: Taking

    /// The number of the entry that begins at `start`, if it was found here. Ask in ascending order.
    func entry(at start: Int) -> Int? {
        while next < entries.count, entries[next].start < start { next += 1 }
        return next < entries.count && entries[next].start == start ? next : nil
    }

    /// Hands over the batches.
    func takeBatches() -> [HashQueue.Batch] {
        defer { batches = [] }
        return batches
    }
}
