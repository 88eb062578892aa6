import CCurl
import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// Where a connection is made, its address is known for certain: what a name server says next does not
// matter any more (DNS rebinding).

extension CurlEasy {
    /// Has no connection be made to an address of the own network: see
    /// ``HTTPOptions/refusesPrivateAddresses``.
    func refusePrivateAddresses(_ options: HTTPOptions) throws(ClientError) {
        guard options.refusesPrivateAddresses else { return }
        if let proxy = options.proxy, !proxy.isEmpty {
            // The proxy resolves the name. Then nothing may go past it, whatever `no_proxy` says.
            return try set(CURLOPT_NOPROXY, ByteString())
        }
        // SAFETY: the handle is freed before this object lets go of the transfer.
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        try check(apus_curl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, context))
        try check(apus_curl_set_open_socket(handle, openSocketElsewhere))
    }

    var refusal: ClientError {
        ClientError(
            .refusedAddress,
            "unable to access '\(transfer.request.url.redacted)': the host's name, or that of the proxy in"
                + " the environment, leads into the own network, which is not allowed")
    }
}

// SAFETY: libcurl passes the context that refusePrivateAddresses gave it, and an address whose bytes,
// `addrlen` in number, begin in place of `addr` and may go on beyond it.
private func openSocketElsewhere(
    _ context: UnsafeMutableRawPointer?, _ purpose: curlsocktype,
    _ target: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let context, let target else { return -1 }
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    guard let start = MemoryLayout<curl_sockaddr>.offset(of: \.addr) else { return -1 }
    let address = UnsafeRawBufferPointer(
        start: UnsafeRawPointer(target) + start, count: Int(target.pointee.addrlen))
    guard !PrivateAddress.contains(addressBytes(address, target.pointee.family)) else {
        transfer.hasRefusedAddress.store(true, ordering: .relaxed)
        return -1
    }
    return apus_curl_open_socket(nil, purpose, target)
}

/// The address alone, without port and scope; empty where it is none of the Internet protocols'.
private func addressBytes(_ address: UnsafeRawBufferPointer, _ family: Int32) -> [UInt8] {
    let place: Range<Int>? =
        switch family {
        case AF_INET: MemoryLayout.offset(of: \sockaddr_in.sin_addr).map { $0 ..< $0 + 4 }
        case AF_INET6: MemoryLayout.offset(of: \sockaddr_in6.sin6_addr).map { $0 ..< $0 + 16 }
        default: nil
        }
    guard let place, place.upperBound <= address.count else { return [] }
    return Array(address[place])
}
