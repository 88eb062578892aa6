import Foundation
import GitCore
import TestSupport
import Testing

@testable import GitServer

/// What is told of requests: lines of JSON without a secret, and the metrics.
@Suite(.timeLimit(.minutes(10))) struct LogTests {
    private func parsed(_ line: String) throws -> [String: Any] {
        #expect(line.hasSuffix("\n") && line.dropLast().allSatisfy { !$0.isNewline })
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
        return try #require(object as? [String: Any])
    }

    @Test func tellsOfARequest() throws {
        let folder = try ServedFolder()
        let response = try folder.ask(
            "/a.git/info/refs?service=git-upload-pack",
            "User-Agent: git/2.39.5\r\nGit-Protocol: version=2\r\n")
        let line = try parsed(try #require(folder.log().first))
        #expect(line["peer"] as? String == "127.0.0.1" && line["method"] as? String == "GET")
        #expect(line["path"] as? String == "/a.git/info/refs")
        #expect(line["agent"] as? String == "git/2.39.5" && line["protocol"] as? String == "2")
        #expect(line["service"] as? String == "upload-pack" && line["status"] as? Int == 200)
        #expect(line["sent"] as? Int == response.body.count && line["received"] as? Int == 0)
        #expect(line["whole"] as? Bool == true && line["ms"] as? Int != nil)
        let time = try #require(line["time"] as? String)
        #expect(ISO8601DateFormatter().date(from: time) != nil)
    }

    @Test func isJSONWhateverIsAsked() throws {
        let folder = try ServedFolder()
        let paths = [
            "/a%22b/info/refs", "/%c3%a9%ff%fe/info/refs", "/%e2%80%ae%e2%80%a8/x", "/{\"a\":1}",
            "/\u{7f}", "/%0a", "/a\\b", "/" + String(repeating: "%22", count: 2_000), "/%5c%22",
        ]
        let agents = [
            "\"},{\"", "a\\", "a\tb", "\u{1b}[31mred", "\u{85}\u{2028}é😀",
            String(repeating: "a\"", count: 5_000), "",
        ]
        for path in paths { _ = try folder.ask(path) }
        for agent in agents { _ = try folder.ask("/x", "User-Agent: \(agent)\r\n") }
        let raw = try RawClient(folder.server.port)
        raw.send(Array("GET /x HTTP/1.1\r\nHost: x\r\nUser-Agent: ".utf8) + [0xff, 0xc0, 0x80])
        raw.send("\r\n\r\n")
        _ = try raw.response()
        let lines = folder.log(paths.count + agents.count + 1)
        #expect(lines.count == paths.count + agents.count + 1)
        for line in lines {
            #expect(try parsed(line)["status"] != nil)
            #expect(line.utf8.count < 8_000)
            #expect(
                line.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && $0 != "\u{7f}" })
        }
    }

    /// Wherever a client puts its secret.
    @Test func tellsNoSecret() throws {
        let folder = try ServedFolder { options, scratch in
            let users = "ada:$2y$04$ryilfiKznTEVE94AbnIPC.mAZauTzj6yhpFAGkffuCjWPuIobJHxC\n"
            options.passwordFile = ByteString(try scratch.write("passwords", users.utf8))
        }
        let secret = "s3cretW0rd"
        let encoded = base64("ada:\(secret)")
        let refs = "/a.git/info/refs?service=git-upload-pack"
        let requests = [
            (refs, basic("ada", secret)), (refs, "Authorization: Bearer \(secret)\r\n"),
            (refs, "Authorization: \(secret)\r\n"), (refs, "Cookie: session=\(secret)\r\n"),
            (refs, "Proxy-Authorization: Basic \(encoded)\r\n"),
            (refs + "&token=\(secret)", ""), (refs, "X-Token: \(secret)\r\n"),
            ("http://ada:\(secret)@127.0.0.1/a.git/info/refs", ""),
            (refs, "Referer: http://ada:\(secret)@x/\r\n"),
            (refs, "Authorization: Basic \(encoded)\r\nAuthorization: Basic \(encoded)\r\n"),
        ]
        for (target, field) in requests { _ = try folder.ask(target, field) }
        let lines = folder.log(requests.count)
        #expect(lines.count == requests.count)
        for line in lines { #expect(!line.contains(secret) && !line.contains(encoded)) }
    }

    @Test func showsItsMetrics() throws {
        let folder = try ServedFolder()
        for _ in 0 ..< 3 { _ = try folder.status() }
        _ = try folder.status("/\"b")
        _ = folder.log(4)
        #expect(try folder.ask("/-/healthy").text == "ok\n")
        #expect(try folder.ask("/-/ready", method: "HEAD").status == 200)
        #expect(try folder.ask("/-/other").status == 404)
        #expect(try folder.ask("/-/metrics", method: "POST").status == 405)
        let page = try folder.ask("/-/metrics")
        #expect(page["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        var types: [String: String] = [:]
        var samples: [String: Double] = [:]
        let sample = /^([a-z_]+)(\{[a-z]+="[^"\n]*"(?:,[a-z]+="[^"\n]*")*\})? ([0-9.e+-]+)$/
        for line in page.text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if line.hasPrefix("# TYPE ") {
                #expect(["counter", "gauge", "histogram"].contains(String(words[3])))
                #expect(types.updateValue(String(words[3]), forKey: String(words[2])) == nil)
            } else if !line.hasPrefix("# HELP ") {
                let match = try #require(try sample.wholeMatch(in: line), "\(line)")
                let key = String(match.1) + String(match.2 ?? "")
                #expect(samples.updateValue(try #require(Double(match.3)), forKey: key) == nil)
                #expect(types.keys.contains { match.1.hasPrefix($0) })
            }
        }
        #expect(samples[#"apus_requests_total{service="upload-pack",status="200"}"#] == 3)
        let count = samples["apus_request_seconds_count"]
        #expect(count == samples[#"apus_request_seconds_bucket{le="+Inf"}"#] && count ?? 0 >= 4)
        // The one before may not be quite over.
        #expect((1 ... 2).contains(samples["apus_active_requests"] ?? 0))
        #expect(samples["process_resident_memory_bytes"] ?? 0 > 1_000_000)
        #expect(types["apus_request_seconds"] == "histogram")
    }
}
