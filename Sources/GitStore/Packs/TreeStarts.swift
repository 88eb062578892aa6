internal import GitCore

/// Where the entries of a tree begin, and where the last one ends: what is needed to know which
/// entries a delta on the tree leaves as they are. At most a seventh of the tree's own bytes.
struct TreeStarts: Sendable {
    /// Ascending; the last one is the tree's size.
    let offsets: [UInt32]

    /// Trees that are larger have none.
    static let largestTree = Int(UInt32.max)

    /// Of a tree that `body` goes over with a walk, up to its end.
    init(
        _ content: UnsafeRawBufferPointer, _ format: ObjectFormat,
        _ body: (inout TreeWalk) throws(ParseError) -> Void
    ) throws(ParseError) {
        let most = content.count / TreeWalk.smallestEntry(format) + 1
        var failure: ParseError?
        offsets = [UInt32](unsafeUninitializedCapacity: most) { buffer, count in
            // SAFETY: the walk notes each entry once, and none is smaller than the smallest.
            var walk = TreeWalk(content, format, starts: buffer.baseAddress)
            do throws(ParseError) { try body(&walk) } catch { failure = error }
            count = walk.finish()
        }
        if let failure { throw failure }
    }

    /// Bytes of memory that it takes.
    var byteCount: Int { offsets.count * MemoryLayout<UInt32>.stride }

    /// Bytes of the tree.
    var treeSize: Int { Int(offsets.last ?? 0) }
}

/// Finds whole entries in parts of a tree. What is looked for is most often near what was found last,
/// and entries are of about one size: so it looks there first, and from there outwards.
struct TreeEntryFinder {
    private let offsets: [UInt32]
    /// Entries for 2^32 bytes.
    private let density: UInt64
    private var near = 0

    init(_ starts: TreeStarts) {
        offsets = starts.offsets
        let size = UInt64(max(starts.treeSize, 1))
        density = UInt64(max(offsets.count - 1, 0)) << 32 / size
    }

    /// The whole entries from the byte at `start` on that end up to the one at `limit`: their numbers.
    /// nil where no entry begins at `start`, or the first does not end in time.
    mutating func entries(from start: Int, upTo limit: Int) -> Range<Int>? {
        guard let start = UInt32(exactly: start), near < offsets.count else { return nil }
        let first = firstOffset(atLeast: start, near: near)
        guard first < offsets.count, offsets[first] == start else { return nil }
        let limit = UInt32(clamping: limit)
        guard limit > start else { return nil }
        let guess = first + Int(truncatingIfNeeded: UInt64(limit - start) &* density >> 32)
        let found = firstOffset(atLeast: limit, near: min(guess, offsets.count - 1))
        let last = found < offsets.count && offsets[found] == limit ? found : found - 1
        near = min(last + 1, offsets.count - 1)
        return last > first ? first ..< last : nil
    }

    /// The number of the first of ``offsets`` that is at least `place`; how many there are if none is.
    private func firstOffset(atLeast place: UInt32, near guess: Int) -> Int {
        var step = 1
        var low: Int
        var high: Int
        if offsets[guess] < place {
            low = guess + 1
            high = low
            while high < offsets.count, offsets[high] < place {
                low = high + 1
                high = min(high + step, offsets.count)
                step *= 2
            }
        } else {
            high = guess
            low = guess
            while low > 0, offsets[low - 1] >= place {
                high = low - 1
                low = max(low - step, 0)
                step *= 2
            }
        }
        while low < high {
            let middle = (low + high) / 2
            if offsets[middle] < place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
