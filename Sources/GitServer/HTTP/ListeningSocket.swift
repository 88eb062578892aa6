#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A TCP socket that listens; closed at its end, unless another keeps it open.
struct ListeningSocket: ~Copyable {
    let descriptor: Int32

    /// - Parameter host: empty for all addresses of this machine.
    init(_ host: String, _ port: UInt16, _ backlog: Int32) throws(ServerError) {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &found)
        guard code == 0, let addresses = found else {
            throw ServerError(
                .address, "cannot listen on '\(host)': \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(addresses) }
        var failure: Int32 = 0
        var next: UnsafeMutablePointer<addrinfo>? = addresses
        // All of this machine means IPv6 that takes IPv4 too, where there is that.
        if host.isEmpty {
            while let address = next, address.pointee.ai_family != AF_INET6 {
                next = address.pointee.ai_next
            }
            next = next ?? addresses
        }
        while let address = next {
            if let socket = Self.listen(address.pointee, backlog, &failure) {
                descriptor = socket
                return
            }
            next = address.pointee.ai_next
        }
        throw ServerError(
            .address,
            "cannot listen on \(host.isEmpty ? "any address" : "'\(host)'"), port \(port): "
                + String(cString: strerror(failure)))
    }

    deinit { close(descriptor) }

    /// Leaves it open for whoever has its descriptor.
    consuming func keepOpen() { discard self }

    /// The port that it is bound to.
    var port: UInt16 {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard getsockname(descriptor, address, &length) == 0 else { return 0 }
                return SocketAddress.port(address)
            }
        }
    }

    private static func listen(
        _ address: addrinfo, _ backlog: Int32, _ failure: inout Int32
    ) -> Int32? {
        let descriptor = socket(
            address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue),
            address.ai_protocol)
        guard descriptor >= 0 else {
            failure = errno
            return nil
        }
        var (on, off): (Int32, Int32) = (1, 0)
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
        if address.ai_family == AF_INET6 {
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, size)
        }
        guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0,
            Glibc.listen(descriptor, backlog) == 0,
            fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0
        else {
            failure = errno
            close(descriptor)
            return nil
        }
        return descriptor
    }
}

/// Addresses of sockets, as text and as numbers.
enum SocketAddress {
    /// `192.0.2.1`, `2001:db8::1`; an IPv4 address that came over IPv6 as IPv4.
    static func text(_ address: UnsafePointer<sockaddr>?) -> String? {
        guard let address else { return nil }
        let length =
            Int32(address.pointee.sa_family) == AF_INET6
            ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        var name = [CChar](repeating: 0, count: 64)
        guard
            getnameinfo(
                address, socklen_t(length), &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
                == 0
        else { return nil }
        let text = String(
            decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text.hasPrefix("::ffff:") && text.contains(".") ? String(text.dropFirst(7)) : text
    }

    static func port(_ address: UnsafePointer<sockaddr>) -> UInt16 {
        UnsafeRawPointer(address).loadUnaligned(fromByteOffset: 2, as: UInt16.self).bigEndian
    }
}
