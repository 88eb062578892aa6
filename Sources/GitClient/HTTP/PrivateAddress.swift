import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Which addresses of the Internet protocols are not out in the Internet: of this machine, of the own
/// network, of what hosts it (where clouds tell a machine its secrets), of many at once, or of nobody
/// (the IANA special-purpose address registries).
enum PrivateAddress {
    /// An IPv4 block: as in `10.0.0.0/8`.
    private struct Block {
        let start: UInt32
        let length: Int

        init(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32, _ length: Int) {
            start = a << 24 | b << 16 | c << 8 | d
            self.length = length
        }

        func contains(_ address: UInt32) -> Bool { (start ^ address) >> (32 - length) == 0 }
    }

    private static let blocks = [
        // "This network", and this machine.
        Block(0, 0, 0, 0, 8), Block(127, 0, 0, 0, 8),
        // RFC 1918, and what providers use alike (RFC 6598).
        Block(10, 0, 0, 0, 8), Block(172, 16, 0, 0, 12), Block(192, 168, 0, 0, 16),
        Block(100, 64, 0, 0, 10),
        // Link-local, with 169.254.169.254; and another that a cloud answers its machines at.
        Block(169, 254, 0, 0, 16), Block(168, 63, 129, 16, 32),
        // Protocols and benchmarks.
        Block(192, 0, 0, 0, 24), Block(198, 18, 0, 0, 15),
        // Multicast, reserved, broadcast.
        Block(224, 0, 0, 0, 4), Block(240, 0, 0, 0, 4),
    ]

    /// Whether an address is one of these: 4 bytes or 16, in the order of the network. Any other number of
    /// bytes is no address of a server elsewhere.
    static func contains(_ bytes: [UInt8]) -> Bool {
        switch bytes.count {
        case 4: contains(version4: bytes[...])
        case 16: contains(version6: bytes)
        default: true
        }
    }

    private static func contains(version4 bytes: ArraySlice<UInt8>) -> Bool {
        let address = bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return blocks.contains { $0.contains(address) }
    }

    /// Of IPv6 only the part that is given out (`2000::/3`) is elsewhere, and what stands for an address of
    /// IPv4 that is.
    private static func contains(version6 bytes: [UInt8]) -> Bool {
        // ::ffff:0:0/96, mapped; 64:ff9b::/96, translated (RFC 6052).
        let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
        let translated: [UInt8] = [0, 0x64, 0xff, 0x9b] + [UInt8](repeating: 0, count: 8)
        if bytes.starts(with: mapped) || bytes.starts(with: translated) {
            return contains(version4: bytes[12...])
        }
        guard bytes[0] >> 5 == 1 else { return true }
        // 2002::/16, 6to4 (RFC 3056).
        if bytes.starts(with: [0x20, 0x02]) { return contains(version4: bytes[2 ..< 6]) }
        // 2001::/23 is for protocols, Teredo among them; 2001:db8::/32 for books.
        return bytes.starts(with: [0x20, 0x01])
            && (bytes[2] < 2 || bytes[2 ..< 4].elementsEqual([0x0d, 0xb8]))
    }
}

extension GitURL {
    /// Whether it names the machine by its address, in the usual form, or is for `localhost`: who wrote it
    /// knew where it leads.
    package var hasLiteralAddress: Bool {
        var room = [UInt8](repeating: 0, count: MemoryLayout<in6_addr>.size)
        return host == "localhost"
            || [AF_INET, AF_INET6].contains { family in
                host.withCString { inet_pton(family, $0, &room) } == 1
            }
    }
}
