import Foundation
import GitCore
import GitStore
import Testing

@testable import GitClient

private func config(_ text: String) throws -> Config {
    Config(try ConfigFile(parsing: Array(text.utf8)))
}

private func options(
    _ text: String, _ url: String, environment: [String: ByteString] = [:]
) throws -> HTTPOptions {
    try HTTPOptions(
        config: config(text), url: GitURL(url), environment: Environment(environment))
}

@Suite struct HTTPOptionsTests {
    @Test func withoutSettingsTheDefaultsHold() throws {
        #expect(try options("", "https://h/x") == HTTPOptions())
    }

    @Test func everySettingIsRead() throws {
        let text = """
            [http]
            sslVerify = false
            sslCAInfo = /ca.pem
            sslCAPath = /ca
            sslCert = /cert.pem
            sslKey = /key.pem
            pinnedPubkey = sha256//abc
            proxy = http://proxy:3128
            extraHeader = A: b
            extraHeader = C: d
            userAgent = me
            lowSpeedLimit = 1k
            lowSpeedTime = 30
            followRedirects = false
            version = HTTP/1.1
            """
        var expected = HTTPOptions()
        expected.verifiesTLS = false
        expected.authorityFile = "/ca.pem"
        expected.authorityDirectory = "/ca"
        expected.certificateFile = "/cert.pem"
        expected.keyFile = "/key.pem"
        expected.pinnedPublicKey = "sha256//abc"
        expected.proxy = "http://proxy:3128"
        expected.extraHeaders = ["A: b", "C: d"]
        expected.userAgent = "me"
        expected.lowSpeedLimit = 1024
        expected.lowSpeedTime = 30
        expected.followRedirects = .never
        expected.version = .http1
        #expect(try options(text, "https://h/x") == expected)
    }

    @Test func theEnvironmentIsStronger() throws {
        let text = "[http]\nsslVerify = true\nsslCAInfo = /a\nuserAgent = a\nlowSpeedTime = 9\n"
        let read = try options(
            text, "https://h/",
            environment: [
                "GIT_SSL_NO_VERIFY": "1", "GIT_SSL_CAINFO": "/b", "GIT_HTTP_USER_AGENT": "b",
                "GIT_HTTP_LOW_SPEED_LIMIT": "5", "GIT_HTTP_LOW_SPEED_TIME": "6",
            ])
        #expect(!read.verifiesTLS)
        #expect(read.authorityFile == "/b")
        #expect(read.userAgent == "b")
        #expect(read.lowSpeedLimit == 5 && read.lowSpeedTime == 6)
    }

    @Test func aSpeedLimitWithoutATimeHasNoEffect() throws {
        #expect(try options("[http]\nlowSpeedLimit = 1000\n", "https://h/") == HTTPOptions())
    }

    @Test func anEmptyHeaderBeginsAnew() throws {
        let text = "[http]\nextraHeader = A: b\nextraHeader =\nextraHeader = C: d\n"
        #expect(try options(text, "https://h/").extraHeaders == ["C: d"])
    }

    @Test func aBadValueIsAnError() {
        let error = #expect(throws: ClientError.self) {
            try options("[http]\nsslVerify = perhaps\n", "https://h/")
        }
        #expect(error?.code == .invalid)
    }

    /// What git itself finds with `git config --get-urlmatch`.
    @Test(arguments: [
        "https://example.com/a/b.git", "https://example.com/a/bc.git", "https://example.com/",
        "http://example.com/a", "https://joe@example.com/a/b.git", "https://eve@example.com/a",
        "https://git.example.com/x", "https://a.git.example.com/x", "https://example.com:8443/a",
        "https://example.com:443/a/b.git/", "https://EXAMPLE.com/a%2Fb", "https://other.org/a",
        "https://h.other.org/q/r", "https://example.com/a/./b.git/../b.git", "https://[::1]/p",
    ])
    func theBestMatchIsGits(url: String) throws {
        let patterns = [
            "https://example.com", "https://example.com/a", "https://example.com/a/b.git",
            "https://joe@example.com/a/", "https://*.example.com", "https://*.other.org/q",
            "https://example.com:8443/", "http://example.com", "https://git.example.com/x/",
            "https://h.other.org", "https://example.com/a/b", "nonsense", "https://[::1]/",
        ]
        var text = "[http]\nuserAgent = none\n"
        for pattern in patterns { text += "[http \"\(pattern)\"]\nuserAgent = <\(pattern)>\n" }
        let directory = TestDirectory()
        try Data(text.utf8).write(to: URL(fileURLWithPath: directory.file("config")))
        let git = try runProgram([
            "git", "config", "-f", directory.file("config"), "--get-urlmatch", "http.userAgent",
            url,
        ])
        let found = try options(text, url).userAgent
        #expect(found.description == git.output.trimmingCharacters(in: .newlines))
    }
}
