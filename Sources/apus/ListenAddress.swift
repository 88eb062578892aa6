import GitCore

/// Where a server listens, as an option says it.
enum ListenAddress {
    /// `8080`, `127.0.0.1:8080`, `[::1]:8080`, `:8080` for all addresses.
    static func parse(_ text: ByteString) throws -> (String, UInt16) {
        let bytes = text.bytes
        let colon = bytes.lastIndex(of: UInt8(ascii: ":"))
        let digits = ByteString(bytes[(colon.map { $0 + 1 } ?? 0)...])
        var host = colon.map { ByteString(bytes[..<$0]) } ?? "127.0.0.1"
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst(1).dropLast(1)
        } else if host.bytes.contains(UInt8(ascii: ":")) {
            throw UsageError("'\(text)' is no address to listen on: write [\(host)]:\(digits).")
        }
        guard let port = UInt16(digits.printable), digits.bytes.allSatisfy({ $0 &- 0x30 < 10 })
        else {
            throw UsageError("'\(text)' is no address to listen on.")
        }
        return (host.printable, port)
    }

    /// For people: `127.0.0.1:8080`, `*:8080` for all addresses.
    static func text(_ address: String, _ port: UInt16) -> String {
        let host = address.contains(":") ? "[\(address)]" : address
        return "\(host.isEmpty ? "*" : host):\(port)"
    }
}
