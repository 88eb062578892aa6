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
        var started: (port: UInt16, processID: Int32)?
        for _ in 0 ..< 10 where started == nil {
            // Below those that the system gives out itself.
            let port = UInt16.random(in: 20_000 ..< 30_000)
            started = try Self.start(directory, port).map { (port, $0) }
        }
        (port, processID) = try #require(started)
    }

    // It may have inherited a mask in which all other signals are blocked.
    deinit { kill(processID, SIGKILL) }

    /// Nil where the port is taken.
    private static func start(_ directory: TestDirectory, _ port: UInt16) throws -> Int32? {
        let path = directory.path
        let configuration = """
            daemon off; master_process off;
            pid \(path)/pid; error_log \(path)/error.log;
            events { worker_connections 50; }
            http {
                access_log off;
                client_body_temp_path \(path)/body; proxy_temp_path \(path)/p;
                fastcgi_temp_path \(path)/f; uwsgi_temp_path \(path)/u; scgi_temp_path \(path)/s;
                server {
                    listen 127.0.0.1:\(port) ssl http2;
                    ssl_certificate \(path)/cert.pem; ssl_certificate_key \(path)/key.pem;
                    root \(path);
                    location = /protocol { return 200 "$server_protocol $connection"; }
                }
            }
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: directory.file("conf")))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["nginx", "-c", directory.file("conf"), "-p", path]
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // It writes its number once it listens.
        while process.isRunning {
            if FileManager.default.fileExists(atPath: directory.file("pid")) {
                return process.processIdentifier
            }
            usleep(10_000)
        }
        return nil
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

@Suite(.serialized, .timeLimit(.minutes(10))) struct HTTPNginxTests {
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
