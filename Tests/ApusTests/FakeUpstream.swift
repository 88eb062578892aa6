import Foundation
import Synchronization
import TestSupport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A server on a raw socket of the loopback: it sees every byte of a request, and answers what it likes.
final class FakeUpstream: Sendable {
    /// One connection, with the head of its only request read.
    final class Call {
        /// The lines of the head, the first one included.
        let head: [String]
        private let descriptor: Int32
        private var buffer: [UInt8]

        fileprivate init?(_ descriptor: Int32) {
            self.descriptor = descriptor
            var buffer: [UInt8] = []
            var end: Range<Int>?
            while end == nil {
                guard let more = Self.receive(descriptor) else { return nil }
                buffer += more
                end = buffer.firstRange(of: Array("\r\n\r\n".utf8))
            }
            let head = String(decoding: buffer[..<(end?.lowerBound ?? 0)], as: UTF8.self)
            self.head = head.split(separator: "\r\n").map(String.init)
            self.buffer = Array(buffer[(end?.upperBound ?? 0)...])
        }

        /// The values of a header, in lower case named.
        func values(_ name: String) -> [String] {
            head.dropFirst().filter { $0.lowercased().hasPrefix(name + ":") }.map { line in
                line.dropFirst(name.count + 1).drop { $0 == " " }.description
            }
        }

        /// The next bytes of whatever follows the head; nil at the end.
        func read() -> [UInt8]? {
            defer { buffer = [] }
            return buffer.isEmpty ? Self.receive(descriptor) : buffer
        }

        /// So many bytes of the body, or fewer at the end.
        func body(_ count: Int) -> [UInt8] {
            var body: [UInt8] = []
            while body.count < count, let piece = read() { body += piece }
            return body
        }

        @discardableResult
        func write(_ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }

        func answer(_ status: Int, _ headers: [String] = [], _ body: String = "") {
            let lines =
                ["HTTP/1.1 \(status) So"] + headers
                + ["Content-Length: \(body.utf8.count)", "", body]
            write(Array(lines.joined(separator: "\r\n").utf8))
        }

        /// Whether the other side closes within some seconds.
        func sawTheEnd(within seconds: Int32) -> Bool {
            var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while poll(&state, 1, seconds * 1_000) == 1 {
                if Self.receive(descriptor) == nil { return true }
            }
            return false
        }

        private static func receive(_ descriptor: Int32) -> [UInt8]? {
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            return count > 0 ? Array(chunk[..<count]) : nil
        }
    }

    let port: UInt16
    private let listener: Int32
    private let seen = Seen()

    private final class Seen: Sendable {
        let heads = Mutex<[[String]]>([])
    }

    /// - Parameter handler: called for each connection on a thread of its own; then it is closed.
    init(_ handler: @escaping @Sendable (Call) -> Void) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let descriptor = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard isBound else { throw TestFailure("no port: errno \(errno)") }
        let seen = seen
        Thread.detachNewThread {
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 { return }
                Thread.detachNewThread {
                    if let call = Call(connection) {
                        seen.heads.withLock { $0.append(call.head) }
                        handler(call)
                    }
                    shutdown(connection, Int32(SHUT_RDWR))
                    close(connection)
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// The heads of all requests.
    var heads: [[String]] { seen.heads.withLock { $0 } }
    var url: String { "http://127.0.0.1:\(port)/" }
}
