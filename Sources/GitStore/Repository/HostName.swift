import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The name of this machine, for an address that nobody gave.
enum HostName {
    /// As the machine calls itself.
    static let short: ByteString = {
        var name = [UInt8](repeating: 0, count: 1_025)
        let result = name.withUnsafeMutableBytes { buffer in
            // SAFETY: the array has more than no bytes, so it has a base address; the last byte stays
            // NUL.
            let base = buffer.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped
            return gethostname(base, buffer.count - 1)
        }
        return result == 0 ? ByteString(name.prefix { $0 != 0 }) : "localhost"
    }()

    /// What mail from here may be addressed back to: /etc/mailname, else a name with a dot in it; nil
    /// where there is none.
    static let forMail: ByteString? = {
        if let content = try? FileSystem.read("/etc/mailname", limit: 4_096) {
            let line = content.prefix { $0 != 0x0a }
            if !line.isEmpty { return ByteString(line) }
        }
        if short.bytes.contains(0x2e) { return short }
        return canonical.flatMap { $0.bytes.contains(0x2e) ? $0 : nil }
    }()

    /// As the name service calls it.
    private static var canonical: ByteString? {
        var hints = addrinfo()
        hints.ai_flags = AI_CANONNAME
        var found: UnsafeMutablePointer<addrinfo>?
        guard short.withCString({ getaddrinfo($0, nil, &hints, &found) }) == 0 else { return nil }
        defer { freeaddrinfo(found) }
        guard let name = found?.pointee.ai_canonname else { return nil }
        return ByteString(UnsafeRawBufferPointer(start: name, count: strlen(name)))
    }
}
