internal import GitCore

/// Goes over a tree's content (its layout stands in Tree.swift) from entry to entry, and notes where
/// each begins if there is somewhere to note it.
///
/// TreeReader would build a name and an entry for each of the hundreds of millions of entries of a
/// large repository; this looks only for modes' and names' ends, eight bytes at a time.
struct TreeWalk {
    private let content: UnsafeRawBufferPointer
    private let width: Int
    private(set) var position = 0
    /// Has room for every entry and the end.
    private let starts: UnsafeMutablePointer<UInt32>?
    private var count = 0

    init(
        _ content: UnsafeRawBufferPointer, _ format: ObjectFormat,
        starts: UnsafeMutablePointer<UInt32>? = nil
    ) {
        self.content = content
        self.starts = starts
        width = format.byteCount
    }

    var isAtEnd: Bool { position >= content.count }

    /// A mode of five digits, a space, a name of one byte, NUL and the id.
    static func smallestEntry(_ format: ObjectFormat) -> Int { 8 + format.byteCount }

    /// Goes over the next entry; says where its id is, nil for a gitlink.
    ///
    /// - Throws: ``ParseError``.
    @inline(__always)
    mutating func next() throws(ParseError) -> UnsafeRawPointer? {
        let start = position
        // SAFETY: reads eight bytes at a time, and asks first that they are in `content`.
        guard content.count &- start >= 8, let base = content.baseAddress else {
            throw shortEntry(start)
        }
        let head = word(base, start)
        let modeLength = Self.firstZero(head ^ Self.spaces)
        guard modeLength == 6 || modeLength == 5 else {
            throw ParseError("malformed mode in tree", at: start)
        }
        let nameStart = start &+ modeLength &+ 1
        // The NUL is before `limit`, and at least 20 bytes are after it.
        let limit = content.count &- width
        var end = nameStart
        while end < limit {
            let length = Self.firstZero(word(base, end))
            end &+= length
            if length < 8 { break }
        }
        guard end > nameStart, end < limit else {
            throw ParseError("truncated tree entry", at: start)
        }
        note(start)
        position = end &+ 1 &+ width
        let isGitlink = modeLength == 6 && head & 0xffff == 0x3631
        return isGitlink ? nil : base + (end &+ 1)
    }

    /// Goes over entries that are known, from another tree that has the same bytes there.
    ///
    /// - Throws: ``ParseError`` where this tree is too short to have them.
    mutating func skip(_ entries: Range<Int>, of base: TreeStarts) throws(ParseError) {
        let start = Int(base.offsets[entries.lowerBound])
        let end = position &+ Int(base.offsets[entries.upperBound]) &- start
        guard end <= content.count else {
            throw ParseError("truncated tree entry", at: position)
        }
        if let starts {
            let shift = UInt32(truncatingIfNeeded: position &- start)
            base.offsets.withUnsafeBufferPointer { offsets in
                let known = UnsafeBufferPointer(rebasing: offsets[entries])
                let new = starts + count
                for index in 0 ..< known.count { new[index] = known[index] &+ shift }
            }
            count &+= entries.count
        }
        position = end
    }

    /// Notes the end; says how many places were noted.
    mutating func finish() -> Int {
        note(position)
        return count
    }

    private mutating func note(_ place: Int) {
        guard let starts else { return }
        starts[count] = UInt32(truncatingIfNeeded: place)
        count &+= 1
    }

    private static let spaces: UInt64 = 0x2020_2020_2020_2020

    @inline(__always)
    private func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The number of the first byte, from the lowest on, that is zero; 8 if none is.
    @inline(__always)
    private static func firstZero(_ word: UInt64) -> Int {
        // Sets the top bit of the first zero byte; above it of others, too.
        let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
        return zeros.trailingZeroBitCount >> 3
    }

    /// What is wrong with an entry of fewer than eight bytes.
    private func shortEntry(_ start: Int) -> ParseError {
        let rest = content[start...]
        let modeLength = rest.prefix { $0 != 0x20 }.count
        let isMode = (5 ... 6).contains(modeLength)
        return ParseError(isMode ? "truncated tree entry" : "malformed mode in tree", at: start)
    }
}
