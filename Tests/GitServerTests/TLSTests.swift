import Synchronization
import TestSupport
import Testing

@testable import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// TLS with a certificate from a file.
@Suite(.timeLimit(.minutes(10))) struct TLSTests {
    private let scratch: TemporaryDirectory

    init() throws {
        scratch = try TemporaryDirectory()
        for name in ["one", "two"] {
            try run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", scratch("\(name).key"), "-out",
                    scratch("\(name).pem"),
                ]
            ).required()
        }
    }

    private func server(_ chain: String, _ key: String) throws -> HTTPServer {
        let pair = (readFile(scratch(chain)) ?? [], readFile(scratch(key)) ?? [])
        return try HTTPServer.test { $0.certificate = pair }
    }

    @Test func speaksTLS() throws {
        let server = try server("one.pem", "one.key")
        defer { server.stop(grace: .zero) }
        func curl(_ options: [String]) throws -> RunResult {
            try run("curl", ["-sS", "https://127.0.0.1:\(server.port)/a"] + options)
        }
        #expect(try curl(["--cacert", scratch("one.pem")]).out == "GET /a ")
        let body = [UInt8](repeating: 0x61, count: 3_000_000)
        try scratch.write("body", body)
        let posted = try curl([
            "--cacert", scratch("one.pem"), "--data-binary", "@\(scratch("body"))",
        ])
        #expect(posted.stdout == Array("POST /a ".utf8) + body)
        #expect(try !curl(["--cacert", scratch("two.pem")]).succeeded)
        #expect(try !curl(["-k", "--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0"]).succeeded)
        // One who speaks plainly has no answer, and holds nobody up.
        let plain = try RawClient(server.port)
        plain.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(statuses(try plain.rest()).isEmpty)
    }

    /// By number, a descriptor closed twice is another thread's.
    @Test func closesNothingTwice() async throws {
        await #expect(processExitsWith: .success) {
            // A process that is started while other tests run begins with some of their descriptors.
            let before = countOfEntries("/proc/self/fd")
            let hasEnded = Atomic(false)
            let wrong = Atomic(0)
            let other = try BackgroundThread {
                while !hasEnded.load(ordering: .relaxed) {
                    let descriptor = open("/dev/null", O_RDONLY)
                    sched_yield()
                    if close(descriptor) != 0 { wrong.add(1, ordering: .relaxed) }
                }
            }
            for _ in 0 ..< 1_000 {
                #expect(throws: ServerError.self) {
                    try HTTPServer.test { $0.certificate = ([], []) }
                }
            }
            hasEnded.store(true, ordering: .relaxed)
            other.join()
            #expect(wrong.load(ordering: .relaxed) == 0)
            #expect(countOfEntries("/proc/self/fd") < before + 50)
        }
    }

    @Test(arguments: [("one.pem", "two.key"), ("one.key", "one.key"), ("none", "none")])
    func refusesACertificateThatIsNone(chain: String, key: String) {
        #expect { try server(chain, key) } throws: { error in
            let error = error as? ServerError
            return error?.code == .invalid
                && error?.message == "the certificate or its key cannot be used"
        }
    }
}
