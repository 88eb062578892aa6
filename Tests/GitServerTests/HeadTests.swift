import Testing

@testable import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Heads that are good, in whatever portions they come, and those that are too large.
@Suite(.timeLimit(.minutes(10))) struct HeadTests {
    private func answer(_ parts: [String]) throws -> RawResponse {
        let server = try HTTPServer.test()
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        for part in parts {
            client.send(part)
            if parts.count > 1 { sched_yield() }
        }
        return try client.response()
    }

    @Test func readsAHeadThatComesByteByByte() throws {
        let head =
            "GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Padded: \t d \t\r\nCookie: e=f\r\n\r\n"
        #expect(try answer(head.map { String($0) }).text == "GET /a?b=c ")
        #expect(try answer(head.utf8.map { String(UnicodeScalar($0)) }).text == "GET /a?b=c ")
    }

    @Test func takesBlanksAndManyFields() throws {
        let fields = (0 ..< 200).map { "X-\($0): \(String(repeating: "y", count: 90))\r\n" }
        let head = "GET /a HTTP/1.1\r\nHost:x\r\nX-Empty:\r\nX-Tab:\ty\t\r\nCookie: a=b; c\r\n"
        #expect(try answer([head + fields.joined() + "\r\n"]).text == "GET /a ")
    }

    @Test func takesHTTP10AndClosesAfterIt() throws {
        let server = try HTTPServer.test()
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send("GET /a HTTP/1.0\r\n\r\nGET /second HTTP/1.0\r\n\r\n")
        #expect(statuses(try client.rest()) == [200])
    }

    @Test func refusesAHeadThatIsTooLarge() throws {
        let fields = (0 ..< 300).map { "X-\($0): \(String(repeating: "y", count: 900))\r\n" }
        let response = try answer(["GET /a HTTP/1.1\r\nHost: x\r\n" + fields.joined() + "\r\n"])
        #expect(response.status == 431)
    }

    @Test func refusesATargetThatIsTooLong() throws {
        let target = "/" + String(repeating: "a", count: 300_000)
        #expect(try answer(["GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n"]).status == 414)
    }

    @Test func answersPipelinedRequestsInTheirOrder() throws {
        let server = try HTTPServer.test()
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send(
            (0 ..< 20).map {
                $0 % 2 == 0
                    ? "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n"
                    : "POST /\($0) HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
            }.joined())
        for number in 0 ..< 20 {
            let expected = number % 2 == 0 ? "GET /\(number) " : "POST /\(number) abc"
            #expect(try client.response().text == expected)
        }
    }

    @Test func answersHeadWithoutABody() throws {
        let server = try HTTPServer.test()
        defer { server.stop(grace: .zero) }
        let client = try RawClient(server.port)
        client.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        let head = try client.response(toHead: true)
        #expect(head.status == 200 && head["content-length"] == "8")
        #expect(try client.response().text == "GET /b ")
    }
}
