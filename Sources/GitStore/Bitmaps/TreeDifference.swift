internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What a tree has and another does not, by going over both in their order. Where one of them is out of
/// order, more may be found than that, and never less.
enum TreeDifference {
    struct Link {
        let id: RawObjectID
        let isTree: Bool
        /// The tree that the other has under the same name.
        let base: RawObjectID?
    }

    /// The links of `new` that `old` does not have under the same name; gitlinks left out.
    static func links(
        of new: UnsafeRawBufferPointer, besides old: UnsafeRawBufferPointer,
        _ format: ObjectFormat
    ) throws(ParseError) -> [Link] {
        var (walk, other) = (TreeWalk(new, format), TreeWalk(old, format))
        var links: [Link] = []
        var known = try Entry(reading: &other, old, format)
        while let entry = try Entry(reading: &walk, new, format) {
            var order = known?.compare(entry) ?? 1
            while order < 0 {
                known = try Entry(reading: &other, old, format)
                order = known?.compare(entry) ?? 1
            }
            guard let id = entry.id else { continue }
            if order == 0, known?.id == id { continue }
            links.append(
                Link(
                    id: id, isTree: entry.isTree,
                    base: order == 0 && entry.isTree ? known?.id : nil))
        }
        return links
    }

    private struct Entry {
        let name: UnsafeRawBufferPointer
        let isTree: Bool
        /// nil for a gitlink.
        let id: RawObjectID?

        /// nil at the end.
        @inline(__always)
        init?(
            reading walk: inout TreeWalk, _ bytes: UnsafeRawBufferPointer, _ format: ObjectFormat
        ) throws(ParseError) {
            guard !walk.isAtEnd else { return nil }
            let start = walk.position
            let place = try walk.next()
            // SAFETY: the walk found a mode of five or six digits, a space, a name and a NUL.
            let end = walk.position &- format.byteCount &- 1
            let modeLength = bytes[start &+ 5] == 0x20 ? 5 : 6
            isTree =
                bytes[start] == 0x34 || (bytes[start] == 0x30 && bytes[start &+ 1] == 0x34)
            name = UnsafeRawBufferPointer(rebasing: bytes[start &+ modeLength &+ 1 ..< end])
            id = place.map { RawObjectID($0, format) }
        }

        /// Below, at or above 0 as the entry is before, at or behind the place of `other`. A tree's name
        /// is sorted as if it ended with a slash.
        @inline(__always)
        func compare(_ other: Entry) -> Int32 {
            let count = min(name.count, other.name.count)
            if count > 0, let first = name.baseAddress, let second = other.name.baseAddress {
                // SAFETY: both names have `count` bytes.
                let order = memcmp(first, second, count)
                if order != 0 { return order }
            }
            return Int32(next(count)) - Int32(other.next(count))
        }

        @inline(__always)
        private func next(_ place: Int) -> UInt8 {
            place < name.count ? name[place] : isTree ? 0x2f : 0
        }
    }
}
