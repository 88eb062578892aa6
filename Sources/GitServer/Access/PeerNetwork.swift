#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Where a client is: an IPv4 address, or the first half of an IPv6 address, of which one client may use all
/// that the other half can be.
package struct PeerNetwork: Hashable, Sendable {
    private let bytes: [UInt8]

    private static let mappedIPv4: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]

    /// - Parameter address: ``RequestHead/peer``.
    package init(_ address: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        let text = String(address.prefix { $0 != "%" })
        if inet_pton(AF_INET6, text, &bytes) == 1 {
            self.bytes = Array(bytes.starts(with: Self.mappedIPv4) ? bytes[12...] : bytes[..<8])
        } else if inet_pton(AF_INET, text, &bytes) == 1 {
            self.bytes = Array(bytes[..<4])
        } else {
            self.bytes = Array(address.utf8)
        }
    }
}
