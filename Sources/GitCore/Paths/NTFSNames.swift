/// Names that NTFS, or Windows above it, takes for another.
///
/// Spaces and periods at the end of a name do not count; after a colon comes the name of a stream of
/// the same file (`.git::$INDEX_ALLOCATION` is the directory itself); and a file has a short name of
/// eight characters beside its own: the first six and `~1`, from the fifth such file on two letters
/// and four digits of a hash.
package enum NTFSNames {
    /// Whether `name` is taken for `.git`.
    package static func isDotGit(_ name: Span<UInt8>) -> Bool {
        if hasPrefixIgnoringCase(name, ".git") { return isPadding(name, from: 4) }
        if hasPrefixIgnoringCase(name, "git~1") { return isPadding(name, from: 5) }
        return false
    }

    /// Whether `name` is taken for a longer name that begins with a period.
    ///
    /// - Parameters:
    ///   - expected: that name, in lower case.
    ///   - hashed: the six characters that its short name begins with where a hash is needed: two
    ///     letters and four digits.
    package static func isTaken(
        _ name: Span<UInt8>, for expected: StaticString, hashed: StaticString
    ) -> Bool {
        if hasPrefixIgnoringCase(name, expected) {
            return isPadding(name, from: expected.utf8CodeUnitCount)
        }
        return isNumberedShortName(name, expected) || isHashedShortName(name, hashed)
    }

    /// Whether `name` is the first six characters after the period, `~` and a digit from 1 to 4.
    private static func isNumberedShortName(
        _ name: Span<UInt8>, _ expected: StaticString
    ) -> Bool {
        guard name.count >= 8, expected.utf8CodeUnitCount > 6 else { return false }
        for index in 0 ..< 6 where lowercased(name[index]) != expected.utf8Start[index + 1] {
            return false
        }
        return name[6] == 0x7e && (0x31 ... 0x34).contains(name[7]) && isPadding(name, from: 8)
    }

    /// Whether `name` is eight characters long but for padding: some of `letters`, `~`, and a number
    /// without a leading zero.
    private static func isHashedShortName(_ name: Span<UInt8>, _ letters: StaticString) -> Bool {
        guard name.count >= 8 else { return false }
        var tilde: Int?
        for index in 0 ..< 8 {
            let byte = lowercased(name[index])
            if let tilde {
                let least: UInt8 = index == tilde + 1 ? 0x31 : 0x30
                guard (least ... 0x39).contains(byte) else { return false }
            } else if byte == 0x7e {
                tilde = index
            } else {
                guard index < 6, byte == letters.utf8Start[index] else { return false }
            }
        }
        return tilde != nil && isPadding(name, from: 8)
    }

    /// Whether from `start` on there are only spaces and periods, up to the end or a colon.
    private static func isPadding(_ name: Span<UInt8>, from start: Int) -> Bool {
        for index in start ..< name.count {
            switch name[index] {
            case 0x3a: return true
            case 0x20, 0x2e: continue
            default: return false
            }
        }
        return true
    }
}
