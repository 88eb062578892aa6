// Paths in line-based output (git-config, core.quotePath): a path with a byte that would break the
// line stands in double quotes, and within them
//
//     \a \b \t \n \v \f \r \" \\     for those bytes
//     \ooo                           three octal digits, for every other control byte, DEL and,
//                                    where core.quotePath is on, every byte from 0x80

extension ByteString {
    /// The path as commands print it in a line; as it is where nothing needs a quote.
    ///
    /// - Parameter isHighQuoted: core.quotePath, whether bytes from 0x80 are quoted too.
    public func quoted(isHighQuoted: Bool = true) -> ByteString {
        var out: [UInt8] = [UInt8(ascii: "\"")]
        var isChanged = false
        for byte in bytes {
            if let letter = Self.letter(escaping: byte) {
                out += [UInt8(ascii: "\\"), letter]
            } else if byte < 0x20 || byte == 0x7f || (byte >= 0x80 && isHighQuoted) {
                out += [
                    UInt8(ascii: "\\"), 0x30 + byte >> 6, 0x30 + byte >> 3 & 7, 0x30 + byte & 7,
                ]
            } else {
                out.append(byte)
                continue
            }
            isChanged = true
        }
        return isChanged ? ByteString(out + [UInt8(ascii: "\"")]) : self
    }

    /// The path that a quoted one stands for, as read from a line of input; nil where the quoting is
    /// broken. What does not begin with a quote stands for itself.
    public var unquoted: ByteString? {
        guard bytes.first == UInt8(ascii: "\"") else { return self }
        guard bytes.count >= 2, bytes.last == UInt8(ascii: "\"") else { return nil }
        var out: [UInt8] = []
        var rest = bytes[1 ..< bytes.count - 1]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return nil }
            guard byte == UInt8(ascii: "\\") else {
                out.append(byte)
                continue
            }
            guard let escaped = Self.readEscape(&rest) else { return nil }
            out.append(escaped)
        }
        return ByteString(out)
    }

    private static func readEscape(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        guard let first = rest.popFirst() else { return nil }
        if let pair = escapes.first(where: { $0.letter == first }) { return pair.byte }
        var value = 0
        for digit in [first, rest.popFirst(), rest.popFirst()] {
            guard let digit, (0x30 ... 0x37).contains(digit) else { return nil }
            value = value << 3 | Int(digit & 7)
        }
        return UInt8(exactly: value)
    }

    private static func letter(escaping byte: UInt8) -> UInt8? {
        guard byte < 0x20 || byte == 0x22 || byte == 0x5c else { return nil }
        return escapes.first { $0.byte == byte }?.letter
    }

    private static let escapes: [(byte: UInt8, letter: UInt8)] = [
        (0x07, UInt8(ascii: "a")), (0x08, UInt8(ascii: "b")), (0x09, UInt8(ascii: "t")),
        (0x0a, UInt8(ascii: "n")), (0x0b, UInt8(ascii: "v")), (0x0c, UInt8(ascii: "f")),
        (0x0d, UInt8(ascii: "r")), (0x22, UInt8(ascii: "\"")), (0x5c, UInt8(ascii: "\\")),
    ]
}
