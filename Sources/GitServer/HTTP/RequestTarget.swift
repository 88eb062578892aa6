package import GitCore

// The target of a request (RFC 9112, 3.2.1), in origin form alone:
//
//     "/" path [ "?" query ]         percent-encoded
//
//     query = name [ "=" value ] *( "&" name [ "=" value ] )

/// What a request asks for: its path decoded once, and what follows a question mark.
package struct RequestTarget: Sendable {
    /// The components of the path, decoded; none is empty, `.` or `..`. None holds a slash, unless that is
    /// allowed: then no part of one is `.` or `..`.
    package let path: [ByteString]
    private let query: [(name: ByteString, value: ByteString)]

    /// nil for a path that could mean two things, or lead out of anything: one with an encoded slash, a
    /// backslash, a control character, `.` or `..`, or an escape that is none.
    ///
    /// - Parameter allowsSlash: whether a component may hold an encoded slash.
    package init?(parsing target: ByteString, allowsSlash: Bool = false) {
        let parts = target.bytes.split(
            separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = parts.first, path.first == UInt8(ascii: "/"),
            !target.bytes.contains(where: { $0 <= 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "#") })
        else { return nil }
        var components: [ByteString] = []
        for part in path.split(separator: UInt8(ascii: "/")) {
            guard let component = Self.component(part),
                allowsSlash || !component.bytes.contains(UInt8(ascii: "/"))
            else { return nil }
            components.append(component)
        }
        guard let query = Self.query(parts.dropFirst().first ?? []) else { return nil }
        self.path = components
        self.query = query
    }

    /// The value of a name in the query, if it is there just once.
    package func value(_ name: ByteString) -> ByteString? {
        let values = query.filter { $0.name == name }
        return values.count == 1 ? values[0].value : nil
    }

    private static func component(_ part: ArraySlice<UInt8>) -> ByteString? {
        guard let bytes = part.percentDecoded,
            !bytes.contains(where: { $0.isControl || $0 == UInt8(ascii: "\\") })
        else { return nil }
        let component = ByteString(bytes)
        let parts = component.split(UInt8(ascii: "/"))
        return parts.contains(where: { $0 == "." || $0 == ".." }) ? nil : component
    }

    private static func query(_ text: ArraySlice<UInt8>) -> [(ByteString, ByteString)]? {
        var pairs: [(ByteString, ByteString)] = []
        for part in text.split(separator: UInt8(ascii: "&")) {
            let pair = part.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = pair.first?.percentDecoded,
                let value = (pair.dropFirst().first ?? []).percentDecoded
            else { return nil }
            pairs.append((ByteString(name), ByteString(value)))
        }
        return pairs
    }
}
