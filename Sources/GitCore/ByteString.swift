/// Bytes that a person reads as text: a path, a ref name, a person's name.
///
/// Git gives no encoding to any of these, so they are never a `String`: a `String` would repair what
/// is not UTF-8 and compare by Unicode equivalence. Order and equality are those of the bytes, as in
/// Git.
public struct ByteString: Hashable, Comparable, Sendable {
    public var bytes: [UInt8]

    @inlinable public init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    @inlinable public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    @inlinable public init(_ text: String) { self.bytes = Array(text.utf8) }

    @inlinable public init(_ span: Span<UInt8>) {
        bytes = [UInt8](unsafeUninitializedCapacity: span.count) { buffer, count in
            for index in span.indices { buffer[index] = span[index] }
            count = span.count
        }
    }

    @inlinable public var isEmpty: Bool { bytes.isEmpty }
    @inlinable public var count: Int { bytes.count }

    @inlinable public static func < (a: ByteString, b: ByteString) -> Bool {
        a.bytes.lexicographicallyPrecedes(b.bytes)
    }

    @inlinable public static func + (a: ByteString, b: ByteString) -> ByteString {
        ByteString(a.bytes + b.bytes)
    }

    /// A path one component further: `"a" / "b"` is `a/b`; an empty left side adds no slash.
    @inlinable public static func / (a: ByteString, b: ByteString) -> ByteString {
        guard let last = a.bytes.last else { return b }
        return ByteString(
            last == UInt8(ascii: "/") ? a.bytes + b.bytes : a.bytes + [0x2f] + b.bytes)
    }

    public func hasPrefix(_ prefix: ByteString) -> Bool { bytes.starts(with: prefix.bytes) }

    public func hasSuffix(_ suffix: ByteString) -> Bool {
        bytes.count >= suffix.count && bytes.suffix(suffix.count).elementsEqual(suffix.bytes)
    }

    public func dropFirst(_ count: Int) -> ByteString { ByteString(bytes.dropFirst(count)) }

    public func dropLast(_ count: Int) -> ByteString { ByteString(bytes.dropLast(count)) }

    /// The parts between the separators, empty ones included.
    public func split(_ separator: UInt8) -> [ByteString] {
        bytes.split(separator: separator, omittingEmptySubsequences: false).map { ByteString($0) }
    }
}

extension ByteString: ExpressibleByStringLiteral {
    @inlinable public init(stringLiteral text: String) { self.init(text) }
}

extension ByteString: CustomStringConvertible {
    /// The text with everything that a terminal would obey made visible: see ``printable``.
    public var description: String { printable }

    /// The text, decoded as UTF-8, safe to show on a terminal or in a log: the control characters
    /// C0, DEL and C1 stand as `\x1b` and the like; bytes that are not UTF-8, as U+FFFD.
    ///
    /// What a server or a repository says is shown through this alone (CVE-2024-52005).
    public var printable: String { printable(keeping: []) }

    /// As ``printable``, with some control characters let through (a tab, say).
    public func printable(keeping kept: Set<UInt8>) -> String {
        var out = ""
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        // Broken UTF-8 is replaced by U+FFFD, as every reader of text does.
        while true {
            switch decoder.decode(&iterator) {
            case .emptyInput: return out
            case .error: out.unicodeScalars.append("\u{FFFD}")
            case .scalarValue(let scalar):
                let value = scalar.value
                let isControl = value < 0x20 || (0x7f ... 0x9f).contains(value)
                if isControl, !(value < 0x80 && kept.contains(UInt8(value))) {
                    out += Self.escape(value)
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
    }

    private static func escape(_ value: UInt32) -> String {
        let hex = String(value, radix: 16)
        return "\\x" + (hex.count < 2 ? "0" + hex : hex)
    }
}
