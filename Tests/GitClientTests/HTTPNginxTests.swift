import Foundation
import GitCore
import Testing

@testable import GitClient

/// nginx on a port of the loopback, with TLS and HTTP/2 by a certificate that nobody knows.
private final class Nginx: Sendable {
    static let fileSize = 24 << 20
    let port: UInt16
    let certificate: ByteString
    private let directory = TestDirectory()
    private let processID: Int32

    init() throws {
        let certificate = directory.file("cert.pem")
        self.certificate = ByteString(certificate)
        let key = directory.file("key.pem")
        let made = try runProgram([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
        ])
        try #require(made.status == 0, "\(made.output)")
        try Data(repeating: 5, count: Self.fileSize).write(
            to: URL(fileURLWithPath: directory.file("big")))
        // The port that the system gave to a server that is gone is free.
        port = HTTPTestServer { _ in }.port
        let configuration = """
            daemon off; master_process off; worker_rlimit_nofile 100;
            pid \(directory.path)/pid; error_log \(directory.path)/error.log;
            events { worker_connections 50; }
            http {
                access_log \(directory.path)/access.log;
                client_body_temp_path \(directory.path)/body; proxy_temp_path \(directory.path)/p;
                fastcgi_temp_path \(directory.path)/f; uwsgi_temp_path \(directory.path)/u;
                scgi_temp_path \(directory.path)/s;
                log_format protocol '$server_protocol $connection';
                server {
                    listen 127.0.0.1:\(port) ssl http2;
                    ssl_certificate \(certificate); ssl_certificate_key \(key);
                    root \(directory.path);
                    location = /protocol { return 200 "$server_protocol $connection"; }
                }
            }
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: directory.file("conf")))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["nginx", "-c", directory.file("conf"), "-p", directory.path]
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        processID = process.processIdentifier
        for _ in 0 ..< 200 where !isListening { usleep(10_000) }
    }

    // It may have inherited a mask in which all other signals are blocked.
    deinit { kill(processID, SIGKILL) }

    private var isListening: Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    func url(_ path: String, host: String = "localhost") throws -> GitURL {
        try GitURL("https://\(host):\(port)\(path)")
    }

    var trusting: HTTPOptions {
        var options = HTTPOptions()
        options.authorityFile = certificate
        return options
    }
}

@Suite(.serialized, .timeLimit(.minutes(1))) struct HTTPNginxTests {
    private let nginx: Nginx
    private let transport = CurlTransport()

    init() throws { nginx = try Nginx() }

    private func text(_ request: HTTPRequest) async throws -> String {
        String(decoding: try await transport.send(request).body.all(), as: UTF8.self)
    }

    @Test func anUnknownCertificateIsRefused() async throws {
        let request = HTTPRequest(.get, try nginx.url("/protocol"))
        let error = await failure { _ = try await transport.send(request) }
        #expect(error?.code == .tls)
        #expect(error?.message.contains("certificate") == true)
    }

    @Test func aCertificateForAnotherHostIsRefused() async throws {
        let request = HTTPRequest(
            .get, try nginx.url("/protocol", host: "127.0.0.1"), options: nginx.trusting)
        #expect(await failure { _ = try await transport.send(request) }?.code == .tls)
    }

    @Test func aTrustedCertificateIsAccepted() async throws {
        let request = HTTPRequest(.get, try nginx.url("/protocol"), options: nginx.trusting)
        #expect(try await text(request).hasPrefix("HTTP/2.0 "))
    }

    @Test func verificationCanBeSwitchedOff() async throws {
        var request = HTTPRequest(.get, try nginx.url("/protocol", host: "127.0.0.1"))
        request.options.verifiesTLS = false
        #expect(try await transport.send(request).status == 200)
        // And what was connected so is not used where certificates count.
        request.options.verifiesTLS = true
        #expect(await failure { _ = try await transport.send(request) }?.code == .tls)
    }

    @Test func aMissingAuthorityFileIsAnError() async throws {
        var request = HTTPRequest(.get, try nginx.url("/protocol"))
        request.options.authorityFile = "/nonexistent/ca.pem"
        #expect(await failure { _ = try await transport.send(request) }?.code == .tls)
    }

    @Test func aWrongPinnedKeyIsRefused() async throws {
        var request = HTTPRequest(.get, try nginx.url("/protocol"), options: nginx.trusting)
        request.options.pinnedPublicKey = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        #expect(await failure { _ = try await transport.send(request) }?.code == .tls)
    }

    @Test func http1IsSpokenWhereItIsAskedFor() async throws {
        var request = HTTPRequest(.get, try nginx.url("/protocol"), options: nginx.trusting)
        request.options.version = .http1
        #expect(try await text(request).hasPrefix("HTTP/1.1 "))
    }

    @Test func oneHTTP2ConnectionServesManyRequests() async throws {
        let request = HTTPRequest(.get, try nginx.url("/protocol"), options: nginx.trusting)
        var answers: Set<String> = []
        for _ in 0 ..< 4 { answers.insert(try await text(request)) }
        #expect(answers.count == 1)
    }

    @Test(arguments: [HTTPOptions.Version.automatic, .http1])
    func aSlowReaderGetsAllOfIt(version: HTTPOptions.Version) async throws {
        var request = HTTPRequest(.get, try nginx.url("/big"), options: nginx.trusting)
        request.options.version = version
        let body = try await transport.send(request).body
        try await Task.sleep(for: .milliseconds(300))
        var count = 0
        while let chunk = try await body.next() {
            count += chunk.count
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(count == Nginx.fileSize)
    }

    @Test func aPausedTransferDoesNotHoldUpAnother() async throws {
        let big = HTTPRequest(.get, try nginx.url("/big"), options: nginx.trusting)
        let small = HTTPRequest(.get, try nginx.url("/protocol"), options: nginx.trusting)
        let body = try await transport.send(big).body
        try await Task.sleep(for: .milliseconds(200))
        #expect(try await text(small).hasPrefix("HTTP/2.0 "))
        #expect(try await body.all().count == Nginx.fileSize)
    }
}
