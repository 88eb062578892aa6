package import GitCore

/// Where a server listens, as an option or a setting says it: `8080`, `127.0.0.1:8080`, `[::1]:8080`, and
/// `:8080` for all addresses.
package struct ListenAddress: Hashable, Sendable {
    /// A name or an address, an IPv6 one without its brackets; empty for all.
    package let host: String
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package init(parsing text: ByteString) throws(ParseError) {
        let bytes = text.bytes
        let colon = bytes.lastIndex(of: UInt8(ascii: ":"))
        let digits = ByteString(bytes[(colon.map { $0 + 1 } ?? 0)...])
        var host = colon.map { ByteString(bytes[..<$0]) } ?? "127.0.0.1"
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst(1).dropLast(1)
        } else if host.bytes.contains(UInt8(ascii: ":")) {
            throw ParseError(
                "'\(text)' is no address to listen on: write [\(host)]:\(digits)", at: 0)
        }
        guard let port = UInt16(digits.printable), digits.bytes.allSatisfy({ $0 &- 0x30 < 10 })
        else { throw ParseError("'\(text)' is no address to listen on", at: 0) }
        self.init(host: host.printable, port: port)
    }

    /// For people: `127.0.0.1:8080`, `*:8080` for all addresses.
    package var text: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "\(name.isEmpty ? "*" : name):\(port)"
    }
}
