import GitCore
import GitStore
import TestSupport
import Testing

@testable import GitCache

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What goes over the control socket.
@Suite(.timeLimit(.minutes(10))) struct ControlMessageTests {
    @Test(arguments: [
        ControlRequest.status(asJSON: false), .status(asJSON: true), .verify, .purge("host/a b"),
    ])
    func aRequestIsReadAsItWasWritten(request: ControlRequest) throws {
        let line = try request.line()
        #expect(line.last == 0x0a)
        #expect(try ControlRequest(parsing: line.dropLast()) == request)
    }

    @Test(arguments: [
        "", "purge", "purge ", "verify x", "status text", "STATUS", "a\u{1b}", "a\tb",
    ])
    func whatIsNoRequestIsRefused(line: String) {
        #expect(code { _ = try ControlRequest(parsing: Array(line.utf8)) } == .invalid)
    }

    @Test func aRequestIsBounded() throws {
        let name = ByteString([UInt8](repeating: 0x78, count: 8_185))
        #expect(try ControlRequest.purge(name).line().count == 8_192)
        #expect(code { _ = try ControlRequest.purge(name + "x").line() } == .invalid)
        #expect(code { _ = try ControlRequest.purge("a\nverify").line() } == .invalid)
    }

    @Test func anAnswersLinesAreReadAsTheyWereWritten() {
        for line in [ControlLine.text(""), .text("- ok"), .ok, .error("error ok")] {
            #expect(ControlLine(parsing: line.bytes.dropLast()) == line)
        }
        #expect(ControlLine(parsing: Array("okay".utf8)) == nil)
        #expect(ControlLine(parsing: []) == nil)
        #expect(!ControlLine.text("a\nok\n\u{1b}").bytes.dropLast().contains(0x0a))
        let long = String(repeating: "x", count: 100_000)
        #expect(ControlLine.text(long).bytes.count == ControlLine.longest)
    }

    /// However the bytes come.
    @Test(arguments: [1, 2, 1_000])
    func linesAreReadFromPieces(piece: Int) throws {
        let bytes = Array("one\n\nthree and more\nno end".utf8)
        let (reading, writing) = try pair()
        let writer = try Running {
            var rest = bytes[...]
            while !rest.isEmpty {
                _ = ControlSocket.send(Array(rest.prefix(piece)), to: writing)
                rest = rest.dropFirst(piece)
                usleep(500)
            }
            close(writing)
        }
        var reader = LineReader(limit: 100)
        let deadline = ContinuousClock.now + .seconds(60)
        var lines: [String] = []
        while case .line(let line) = reader.next(from: reading.file, by: deadline) {
            lines.append(printable(line))
        }
        #expect(lines == ["one", "", "three and more"])
        try writer.value()
    }

    @Test func aLineIsBoundedAndHasItsTime() throws {
        for (count, isTooLong) in [(9, false), (10, true), (5_000, true)] {
            let (reading, writing) = try pair()
            let line = [UInt8](repeating: 0x78, count: count)
            #expect(ControlSocket.send(line + [0x0a], to: writing))
            close(writing)
            var reader = LineReader(limit: 10)
            let deadline = ContinuousClock.now + .seconds(60)
            #expect(
                reader.next(from: reading.file, by: deadline)
                    == (isTooLong ? .tooLong : .line(line)))
        }
        let (reading, writing) = try pair()
        #expect(ControlSocket.send(Array("half".utf8), to: writing))
        var reader = LineReader(limit: 10)
        #expect(reader.next(from: reading.file, by: .now + .milliseconds(50)) == .end)
        close(writing)
    }

    private func pair() throws -> (OpenFile, Int32) {
        var ends: [Int32] = [-1, -1]
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        return (OpenFile(File(adopting: ends[0], path: "here")), ends[1])
    }
}

/// Which repositories somebody means.
@Suite struct RepositoryMeaningTests {
    private let known: [ByteString] = [
        "github.com/x/y", "github.com/X/y", "gh/a", "forge:8443/t/u", "github.com/x",
        "cache/host/p",
    ]

    private func meant(_ text: ByteString) throws -> [ByteString] {
        let hosts = [
            try UpstreamHost(parsing: "github.com"),
            try UpstreamHost(parsing: "gh=https://example.org/git/"),
        ]
        return try RepositoryMeaning(text, hosts: hosts).among(known)
    }

    @Test(arguments: [
        "github.com/x/y", "GitHub.com/x/y.git", "github.com/x/Y/", "https://github.com/x/y",
        "https://github.com/x/y.git/", "HTTPS://GITHUB.COM//x/%79.git",
        "http://cache:8080/github.com/x/y.git",
    ])
    func itIsNamedInManyWays(text: String) throws {
        #expect(try meant(ByteString(text)) == ["github.com/X/y", "github.com/x/y"])
    }

    @Test func anUpstreamMayBeElsewhere() throws {
        #expect(try meant("https://example.org/git/a.git") == ["gh/a"])
        #expect(try meant("https://forge:8443/t/u") == ["forge:8443/t/u"])
        #expect(try meant("https://user@forge:8443/t/u") == ["forge:8443/t/u"])
        #expect(code { _ = try meant("https://example.org/a.git") } == .unknown)
    }

    @Test(arguments: [
        "", "/", "x", "github.com", "https://github.com/", "x/", "ssh://github.com/x/y", "https://",
        "https://github.com/x%2fy/z",
    ])
    func whatMeansNothingIsRefused(text: String) {
        #expect(code { _ = try meant(ByteString(text)) } == .invalid)
    }

    @Test(arguments: ["github.com/x/z", "github.com/x/y/z", "https://nobody.test/x/y", "a@b:x/y"])
    func whatIsNotThereIsUnknown(text: String) {
        #expect(code { _ = try meant(ByteString(text)) } == .unknown)
    }
}
