import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The socket `STORE/control`, a stream of the local domain, for the user alone who runs the cache.
enum ControlSocket {
    static let name: ByteString = "control"

    private static let backlog: Int32 = 16

    /// Listens, in the place of a socket that a process left which ended. To be called with the store's lock
    /// held.
    static func listen(in folder: ByteString) throws(CacheError) -> File {
        do throws(StoreError) {
            try FileSystem.remove(folder / name)
            let socket = try make(folder)
            // On Linux the file is made with the mode of the descriptor: there is no moment of another one.
            fchmod(socket.descriptor, 0o600)
            try at(folder) { address, length throws(StoreError) in
                guard bind(socket.descriptor, address, length) == 0 else {
                    throw .system("make the socket", folder / name)
                }
            }
            guard (folder / name).withCString({ chmod($0, 0o600) }) == 0,
                posixListen(socket.descriptor, backlog) == 0
            else { throw .system("listen at", folder / name) }
            return socket
        } catch { throw CacheError(error) }
    }

    /// A connection to who listens there; nil where nobody does.
    static func connect(in folder: ByteString) throws(CacheError) -> File? {
        do throws(StoreError) {
            let socket = try make(folder)
            var isThere = false
            try at(folder) { address, length throws(StoreError) in
                isThere = retrying({ posixConnect(socket.descriptor, address, length) }) == 0
                guard isThere || [ENOENT, ECONNREFUSED].contains(errno) else {
                    throw .system("connect to", folder / name)
                }
            }
            guard isThere else { return nil }
            return socket
        } catch {
            if error.code == .notFound { return nil }
            throw CacheError(error)
        }
    }

    /// The next connection; nil where there is none any more.
    static func accept(_ listener: borrowing File) -> File? {
        let descriptor = retrying { posixAccept(listener.descriptor) }
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return File(adopting: descriptor, path: listener.path)
    }

    private static func make(_ folder: ByteString) throws(StoreError) -> File {
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .system("make the socket", folder / name) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return File(adopting: descriptor, path: folder / name)
    }

    /// Calls `body` with the socket's address. One has room for a path of some 100 bytes; of a longer one the
    /// folder is opened, and named by its descriptor.
    private static func at(
        _ folder: ByteString,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(StoreError) -> Void
    ) throws(StoreError) {
        if try withAddress(folder / name, body) { return }
        #if canImport(Darwin)
            throw StoreError(
                .invalid,
                "the path '\(folder / name)' is too long for a socket: use a shorter --store")
        #else
            let directory = try File(folder, O_RDONLY | O_DIRECTORY)
            let short = ByteString("/proc/self/fd/\(directory.descriptor)") / name
            _ = try withAddress(short, body)
        #endif
    }

    /// False, and nothing done, where the path is too long.
    private static func withAddress(
        _ path: ByteString,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(StoreError) -> Void
    ) throws(StoreError) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.count < room.count, !path.bytes.contains(0) else { return false }
            room.copyBytes(from: path.bytes)
            return true
        }
        guard fits else { return false }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Result { () throws(StoreError) in try body(address, length) }
            }
        }
        try result.get()
        return true
    }

    // MARK: Who is at the other end

    /// Whether the process at the other end is run by the same user, or root, who may be any: under systemd
    /// the cache's own user reaches the store from inside of its unit alone.
    static func isOwn(_ connection: borrowing File) -> Bool {
        #if canImport(Darwin)
            var user = uid_t()
            var group = gid_t()
            return getpeereid(connection.descriptor, &user, &group) == 0
                && [geteuid(), 0].contains(user)
        #else
            // struct ucred: pid, uid, gid.
            var credentials: [UInt32] = [0, .max, .max]
            var size = socklen_t(credentials.count * MemoryLayout<UInt32>.size)
            let result = getsockopt(
                connection.descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size)
            return result == 0 && [geteuid(), 0].contains(credentials[1])
        #endif
    }

    /// How long the other end may take for each piece, in seconds.
    static func setPatience(_ connection: borrowing File, sending: Int, receiving: Int) {
        let size = socklen_t(MemoryLayout<timeval>.size)
        for (option, seconds) in [(SO_SNDTIMEO, sending), (SO_RCVTIMEO, receiving)] {
            var time = timeval(tv_sec: .init(seconds), tv_usec: 0)
            setsockopt(connection.descriptor, SOL_SOCKET, option, &time, size)
        }
    }

    /// Sends all; false where the other end is gone, or takes too long.
    static func send(_ bytes: [UInt8], on connection: borrowing File) -> Bool {
        send(bytes, to: connection.descriptor)
    }

    static func send(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { bytes in
                retrying {
                    posixSend(descriptor, bytes.baseAddress, bytes.count)
                }
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

// The type has functions of these names.
private func posixListen(_ descriptor: Int32, _ backlog: Int32) -> Int32 {
    listen(descriptor, backlog)
}

private func posixConnect(
    _ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t
) -> Int32 { connect(descriptor, address, length) }

private func posixAccept(_ descriptor: Int32) -> Int32 { accept(descriptor, nil, nil) }

private func posixSend(_ descriptor: Int32, _ base: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Darwin)
        send(descriptor, base, count, 0)
    #else
        send(descriptor, base, count, Int32(MSG_NOSIGNAL))
    #endif
}
