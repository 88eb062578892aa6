package import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The meanings that Git gives to the text of a value (git-config, "Values").
package enum ConfigValue {
    /// `true yes on`, `false no off` and the empty text, without case; a number is true unless zero.
    package static func bool(_ text: ByteString) -> Bool? {
        switch text.bytes.map(ConfigKey.lowercased) {
        case Array("true".utf8), Array("yes".utf8), Array("on".utf8): true
        case Array("false".utf8), Array("no".utf8), Array("off".utf8), []: false
        default:
            // Here a number of 32 bits, as in Git.
            int(text).flatMap { $0.magnitude <= Int32.max ? $0 != 0 : nil }
        }
    }

    /// A number as strtoimax(3) reads one in base 0 (`0x10`, `010`), with a unit `k`, `m` or `g` of
    /// powers of 1,024. nil for anything else, and for what a 64-bit number cannot hold.
    package static func int(_ text: ByteString) -> Int? {
        var digits = text.bytes[...].drop { $0 == 0x20 || (0x09 ... 0x0d).contains($0) }
        var unit = 1
        switch digits.last.map(ConfigKey.lowercased) {
        case 0x6b: unit = 1 << 10
        case 0x6d: unit = 1 << 20
        case 0x67: unit = 1 << 30
        default: break
        }
        if unit > 1 { digits.removeLast() }
        let isNegative = digits.first == 0x2d
        if isNegative || digits.first == 0x2b { digits.removeFirst() }
        guard let magnitude = magnitude(digits) else { return nil }
        let (value, overflow) = magnitude.multipliedReportingOverflow(by: isNegative ? -unit : unit)
        return overflow ? nil : value
    }

    private static func magnitude(_ digits: ArraySlice<UInt8>) -> Int? {
        // Int(_:radix:) would take a second sign.
        guard digits.first != 0x2b, digits.first != 0x2d else { return nil }
        let text = String(decoding: digits, as: UTF8.self)
        if text.hasPrefix("0x") || text.hasPrefix("0X") {
            let rest = text.dropFirst(2)
            guard let first = rest.utf8.first, first != 0x2b, first != 0x2d else { return nil }
            return Int(rest, radix: 16)
        }
        return Int(text, radix: text.hasPrefix("0") ? 8 : 10)
    }

    /// A path: `~/` stands for `home`, `~user/` for that user's directory. nil where there is no such
    /// directory.
    static func path(_ text: ByteString, home: ByteString?) -> ByteString? {
        guard text.bytes.first == 0x7e else { return text }
        let user = text.bytes.dropFirst().prefix { $0 != 0x2f }
        let rest = ByteString(text.bytes.dropFirst(1 + user.count))
        if user.isEmpty { return home.map { $0 + rest } }
        return Account(named: ByteString(user)).map { $0.home + rest }
    }
}
