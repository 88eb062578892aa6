import Testing

@testable import GitServer

/// Requests that a proxy in front could read as others than this server: each is refused and its
/// connection closed, so that what follows on it is never taken for a request.
@Suite(.timeLimit(.minutes(10))) struct SmugglingTests {
    struct Bad: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let request: String
        let status: Int
        /// libmicrohttpd 0.9.75 answers a wrong length by itself, and sends the head of that twice.
        var heads: Int { request.contains("Content-Length") ? 2 : 1 }

        init(_ name: String, _ request: String, _ status: Int = 400) {
            testDescription = name
            self.request = request
            self.status = status
        }
    }

    private static let get = "GET /a HTTP/1.1\r\n"
    private static let post = "POST /a HTTP/1.1\r\nHost: x\r\n"
    private static let host = "Host: x\r\n"

    static let lengths = [
        Bad(
            "length and coding",
            post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Bad(
            "coding and length",
            post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        Bad("two lengths", post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\n00000"),
        Bad("the same length twice", post + "Content-Length: 4\r\nContent-Length: 4\r\n\r\n0000"),
        Bad("a list of lengths", post + "Content-Length: 4, 4\r\n\r\n0000"),
        Bad("a length with a plus", post + "Content-Length: +4\r\n\r\n0000"),
        Bad("a length below zero", post + "Content-Length: -4\r\n\r\n0000"),
        Bad("a length in hex", post + "Content-Length: 0x4\r\n\r\n0000"),
        Bad(
            "a huge length", post + "Content-Length: 99999999999999999999999\r\n\r\n0000", 413),
        Bad("an empty length", post + "Content-Length: \r\n\r\n"),
        Bad("a length in two words", post + "Content-Length: 4 4\r\n\r\n0000"),
        Bad("an unknown coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        Bad("identity", post + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        Bad("a list of codings", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        Bad("chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        Bad(
            "two fields of codings",
            post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        Bad("a blank before the colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        Bad("a tab before the colon", post + "Content-Length\t: 4\r\n\r\n0000"),
        Bad("a vertical tab", post + "Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n"),
        Bad(
            "a coding in HTTP/1.0",
            "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Bad("another expectation", post + "Expect: tea\r\nContent-Length: 4\r\n\r\n0000"),
    ]

    static let lines = [
        Bad("a folded line", get + host + "X: a\r\n b\r\n\r\n"),
        Bad("a line folded with a tab", get + host + "X: a\r\n\tb\r\nY: c\r\n\r\n"),
        Bad("a folded first line", get + " X: a\r\n" + host + "\r\n"),
        Bad("a bare CR in a value", get + host + "X: a\rb\r\n\r\n"),
        Bad("a bare CR at a line's end", get + host + "X: a\rY: b\r\n\r\n"),
        Bad("a bare LF at a line's end", get + host + "X: a\nY: b\r\n\r\n"),
        Bad("bare LFs alone", "GET /a HTTP/1.1\nHost: x\n\n"),
        Bad("a bare LF at the end of the head", get + host + "X: a\r\n\n"),
        Bad("NUL in a value", get + host + "X: a\0b\r\nY: c\r\n\r\n"),
        Bad("NUL in the last value", get + host + "X: a\0b\r\n\r\n"),
        Bad("NULs in a value", get + host + "X: a\0\0b\r\nY: c\r\n\r\n"),
        Bad("NUL in a name", get + host + "X\0Y: b\r\n\r\n"),
        Bad("NUL in the target", "GET /a\0b HTTP/1.1\r\n" + host + "\r\n"),
        Bad("NUL in the method", "G\0ET /a HTTP/1.1\r\n" + host + "\r\n"),
        Bad("a control character in a value", get + host + "X: a\u{1}b\r\n\r\n"),
        Bad("no host", get + "\r\n"),
        Bad("two hosts", get + host + host + "\r\n"),
        Bad("two spaces before the target", "GET  /a HTTP/1.1\r\n" + host + "\r\n"),
        Bad("two spaces after the target", "GET /a  HTTP/1.1\r\n" + host + "\r\n"),
        Bad("a tab after the method", "GET\t/a HTTP/1.1\r\n" + host + "\r\n"),
        Bad("a space in a name", get + host + "X Y: b\r\n\r\n"),
        Bad("a space before the first field", get + " " + host + "\r\n"),
        Bad("no colon", get + host + "XY\r\n\r\n"),
        Bad("no name", get + host + ": b\r\n\r\n"),
        Bad("a name that is no token", get + host + "X(Y): b\r\n\r\n"),
        Bad("a whole URL as target", "GET http://x/a HTTP/1.1\r\n" + host + "\r\n"),
        Bad("an asterisk as target", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n"),
        Bad("a fragment", "GET /a#b HTTP/1.1\r\n" + host + "\r\n"),
        Bad("HTTP/2.0", "GET /a HTTP/2.0\r\n" + host + "\r\n", 505),
        Bad("HTTP/1.2", "GET /a HTTP/1.2\r\n" + host + "\r\n", 505),
    ]

    @Test(arguments: lengths + lines)
    func refusesAndCloses(_ bad: Bad) throws {
        let handler = TestHandler()
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send(bad.request + "GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
        let answered = statuses(try client.rest())
        #expect(answered.first == bad.status && answered.count <= bad.heads)
        #expect(handler.answered == 0)
    }

    /// HTTP/0.9 has no version, and its answers have no head.
    @Test func answersNothingOfTheFirstVersion() throws {
        let handler = TestHandler()
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send("GET /a\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = try client.rest()
        #expect(statuses(answer).allSatisfy { $0 == 505 || $0 == 400 } && handler.answered == 0)
    }

    @Test(arguments: [
        "zz\r\n0000\r\n0\r\n\r\n", "-4\r\n0000\r\n0\r\n\r\n", "4\r\n00000\r\n0\r\n\r\n",
    ])
    func refusesMalformedChunks(_ chunks: String) throws {
        let handler = TestHandler()
        let server = try HTTPServer.test(handler)
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send(Self.post + "Transfer-Encoding: chunked\r\n\r\n" + chunks)
        client.send("GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = try client.rest()
        #expect(statuses(answer).allSatisfy { $0 == 400 })
        #expect(handler.records.allSatisfy { $0.head?.rawTarget != "/second" })
    }
}
