internal import GitCore

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
        /// Where its content is: in ``deltas``, or in the batch of that number.
        let place: Int
        let batch: Int
    }

    /// The part of the bytes in which entries begin.
    let range: Range<Int>
    private(set) var entries: [Entry] = []
    private(set) var batches: [HashQueue.Batch] = []
    /// The inflated deltas, one after the other.
    private(set) var deltas: [UInt8] = []
    /// The next entry to be taken.
    var next = 0

    private let format: ObjectFormat
    private var inflated = 0
    /// Bytes that may still be inflated for guesses that turn out wrong.
    private var wasteLeft = PackScan.mostWasted
    private let makeBatch: () -> HashQueue.Batch

    /// Bytes that may be inflated ahead of their time.
    private static let mostInflated = 4 << 20
    /// Larger entries are left to whoever comes to them in turn, in bytes.
    private static let largest = 1 << 20
    /// The same of the first entry, which is a guess.
    private static let largestGuess = 1 << 16
    /// Bytes that wrong guesses may inflate, together, and what each counts besides its size: a blob can
    /// be made of nothing but what looks like entries. One that was not made so costs a quarter.
    private static let mostWasted = 4 << 20
    private static let guessCost = 1 << 10

    /// - Parameter makeBatch: makes what whole objects are put in.
    init(
        _ range: Range<Int>, _ format: ObjectFormat, makeBatch: @escaping () -> HashQueue.Batch
    ) {
        self.range = range
        self.format = format
        self.makeBatch = makeBatch
    }

    /// Finds the entries that begin in the range, as far as all their bytes are there.
    ///
    /// - Parameter isStart: whether an entry is known to begin with the range.
    func run(_ bytes: UnsafeRawBufferPointer, isStart: Bool) {
        Inflater.withShared { inflater in
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
    }

    /// Takes the first place that looks like an entry; says where the next begins.
    private func guess(
        _ bytes: UnsafeRawBufferPointer, _ inflater: Inflater
    ) -> Int? {
        for position in range where isStreamBehind(bytes, position) {
            if let length = take(bytes, at: position, inflater, isGuess: true) {
                return position + length
            }
            if wasteLeft <= 0 { return nil }
        }
        return nil
    }

    /// Whether an entry's header may be here: a zlib stream begins where it would end. Nearly all
    /// places are ruled out by these few bytes.
    private func isStreamBehind(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Bool {
        var position = start
        let type = bytes[position] >> 4 & 7
        guard type != 0, type != 5 else { return false }
        func skipNumber() -> Bool {
            let end = min(position + 10, bytes.count)
            while position < end, bytes[position] & 0x80 != 0 { position += 1 }
            position += 1
            return position < end
        }
        guard skipNumber() else { return false }
        if type == 6, !skipNumber() { return false }
        if type == 7 { position += format.byteCount }
        guard position + 1 < bytes.count else { return false }
        // RFC 1950: method 8, a window of at most 32 KiB, no dictionary, and a check of five bits.
        let (method, flags) = (bytes[position], bytes[position + 1])
        return method & 15 == 8 && method >> 4 <= 7 && flags & 0x20 == 0
            && (Int(method) << 8 | Int(flags)) % 31 == 0
    }

    /// Inflates the entry at a place and notes it; nil where there is none that can be.
    private func take(
        _ bytes: UnsafeRawBufferPointer, at start: Int, _ inflater: Inflater, isGuess: Bool = false
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
        let (place, batch): (Int, Int)
        let consumed: Int?
        if case .none = header.base {
            if batches.last?.hasRoom(for: size) != true {
                batches.append(makeBatch())
            }
            let last = batches[batches.count - 1]
            consumed = inflater.inflate(stream, into: last.room(for: size))
            guard consumed != nil else { return nil }
            (place, batch) = (last.reserve(size), batches.count - 1)
        } else {
            (place, batch) = (deltas.count, 0)
            consumed = inflateDelta(stream, size, inflater)
        }
        guard let consumed else { return nil }
        inflated += size
        let length = header.length + consumed
        entries.append(
            Entry(
                start: start, length: length, header: header,
                crc: crc32(0, UnsafeRawBufferPointer(rebasing: rest[..<length])), place: place,
                batch: batch))
        return length
    }

    private func inflateDelta(
        _ stream: UnsafeRawBufferPointer, _ size: Int, _ inflater: Inflater
    ) -> Int? {
        let start = deltas.count
        deltas.append(contentsOf: repeatElement(0, count: size))
        let consumed = deltas.withUnsafeMutableBytes { buffer in
            inflater.inflate(
                stream, into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
        }
        if consumed == nil { deltas.removeLast(size) }
        return consumed
    }

    // MARK: Taking

    /// The entry that begins at `start`, if it was found here.
    func entry(at start: Int) -> Entry? {
        while next < entries.count, entries[next].start < start { next += 1 }
        return next < entries.count && entries[next].start == start ? entries[next] : nil
    }
}
