import GitCore
import Testing

@testable import GitCache

@Suite struct LFSBatchAnswerTests {
    private static let oid = String(repeating: "0a", count: 32)

    /// A batch answer with one object, of which parts are other ones.
    private func answer(
        head: String = "", oid: String = oid, size: String = "12", more: String = "",
        href: String = "https://s3.example/o?sig=a%2Fb", action: String = ""
    ) -> LFSBatchAnswer? {
        let download = "{\"href\":\"\(href)\"\(action)}"
        let text =
            "{\(head)\"objects\":[{\"oid\":\"\(oid)\",\"size\":\(size)\(more),"
            + "\"actions\":{\"download\":\(download)}}]}"
        return LFSBatchAnswer(parsing: Array(text.utf8), now: 1_478_791_747)
    }

    @Test func aDownloadIsRead() throws {
        let found = try #require(
            answer(
                head: "\"transfer\":\"basic\",\"hash_algo\":\"sha256\",",
                action:
                    ",\"header\":{\"Authorization\":\"Basic eA==\",\"X-A\":\"b\"},\"expires_in\":60"
            ))
        let download = try #require(found.downloads.first?.download)
        #expect("\(download.oid)" == Self.oid)
        #expect(download.size == 12)
        #expect(download.url.connectionText == "https://s3.example/o?sig=a%2Fb")
        #expect(download.headers.map(\.name) == ["authorization", "x-a"])
        #expect(download.headers.map(\.value) == ["Basic eA==", "b"])
        #expect(download.lifetime == .seconds(60))
    }

    @Test(
        arguments: [
            ("", nil), (",\"expires_in\":0", nil), (",\"expires_in\":null", nil),
            (",\"expires_in\":7,\"expires_at\":\"2016-11-10T15:29:17Z\"", 7),
            (",\"expires_at\":\"2016-11-10T15:29:17Z\"", 10),
            (",\"expires_at\":\"2016-11-10T15:29:17.123456Z\"", 10),
            (",\"expires_at\":\"2016-11-10T17:29:17+02:00\"", 10),
            (",\"expires_at\":\"2016-11-10T10:29:17-05:00\"", 10),
            (",\"expires_at\":\"0001-01-01T00:00:00Z\"", nil),
        ] as [(String, Int?)])
    func theEndIsUpstreams(action: String, seconds: Int?) throws {
        let download = try #require(answer(action: action)?.downloads.first?.download)
        #expect(download.lifetime == seconds.map { .seconds($0) })
    }

    @Test(arguments: [
        ",\"expires_in\":-1", ",\"expires_in\":\"60\"", ",\"expires_in\":99999999999",
        ",\"expires_at\":\"2016-11-10T15:29:07Z\"", ",\"expires_at\":\"soon\"",
        ",\"expires_at\":\"2016-11-10 15:29:17Z\"", ",\"expires_at\":\"2016-11-10T15:29:17\"",
        ",\"expires_at\":7",
        ",\"header\":[]", ",\"header\":{\"X\":1}", ",\"header\":{\"A b\":\"c\"}",
        ",\"header\":{\"A\":\"b\\r\\nC: d\"}",
        ",\"header\":{\"A\":\"b\",\"a\":\"c\"}", ",\"header\":{\"Host\":\"x\"}",
        ",\"header\":{\"Range\":\"x\"}",
        ",\"header\":{\"\":\"x\"}",
    ])
    func anUnusualActionIsLeftAlone(action: String) throws {
        #expect(try #require(answer(action: action)).downloads.isEmpty)
    }

    @Test func anUnusualObjectIsLeftAlone() throws {
        #expect(try #require(answer()).downloads.count == 1)
        for oid in ["", "x", String(Self.oid.dropLast()), Self.oid.uppercased(), Self.oid + "0"] {
            #expect(try #require(answer(oid: oid)).downloads.isEmpty)
        }
        for size in ["-1", "1.5", "\"1\"", "null", "99999999999999999999"] {
            #expect(try #require(answer(size: size)).downloads.isEmpty)
        }
        #expect(try #require(answer(more: ",\"error\":{\"code\":404}")).downloads.isEmpty)
        for href in [
            "ftp://x/y", "/relative", "https://a:b@x/y", "https://a@x/y", "file:///etc/x",
            "ssh://x/y",
        ] {
            #expect(try #require(answer(href: href)).downloads.isEmpty, "\(href)")
        }
    }

    @Test(arguments: [
        "\"transfer\":\"tus\",", "\"transfer\":1,", "\"hash_algo\":\"sha512\",", "\"objects\":[],",
    ])
    func anotherKindOfAnswerIsNone(head: String) {
        #expect(answer(head: head) == nil)
    }

    @Test(arguments: ["", "{}", "[]", "{\"objects\":{}}", "{\"message\":\"no\"}", "<html>"])
    func whatIsNoAnswerIsNone(text: String) {
        #expect(LFSBatchAnswer(parsing: Array(text.utf8)) == nil)
    }

    @Test func anObjectThatIsThereTwiceIsTakenOnce() throws {
        let object = { (href: String) in
            "{\"oid\":\"\(Self.oid)\",\"size\":1,\"actions\":{\"download\":{\"href\":\"\(href)\"}}}"
        }
        let text = "{\"objects\":[\(object("http://a/")),\(object("http://b/"))]}"
        let found = try #require(LFSBatchAnswer(parsing: Array(text.utf8)))
        #expect(found.downloads.map(\.download.url.connectionText) == ["http://a/"])
        let place = try #require(found.downloads.first?.place)
        #expect(String(decoding: Array(text.utf8)[place], as: UTF8.self) == "\"http://a/\"")
    }
}
