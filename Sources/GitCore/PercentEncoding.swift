// Percent escapes and the classes of bytes in a URL (RFC 3986).

package extension UInt8 {
    var isLetter: Bool { (UInt8(ascii: "a") ... UInt8(ascii: "z")).contains(self | 0x20) }
    var isDigit: Bool { (UInt8(ascii: "0") ... UInt8(ascii: "9")).contains(self) }
    var isControl: Bool { self < 0x20 || self == 0x7f }
    /// isspace(3) in the C locale.
    var isWhiteSpace: Bool { self == 0x20 || (0x09 ... 0x0d).contains(self) }

    var lowercased: UInt8 {
        (UInt8(ascii: "A") ... UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }

    var hexValue: UInt8? {
        switch self {
        case UInt8(ascii: "0") ... UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a") ... UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A") ... UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Letters, digits and `+ - .`
    var isSchemeByte: Bool { isLetter || isDigit || "+-.".utf8.contains(self) }
    /// Letters, digits and `- . _`: no escapes, nothing outside ASCII.
    var isHostByte: Bool { isLetter || isDigit || "-._".utf8.contains(self) }
    var endsAuthority: Bool { "/?#".utf8.contains(self) }
    /// What means the same escaped or not.
    var isUnreserved: Bool { isLetter || isDigit || "-._~".utf8.contains(self) }
    /// What may stand in a path or query as it is; `%` begins an escape.
    var isResourceByte: Bool { isLetter || isDigit || "-._~!$&'()*+,;=:@/?%".utf8.contains(self) }
}

package extension Sequence<UInt8> {
    /// The bytes with each `%XX` replaced; nil where two hexadecimal digits do not follow a `%`.
    var percentDecoded: [UInt8]? {
        var decoded: [UInt8] = []
        var bytes = makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%") else {
                decoded.append(byte)
                continue
            }
            guard let high = bytes.next()?.hexValue, let low = bytes.next()?.hexValue else {
                return nil
            }
            decoded.append(high << 4 | low)
        }
        return decoded
    }

    /// The bytes with the escapes undone that need not be, and the others in upper case: equal for
    /// URLs that are equivalent.
    var percentNormalized: [UInt8] {
        var normalized: [UInt8] = []
        var bytes = makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%") else {
                normalized.append(byte)
                continue
            }
            let digits = [bytes.next(), bytes.next()].compactMap(\.self)
            if let meant = ([byte] + digits).percentDecoded?.first, meant.isUnreserved {
                normalized.append(meant)
            } else {
                normalized.append(byte)
                for digit in digits { normalized.append(digit.isLetter ? digit & 0xdf : digit) }
            }
        }
        return normalized
    }

    /// The bytes with all that a path or query cannot hold as it is escaped; escapes stay.
    var percentEscaped: [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var escaped: [UInt8] = []
        for byte in self {
            if byte.isResourceByte {
                escaped.append(byte)
            } else {
                escaped += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return escaped
    }
}

package extension ArraySlice<UInt8> {
    /// A path with its `.` and `..` components, escaped or not, resolved; it begins with a slash.
    var withoutDotSegments: [UInt8] {
        var kept: [ArraySlice<UInt8>] = []
        let components = split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .dropFirst()
        for (index, component) in components.enumerated() {
            let isLast = index == components.count - 1
            switch component.percentDecoded {
            case [UInt8(ascii: ".")]: if isLast { kept.append([]) }
            case [UInt8(ascii: "."), UInt8(ascii: ".")]:
                _ = kept.popLast()
                if isLast { kept.append([]) }
            default: kept.append(component)
            }
        }
        return kept.isEmpty
            ? [UInt8(ascii: "/")] : kept.flatMap { [UInt8(ascii: "/")] + $0 }
    }
}
