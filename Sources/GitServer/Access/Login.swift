public import GitCore

// The field Authorization (RFC 9110, 11.6.2):
//
//     Basic <base64 of name ":" password>      RFC 7617
//     Bearer <token>                           RFC 6750

/// What a client says to prove who it is.
public enum Login: Sendable {
    case password(name: ByteString, password: ByteString)
    case token(ByteString)

    /// nil for what is neither, or holds control characters.
    init?(_ field: ByteString) {
        let parts = field.bytes.split(separator: 0x20, maxSplits: 1)
        guard parts.count == 2, field.count <= Self.longest else { return nil }
        let value = parts[1].drop { $0 == 0x20 }
        switch ByteString(parts[0].map(\.lowercased)) {
        case "basic":
            guard let text = Self.base64(value),
                let colon = text.firstIndex(of: UInt8(ascii: ":")),
                !text.contains(where: \.isControl)
            else { return nil }
            self = .password(
                name: ByteString(text[..<colon]), password: ByteString(text[(colon + 1)...]))
        case "bearer":
            guard !value.isEmpty, value.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
            self = .token(ByteString(value))
        default: return nil
        }
    }

    /// Whose login it says it is; nil for a token alone.
    var name: ByteString? {
        if case .password(let name, _) = self { name } else { nil }
    }

    private static let longest = 8_192

    private static func base64(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0, !text.isEmpty else { return nil }
        let padding = text.suffix(2).count { $0 == UInt8(ascii: "=") }
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        for (index, byte) in text.dropLast(padding).enumerated() {
            guard let value = base64Value(byte) else { return nil }
            bits = bits << 6 | value
            if index % 4 == 3 {
                bytes += [UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
                bits = 0
            }
        }
        switch padding {
        case 1: bytes += [UInt8(bits >> 10 & 255), UInt8(bits >> 2 & 255)]
        case 2: bytes.append(UInt8(bits >> 4 & 255))
        default: break
        }
        return bytes
    }

    private static func base64Value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A") ... UInt8(ascii: "Z"): UInt32(byte) - 65
        case UInt8(ascii: "a") ... UInt8(ascii: "z"): UInt32(byte) - 71
        case UInt8(ascii: "0") ... UInt8(ascii: "9"): UInt32(byte) + 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
func areEqualSecrets(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in a.indices { difference |= a[index] ^ b[index] }
    return difference == 0
}
