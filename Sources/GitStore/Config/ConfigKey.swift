public import GitCore

/// The name of a configuration variable: a section, perhaps a subsection, and a name.
///
/// Written `section.name` or `section.subsection.name`. Section and name are ASCII letters, digits
/// and `-`, without case; the subsection is any bytes but LF and NUL, with case, and may hold dots.
public struct ConfigKey: Hashable, Sendable {
    /// Dotted, section and name in lower case: what two spellings of one variable share.
    public let bytes: ByteString

    /// nil unless `dotted` is a name that Git would write: a letter begins the last part.
    public init?(_ dotted: ByteString) {
        let text = dotted.bytes
        guard let first = text.firstIndex(of: 0x2e), let last = text.lastIndex(of: 0x2e),
            text[..<first].allSatisfy(Self.isKeyByte), first > 0,
            let initial = text[(last + 1)...].first, Self.isLetter(initial),
            text[last...].dropFirst().allSatisfy(Self.isKeyByte),
            !text.contains(0x0a), !text.contains(0)
        else { return nil }
        bytes = ByteString(
            text[..<first].map(Self.lowercased) + text[first ..< last]
                + text[last...].map(Self.lowercased))
    }

    public init?(section: ByteString, subsection: ByteString?, name: ByteString) {
        let stem = subsection.map { section + "." + $0 } ?? section
        self.init(stem + "." + name)
    }

    /// A key that a file holds: the parser lets through some that Git reads but would not write.
    init(parsed bytes: ByteString) { self.bytes = bytes }

    /// All before the last dot: the section and its subsection. Empty for a variable above the first
    /// section of a file.
    public var stem: ByteString {
        ByteString(bytes.bytes[..<(bytes.bytes.lastIndex(of: 0x2e) ?? 0)])
    }

    public var section: ByteString { ByteString(stem.bytes.prefix { $0 != 0x2e }) }

    public var subsection: ByteString? {
        let stem = stem.bytes
        return stem.firstIndex(of: 0x2e).map { ByteString(stem[($0 + 1)...]) }
    }

    public var name: ByteString {
        ByteString(bytes.bytes[(bytes.bytes.lastIndex(of: 0x2e).map { $0 + 1 } ?? 0)...])
    }

    static func isLetter(_ byte: UInt8) -> Bool {
        (0x61 ... 0x7a).contains(lowercased(byte))
    }

    static func isKeyByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || (0x30 ... 0x39).contains(byte) || byte == 0x2d
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41 ... 0x5a).contains(byte) ? byte | 0x20 : byte
    }
}

extension ConfigKey: CustomStringConvertible {
    public var description: String { bytes.printable }
}
