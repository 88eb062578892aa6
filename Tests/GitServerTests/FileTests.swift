import TestSupport
import Testing

@testable import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Answers that are files: whole, in part, and refused.
@Suite(.timeLimit(.minutes(10))) struct FileTests {
    private let scratch: TemporaryDirectory
    private let path: String
    private let content = (0 ..< 1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 4) }

    init() throws {
        scratch = try TemporaryDirectory()
        path = try scratch.write("file", content)
    }

    private func server(_ path: String) throws -> HTTPServer {
        try HTTPServer.test(
            TestHandler { exchange in
                let descriptor = open(path, O_RDONLY)
                var status = stat()
                fstat(descriptor, &status)
                exchange.respond(
                    HTTPResponse(
                        file: descriptor, status, for: exchange.head,
                        headers: [("Content-Type", "a/b")]))
            })
    }

    private func answers(
        _ path: String, _ fields: [String], method: String = "GET"
    ) throws -> [RawResponse] {
        let server = try server(path)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        return try fields.map { field in
            client.send("\(method) /a HTTP/1.1\r\nHost: x\r\n\(field)\r\n")
            return try client.response(toHead: method == "HEAD")
        }
    }

    @Test func sendsTheWhole() throws {
        for response in try answers(path, ["", ""]) {
            #expect(response.status == 200 && response.body == content)
            #expect(response["accept-ranges"] == "bytes" && response["content-type"] == "a/b")
        }
        let empty = try scratch.write("empty", [])
        #expect(try answers(empty, [""]).map(\.body) == [[]])
        let head = try answers(path, ["Range: bytes=0-0\r\n"], method: "HEAD")[0]
        #expect(head.status == 200 && head["content-length"] == "1000000")
    }

    @Test(arguments: [
        ("0-0", 0 ..< 1), ("0-", 0 ..< 1_000_000), ("999999-", 999_999 ..< 1_000_000),
        ("10-19", 10 ..< 20), ("-1", 999_999 ..< 1_000_000), ("-2000000", 0 ..< 1_000_000),
        ("999990-99999999999999999999999", 999_990 ..< 1_000_000),
        ("70000-700000", 70_000 ..< 700_001), ("-99999999999999999999999", 0 ..< 1_000_000),
    ])
    func sendsAPart(_ range: String, _ part: Range<Int>) throws {
        let response = try answers(path, ["Range: Bytes=\(range)\r\n"])[0]
        #expect(response.status == 206 && response.body == Array(content[part]))
        #expect(
            response["content-range"] == "bytes \(part.lowerBound)-\(part.upperBound - 1)/1000000")
    }

    @Test(arguments: ["1000000-", "1000000-1000001", "99999999999999999999999-", "-0"])
    func refusesAPartBehindTheEnd(_ range: String) throws {
        let responses = try answers(path, ["Range: bytes=\(range)\r\n", ""])
        #expect(responses[0].status == 416 && responses[1].status == 200)
        #expect(responses[0]["content-range"] == "bytes */1000000")
    }

    @Test(arguments: [
        "bytes=0-1,5-6", "bytes=2-1", "bytes=-", "bytes=", "bytes=a-b", "bytes=1", "bytes=+1-2",
        "bytes=1-2-3", "lines=0-1", "bytes 0-1", "bytes=0-1,", "bytes=--1",
    ])
    func sendsTheWholeForWhatIsNotOneRange(_ range: String) throws {
        let response = try answers(path, ["Range: \(range)\r\n"])[0]
        #expect(response.status == 200 && response.body.count == content.count)
    }

    @Test func sendsAPartOfTheSameFileAlone() throws {
        let tag = try #require(try answers(path, [""])[0]["etag"])
        #expect(tag.hasPrefix("\""))
        let range = "Range: bytes=0-9\r\n"
        let same = try answers(
            path,
            [
                range + "If-Range: \(tag)\r\n", range + "If-Range: W/\(tag)\r\n",
                range + "If-Range: \"other\"\r\n",
                range + "If-Range: Sat, 21 Nov 2026 10:00:00 GMT\r\n",
            ])
        #expect(same.map(\.status) == [206, 200, 200, 200])
        try scratch.write("file", content + [0])
        #expect(try answers(path, [range + "If-Range: \(tag)\r\n"])[0].status == 200)
    }

    /// Files that are never sent are closed, too.
    @Test func keepsNoFileOpen() async throws {
        await #expect(processExitsWith: .success) {
            let scratch = try TemporaryDirectory()
            let path = try scratch.write("file", [UInt8](repeating: 1, count: 3_000_000))
            let server = try FileTests().server(path)
            func isClosed() -> Bool { server.connections == 0 && server.activeRequests == 0 }
            func ask(_ fields: String) throws -> RawClient {
                let client = try RawClient(server.port)
                client.send("GET /a HTTP/1.1\r\nHost: x\r\n\(fields)\r\n")
                return client
            }
            _ = try ask("").response()
            #expect(eventually(isClosed))
            let before = countOfEntries("/proc/self/fd")
            for number in 0 ..< 200 {
                switch number % 5 {
                case 0: _ = try ask("Range: bytes=5-6\r\n").response()
                case 1: _ = try ask("Range: bytes=9999999-\r\n").response()
                case 2: _ = try ask("").take(100_000)
                case 3: _ = try ask("")  // gone before its answer
                default: _ = try ask("If-Range: \"x\"\r\nRange: bytes=0-1\r\n").response()
                }
            }
            #expect(eventually(isClosed))
            #expect(countOfEntries("/proc/self/fd") == before)
            server.stop(grace: .zero)
        }
    }
}
