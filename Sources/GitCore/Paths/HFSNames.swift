/// Names that HFS+ takes for another: it passes over some invisible code points, and over case.
package enum HFSNames {
    /// Whether `name` is taken for `expected`, which is lower-case ASCII.
    ///
    /// What follows bytes that are not UTF-8 is left out of the comparison, as in Git.
    package static func isTaken(_ name: Span<UInt8>, for expected: StaticString) -> Bool {
        var matched = 0
        var index = 0
        while index < name.count {
            let byte = name[index]
            if byte < 0x80 {
                guard matched < expected.utf8CodeUnitCount,
                    lowercased(byte) == expected.utf8Start[matched]
                else { return false }
                matched += 1
                index += 1
            } else if isIgnored(name, at: index) {
                index += 3
            } else {
                return matched == expected.utf8CodeUnitCount && !isScalar(name, at: index)
            }
        }
        return matched == expected.utf8CodeUnitCount
    }

    /// Whether one of U+200C…200F, U+202A…202E, U+206A…206F and U+FEFF stands at `index`.
    private static func isIgnored(_ name: Span<UInt8>, at index: Int) -> Bool {
        guard index + 2 < name.count else { return false }
        let last = name[index + 2]
        switch (name[index], name[index + 1]) {
        case (0xe2, 0x80): return (0x8c ... 0x8f).contains(last) || (0xaa ... 0xae).contains(last)
        case (0xe2, 0x81): return (0xaa ... 0xaf).contains(last)
        case (0xef, 0xbb): return last == 0xbf
        default: return false
        }
    }

    /// Whether a code point well-formed in UTF-8 begins at `index`.
    private static func isScalar(_ name: Span<UInt8>, at index: Int) -> Bool {
        var bytes: [UInt8] = []
        for position in index ..< min(index + 4, name.count) { bytes.append(name[position]) }
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        if case .scalarValue = decoder.decode(&iterator) { return true }
        return false
    }
}
