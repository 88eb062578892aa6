#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Sends bytes to a port of this machine, and gives all that comes until the other side closes.
public func exchange(port: UInt16, sending bytes: [UInt8]) throws -> [UInt8] {
    let connection = try connection(to: port)
    var patience = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(
        connection.number, SOL_SOCKET, SO_RCVTIMEO, &patience,
        socklen_t(MemoryLayout<timeval>.size))
    var sent = 0
    while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes {
            send(connection.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        // A server may answer before it has read all, and then close.
        if count < 0 { break }
        sent += count
    }
    return try readAll(connection.number)
}

/// A connection to a port of this machine.
///
/// - Parameter receiveBuffer: bytes that the system takes for this side before it reads; nil for its own choice.
public func connection(to port: UInt16, receiveBuffer: Int32? = nil) throws -> Descriptor {
    #if canImport(Glibc)
        let connection = try Descriptor(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    #else
        let connection = try Descriptor(socket(AF_INET, SOCK_STREAM, 0))
    #endif
    if var receiveBuffer {
        setsockopt(
            connection.number, SOL_SOCKET, SO_RCVBUF, &receiveBuffer,
            socklen_t(MemoryLayout<Int32>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isConnected = withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(connection.number, $0, size) == 0
        }
    }
    guard isConnected else { throw TestFailure("cannot connect to port \(port): errno \(errno)") }
    return connection
}
