import Foundation
import Synchronization

/// A server of HTTP/1.1 on a raw socket of the loopback, so that it can answer as no real server
/// would. Each connection has a thread; the handler writes what it likes.
final class HTTPTestServer: Sendable {
    struct Request: Sendable {
        var method = ""
        var target = ""
        var headers: [String: String] = [:]
        var body: [UInt8] = []
    }

    /// One request on a connection, which ends after it unless `isKept`.
    final class Exchange {
        let request: Request
        let descriptor: Int32
        let server: HTTPTestServer
        var isKept = false

        init(_ request: Request, _ descriptor: Int32, _ server: HTTPTestServer) {
            self.request = request
            self.descriptor = descriptor
            self.server = server
        }

        /// False once the other side is gone.
        @discardableResult
        func write(_ bytes: [UInt8]) -> Bool {
            var done = 0
            while done < bytes.count {
                let count = bytes[done...].withUnsafeBytes { rest in
                    send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { return false }
                done += count
                server.sent.withLock { $0 += count }
            }
            return true
        }

        @discardableResult
        func write(_ text: String) -> Bool { write(Array(text.utf8)) }

        func answer(
            _ status: Int, _ headers: [String] = [], body: [UInt8] = [], keep: Bool = true
        ) {
            var lines = ["HTTP/1.1 \(status) Whatever", "Content-Length: \(body.count)"] + headers
            if !keep { lines.append("Connection: close") }
            write(lines.joined(separator: "\r\n") + "\r\n\r\n")
            write(body)
            isKept = keep
        }

        func answer(_ status: Int, _ headers: [String] = [], body: String, keep: Bool = true) {
            answer(status, headers, body: Array(body.utf8), keep: keep)
        }

        /// Waits until the other side closes; at most five minutes, for tests that run beside this one may
        /// keep that side waiting.
        func waitForClose() {
            var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&state, 1, 300_000) == 1 { server.closed.withLock { $0 += 1 } }
        }
    }

    let port: UInt16
    private let listener: Int32
    private let handler: @Sendable (Exchange) -> Void
    private let seen = Mutex<[Request]>([])
    private let accepted = Mutex(0)
    /// Bytes that the system took from this server.
    let sent = Mutex(0)
    /// Connections that ``Exchange/waitForClose`` saw closed.
    let closed = Mutex(0)

    init(_ handler: @escaping @Sendable (Exchange) -> Void) {
        self.handler = handler
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let descriptor = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                precondition(bind(descriptor, $0, size) == 0 && listen(descriptor, 64) == 0)
                precondition(getsockname(descriptor, $0, &size) == 0)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        Thread { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 { return }
                guard let server = self else {
                    close(connection)
                    return
                }
                server.accepted.withLock { $0 += 1 }
                Thread { server.serve(connection) }.start()
            }
        }.start()
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var requests: [Request] { seen.withLock { $0 } }
    var connections: Int { accepted.withLock { $0 } }

    private func serve(_ connection: Int32) {
        defer {
            // A program that another test starts may hold the socket too.
            shutdown(connection, Int32(SHUT_RDWR))
            close(connection)
        }
        var reader = Reader(descriptor: connection)
        while let request = reader.request() {
            seen.withLock { $0.append(request) }
            let exchange = Exchange(request, connection, self)
            handler(exchange)
            if !exchange.isKept { return }
        }
    }

    private struct Reader {
        let descriptor: Int32
        var buffer: [UInt8] = []

        mutating func fill() -> Bool {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count > 0 { buffer += chunk[..<count] }
            return count > 0
        }

        mutating func line() -> String? {
            while true {
                if let end = buffer.firstIndex(of: 0x0a) {
                    let bytes = buffer[..<end]
                    let line = String(
                        decoding: bytes.last == 0x0d ? bytes.dropLast() : bytes, as: UTF8.self)
                    buffer.removeSubrange(...end)
                    return line
                }
                guard fill() else { return nil }
            }
        }

        mutating func request() -> Request? {
            guard let words = line()?.split(separator: " "), words.count == 3 else { return nil }
            var request = Request(method: String(words[0]), target: String(words[1]))
            while let header = line(), !header.isEmpty {
                let parts = header.split(separator: ":", maxSplits: 1)
                let value = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
                request.headers[parts[0].lowercased()] = value
            }
            let length = Int(request.headers["content-length"] ?? "0") ?? 0
            while buffer.count < length { guard fill() else { return nil } }
            request.body = Array(buffer[..<length])
            buffer.removeSubrange(..<length)
            return request
        }
    }
}

/// A directory that is removed with its owner.
final class TestDirectory: Sendable {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "/apus-test-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// Writes a shell script that can be run. Another program writes it, so that no third one holds it
/// open for writing when it is run.
func writeScript(_ path: String, _ text: String) throws {
    try runProgram(
        ["sh", "-c", "cat >\"$1\" && chmod +x \"$1\"", "sh", path],
        input: Array(("#!/bin/sh\n" + text).utf8))
}

/// Runs a program; its exit status, and what it wrote to both outputs.
@discardableResult
func runProgram(
    _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let output = Pipe()
    let toProcess = Pipe()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = toProcess
    try process.run()
    try toProcess.fileHandleForWriting.write(contentsOf: Data(input))
    try toProcess.fileHandleForWriting.close()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
}
