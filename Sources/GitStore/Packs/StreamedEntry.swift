internal import GitCore

/// An entry of a pack that is inflated piece by piece as it arrives, since it is large.
final class StreamedEntry {
    let header: PackEntryHeader
    let row: Int
    /// CRC-32 of the entry's bytes so far.
    private(set) var crc: UInt32
    private let target: Target
    private let inflate = InflateStream()
    private var produced: UInt64 = 0
    /// Of a blob, which has no links and need not be held.
    private var hasher: ObjectHasher?

    /// Where what it inflates to goes.
    enum Target {
        /// Through a hash: a blob.
        case hash(ObjectFormat)
        /// To memory that has the room: an object with links.
        case memory(UnsafeMutableRawBufferPointer)
        /// Nowhere: a delta, that is read again later.
        case nothing
    }

    /// - Parameter bytes: the entry's header as it stands in the pack.
    init(_ header: PackEntryHeader, _ bytes: UnsafeRawBufferPointer, row: Int, to target: Target) {
        self.header = header
        self.row = row
        self.target = target
        crc = crc32(0, bytes)
        if case .hash(let format) = target {
            hasher = ObjectHasher(format)
            hasher?.updateHeader(.blob, size: header.size)
        }
    }

    var isFinished: Bool { inflate.isFinished }

    /// Inflates a piece; says how much of the input it took: nothing where there is none.
    ///
    /// - Parameter scratch: where what is not held is inflated to.
    func advance(
        _ input: UnsafeRawBufferPointer, _ scratch: UnsafeMutableRawBufferPointer
    ) throws(ParseError) -> Int {
        let step: (consumed: Int, produced: Int)
        if case .memory(let content) = target {
            let rest = UnsafeMutableRawBufferPointer(rebasing: content[Int(produced)...])
            step = try inflate.inflate(input, into: rest)
        } else {
            step = try inflate.inflate(input, into: scratch)
            hasher?.update(UnsafeRawBufferPointer(rebasing: scratch[..<step.produced]))
        }
        crc = crc32(crc, UnsafeRawBufferPointer(rebasing: input.prefix(step.consumed)))
        produced += UInt64(step.produced)
        let isStuck = step == (0, 0) && !isFinished && !input.isEmpty
        guard produced <= header.size, !(isStuck && produced == header.size) else {
            throw ParseError("object inflates to more than it declares", at: 0)
        }
        guard !isStuck else { throw ParseError("corrupt zlib stream", at: 0) }
        guard !isFinished || produced == header.size else {
            throw ParseError("object inflates to less than it declares", at: 0)
        }
        return step.consumed
    }

    /// The id of a blob, once it is finished.
    func finalize() throws(CollisionError) -> ObjectID? {
        guard var hasher = hasher.take() else { return nil }
        return try hasher.finalize()
    }
}
