internal import GitCore

/// Makes deltas on one base (Delta.swift has their layout).
///
/// The base's blocks of sixteen bytes, one every few bytes, are in a hash table. For each place of the
/// target the block there is looked up; what is found is made longer at both ends, and the longest of a
/// few is taken. What lies between is inserted.
final class DeltaIndex {
    private let base: [UInt8]
    /// Bytes from one block to the next.
    private let stride: Int
    private let shift: UInt64
    /// For each hash, the number of a block and one; 0 for none.
    private var heads: [UInt32]
    /// For each block, the next one of the same hash.
    private var next: [UInt32]

    /// Bytes of a block.
    private static let block = 16
    /// Bases of more bytes than this have fewer blocks.
    private static let fineLimit = 1 << 18
    /// Blocks of one hash that are compared: what repeats itself would take for ever else.
    private static let mostCompared = 24
    /// Longest run of bytes that one instruction copies: readers of old packs know no more.
    private static let longestCopy = 0x10000

    init(_ base: [UInt8]) {
        self.base = base
        stride = base.count <= Self.fineLimit ? 8 : base.count <= 1 << 28 ? 16 : 64
        let count = base.count < Self.block ? 0 : (base.count - Self.block) / stride + 1
        let bits = max(4, Int.bitWidth - count.leadingZeroBitCount)
        shift = UInt64(64 - bits)
        heads = Array(repeating: 0, count: 1 << bits)
        next = Array(repeating: 0, count: count)
        fill(count)
    }

    /// Bytes of memory that it takes, the base left out.
    var byteCount: Int { (heads.count + next.count) * 4 }

    private func fill(_ count: Int) {
        let (stride, shift) = (stride, shift)
        base.withUnsafeBytes { base in
            heads.withUnsafeMutableBufferPointer { heads in
                next.withUnsafeMutableBufferPointer { next in
                    var last = -1
                    // From the end on, so that the first block of a hash is the foremost.
                    for number in (0 ..< count).reversed() {
                        let hash = Self.hash(base, number &* stride, shift)
                        // Of blocks in a row that are alike, the foremost does.
                        if hash == last, heads[hash] == UInt32(number &+ 2) {
                            next[number] = next[number &+ 1]
                        } else {
                            next[number] = heads[hash]
                        }
                        heads[hash] = UInt32(truncatingIfNeeded: number &+ 1)
                        last = hash
                    }
                }
            }
        }
    }

    @inline(__always)
    private static func hash(
        _ bytes: UnsafeRawBufferPointer, _ position: Int, _ shift: UInt64
    ) -> Int {
        // SAFETY: the callers see to it that a block begins at `position`.
        let start = bytes.baseAddress.unsafelyUnwrapped + position
        let first = start.loadUnaligned(as: UInt64.self)
        let second = start.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        let mixed = (first &* 0x9e37_79b9_7f4a_7c15) ^ (second &* 0xc2b2_ae3d_27d4_eb4f)
        return Int(truncatingIfNeeded: ((mixed ^ mixed >> 29) &* 0xd6e8_feb8_6659_fd93) >> shift)
    }

    // MARK: Deltas

    /// The delta that makes `target`; nil where it would have more than `limit` bytes, or so few that
    /// nobody takes it for a delta.
    func delta(to target: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        var out: [UInt8] = []
        Self.appendSize(base.count, &out)
        Self.appendSize(target.count, &out)
        let isDone = base.withUnsafeBytes { base in
            heads.withUnsafeBufferPointer { heads in
                next.withUnsafeBufferPointer { next in
                    var search = Search(
                        base: base, target: target, heads: heads, next: next, stride: stride,
                        shift: shift)
                    return search.run(&out, limit)
                }
            }
        }
        return isDone && out.count >= Delta.minimumLength ? out : nil
    }

    private static func appendSize(_ size: Int, _ out: inout [UInt8]) {
        var rest = size
        while rest > 0x7f {
            out.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(rest))
    }

    /// One pass over a target.
    private struct Search {
        let base: UnsafeRawBufferPointer
        let target: UnsafeRawBufferPointer
        let heads: UnsafeBufferPointer<UInt32>
        let next: UnsafeBufferPointer<UInt32>
        let stride: Int
        let shift: UInt64

        mutating func run(_ out: inout [UInt8], _ limit: Int) -> Bool {
            var position = 0
            // What lies from here to `position` is to be inserted.
            var start = 0
            while position &+ DeltaIndex.block <= target.count {
                guard var found = longest(at: position) else {
                    position &+= 1
                    if position &- start > limit &- out.count { return false }
                    continue
                }
                while found.offset > 0, position > start,
                    base[found.offset &- 1] == target[position &- 1]
                {
                    found.offset &-= 1
                    found.length &+= 1
                    position &-= 1
                }
                insert(start ..< position, &out)
                copy(found, &out)
                if out.count > limit { return false }
                position &+= found.length
                start = position
            }
            insert(start ..< target.count, &out)
            return out.count <= limit
        }

        /// The longest piece of the base, of a block at least, that stands at `position`.
        @inline(__always)
        private func longest(at position: Int) -> (offset: Int, length: Int)? {
            var entry = heads[DeltaIndex.hash(target, position, shift)]
            var best = (offset: 0, length: 0)
            var left = DeltaIndex.mostCompared
            while entry != 0, left > 0 {
                let number = Int(entry) &- 1
                let offset = number &* stride
                // It has to be longer than the best so far to be of any use.
                let length = common(offset, position)
                if length > best.length { best = (offset, length) }
                if length > 1 << 12 { break }
                entry = next[number]
                left &-= 1
            }
            return best.length >= DeltaIndex.block ? best : nil
        }

        /// How many bytes from the two places on are equal.
        @inline(__always)
        private func common(_ offset: Int, _ position: Int) -> Int {
            let most = min(base.count &- offset, target.count &- position)
            // SAFETY: no word reaches past `most` bytes of either.
            let one = base.baseAddress.unsafelyUnwrapped + offset
            let other = target.baseAddress.unsafelyUnwrapped + position
            var length = 0
            while length &+ 8 <= most {
                let difference =
                    one.loadUnaligned(fromByteOffset: length, as: UInt64.self)
                    ^ other.loadUnaligned(fromByteOffset: length, as: UInt64.self)
                if difference != 0 {
                    return length &+ UInt64(littleEndian: difference).trailingZeroBitCount >> 3
                }
                length &+= 8
            }
            while length < most, base[offset &+ length] == target[position &+ length] {
                length &+= 1
            }
            return length
        }

        private func insert(_ range: Range<Int>, _ out: inout [UInt8]) {
            var start = range.lowerBound
            while start < range.upperBound {
                let count = min(0x7f, range.upperBound - start)
                out.append(UInt8(count))
                out.append(
                    contentsOf: UnsafeRawBufferPointer(rebasing: target[start ..< start + count]))
                start += count
            }
        }

        private func copy(_ piece: (offset: Int, length: Int), _ out: inout [UInt8]) {
            var (offset, rest) = piece
            while rest > 0 {
                let count = min(rest, DeltaIndex.longestCopy)
                let place = out.count
                out.append(0x80)
                for (bit, shift) in [0, 8, 16, 24].enumerated() {
                    let byte = UInt8(truncatingIfNeeded: offset >> shift)
                    if byte != 0 {
                        out.append(byte)
                        out[place] |= 1 << bit
                    }
                }
                // A size of 0x10000 is written as 0.
                for (bit, shift) in [0, 8].enumerated() where count != DeltaIndex.longestCopy {
                    let byte = UInt8(truncatingIfNeeded: count >> shift)
                    if byte != 0 {
                        out.append(byte)
                        out[place] |= 0x10 << bit
                    }
                }
                offset += count
                rest -= count
            }
        }
    }
}
