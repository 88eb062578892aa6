import TestSupport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A client that sends just the bytes it is told to. Waits long, but never for ever.
final class RawClient {
    let descriptor: Int32
    private var received: [UInt8] = []
    private(set) var isClosed = false

    private static let patience = 60

    /// - Parameter receiveBuffer: bytes that the system takes in for a client that does not read.
    init(_ port: UInt16, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("no socket: errno \(errno)") }
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4)
        }
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(
                descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // What is thrown from here on goes by `deinit`, which closes it.
        guard result == 0 else { throw TestFailure("cannot connect: errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// Sends all of it; false where the server does not take it any more.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                sendSilently(descriptor, $0)
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Says that no more is sent.
    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// All that comes until the server closes the connection.
    func rest() throws -> [UInt8] {
        while try receive() {}
        defer { received = [] }
        return received
    }

    /// The next answer.
    func response(toHead: Bool = false) throws -> RawResponse {
        var head: RawResponse
        repeat {
            var end = received.firstRange(of: Array("\r\n\r\n".utf8))
            while end == nil {
                guard try receive() else {
                    throw TestFailure("no answer, but \(received.count) bytes and the end")
                }
                end = received.firstRange(of: Array("\r\n\r\n".utf8))
            }
            guard let end else { throw TestFailure("no head") }
            head = try RawResponse(head: received[..<end.lowerBound])
            received.removeFirst(end.upperBound)
        } while head.status == 100 && !returnsContinue
        if toHead || head.status == 100 { return head }
        head.body =
            head["transfer-encoding"] == "chunked"
            ? try chunks() : try take(head["content-length"].flatMap { Int($0) } ?? 0)
        return head
    }

    /// Whether `100 Continue` is an answer, too.
    var returnsContinue = false

    func take(_ count: Int) throws -> [UInt8] {
        while received.count < count {
            guard try receive() else { throw TestFailure("the answer was cut off") }
        }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    private func chunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            while !received.contains(0x0a) {
                guard try receive() else { throw TestFailure("the answer was cut off") }
            }
            let line = String(decoding: received.prefix { $0 != 0x0d }, as: UTF8.self)
            guard let count = Int(line, radix: 16) else { throw TestFailure("chunk '\(line)'") }
            _ = try take(line.utf8.count + 2)
            body += try take(count)
            _ = try take(2)
            if count == 0 { return body }
        }
    }

    /// Receives some bytes; false at the end.
    private func receive() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        if count > 0 {
            received += chunk[..<count]
            return true
        }
        if count < 0, errno == EINTR { return try receive() }
        guard count == 0 || errno == ECONNRESET || errno == EPIPE else {
            throw TestFailure("nothing came in \(Self.patience) seconds")
        }
        isClosed = true
        return false
    }
}

/// send(2), without the signal that a closed connection brings.
private func sendSilently(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
}

/// An answer as it came.
struct RawResponse {
    let status: Int
    let headers: [(name: String, value: String)]
    var body: [UInt8] = []

    init(head: ArraySlice<UInt8>) throws {
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count > 1, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw TestFailure("no answer: \(lines)")
        }
        self.status = status
        headers = lines.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return (line[..<colon].lowercased(), line[colon...].dropFirst(2).description)
        }
    }

    subscript(name: String) -> String? { headers.first { $0.name == name }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }
}

/// The numbers of all answers in `bytes`.
func statuses(_ bytes: [UInt8]) -> [Int] {
    String(decoding: bytes, as: UTF8.self).split(separator: "HTTP/1.1 ").compactMap {
        Int($0.prefix(3))
    }
}

/// Waits until something is so; says whether it is.
func eventually(within seconds: Int = 20, _ isSo: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while !isSo() {
        guard ContinuousClock.now < deadline else { return false }
        usleep(5_000)
    }
    return true
}
