import CCurl
import Foundation
import GitCore
import Testing

@testable import GitClient

@Suite struct GitURLTests {
    @Test func takesAnHTTPURLApart() throws {
        let url = try GitURL("HTTPS://Jo%20e:p%40ss%3A@Git.Example.com:8443/a%20b/c.git?x=1/2")
        #expect(url.scheme == .https)
        #expect(url.username == "Jo e")
        #expect(url.password == "p@ss:")
        #expect(url.host == "git.example.com")
        #expect(url.port == 8443)
        #expect(url.path == "/a%20b/c.git")
        #expect(url.query == "x=1/2")
        #expect(url.connectionText == "https://git.example.com:8443/a%20b/c.git?x=1/2")
    }

    @Test(arguments: [
        ("http://h", "http://h/"), ("http://h?x", "http://h/?x"), ("http://h:/", "http://h/"),
        ("http://h/a/./b/../c", "http://h/a/c"), ("http://h/a/%2e%2E/../../b", "http://h/b"),
        ("http://h/a/..", "http://h/"), ("http://h//a//", "http://h//a//"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://[2001:DB8::A]", "http://[2001:db8::a]/"),
        ("http://h/\u{e9}\"<>", "http://h/%C3%A9%22%3C%3E"),
        ("http://u@h/p@q:r", "http://h/p@q:r"),
    ])
    func connectsToWhatItUnderstood(text: String, connection: ByteString) throws {
        #expect(try GitURL(text).connectionText == connection)
    }

    @Test func defaultPortsAreTheSchemes() throws {
        #expect(try GitURL("http://h").effectivePort == 80)
        #expect(try GitURL("https://h").effectivePort == 443)
        #expect(try GitURL("https://h").origin == GitURL("https://H:443/x").origin)
        #expect(try GitURL("https://h").origin != GitURL("http://h:443").origin)
    }

    @Test(arguments: [
        "", "http://", "http:///path", "http://h:0", "http://h:65536", "http://h:8x",
        "http://h:1:2",
        "http://-oProxyCommand=x/", "http://-u@h/", "ssh://-oProxyCommand=x/p", "-h:path",
        "-u@h:path", "h:-path", "http://h\\@evil/", "http://evil\\.h/", "http://h/a\\b",
        "http://h/%5c", "http://h/%0a", "http://h/%00", "http://h/%0D", "http://h/\u{7f}",
        "http://h/a\nb", "http://h\r/", "http://h/ b", "http:// h/", "http://h%2e/", "http://h/%zz",
        "http://h/%4", "http://u%0a@h/", "http://u:%0d@h/", "http://u:%00@h/", "http://a@b@c/",
        "http://u:p/w@h/", "http://[::1/", "http://[::1]x/", "http://[zz]/", "http://[::1%25eth0]/",
        "http://h_/#frag", "http://h#@evil/", "http://b\u{fc}cher/", "http://h/\0", "ssh://h#x/y",
        "http://h/?%0a", "file:///a%00b",
    ])
    func refuses(_ text: String) {
        let error = #expect(throws: ClientError.self) { try GitURL(text) }
        #expect(error?.code == .invalidURL)
        #expect(error?.message.contains("\n") == false)
    }

    @Test func theAuthorityEndsBeforePathQueryAndFragment() throws {
        #expect(try GitURL("http://good?@evil/").host == "good")
        #expect(try GitURL("http://good/@evil/").host == "good")
        #expect(throws: ClientError.self) { try GitURL("http://good#@evil/") }
    }

    @Test func aLongURLIsRefused() {
        let path = String(repeating: "a", count: GitURL.maximumLength)
        #expect(throws: ClientError.self) { try GitURL("http://h/" + path) }
    }

    @Test(arguments: [
        ("ssh://u@h:22/p", GitURL.Scheme.ssh), ("git+ssh://h/p", .ssh), ("u@h:p", .ssh),
        ("h:p", .ssh), ("[::1]:p", .ssh), ("git://h/p", .git), ("file:///p", .file), ("/p", .local),
        ("./a:b", .local), ("p", .local), ("../p", .local), ("ftp://h/p", .other("ftp")),
        ("ext::sh -c x", .other("ext")),
    ])
    func knowsWhatItDoesNotSpeak(text: String, scheme: GitURL.Scheme) throws {
        let url = try GitURL(text)
        #expect(url.scheme == scheme)
        let error = #expect(throws: ClientError.self) { try url.requireHTTP() }
        #expect(error?.code == .unsupported)
    }

    @Test func anSSHAddressIsTakenApart() throws {
        let url = try GitURL("git@example.com:~me/p.git")
        #expect(url.username == "git")
        #expect(url.host == "example.com")
        #expect(url.path == "~me/p.git")
    }

    @Test(arguments: [
        "https://user:sekret@h/p", "https://:sekret@h/p", "https://user:sekret@h\\/p",
        "https://user:sek ret@h/p", "https://user:sek/sekret@h/p", "https://user:sekret@h:99999/",
        "https://user:%zzsekret@h/p", "ssh://u:sekret@h/p", "ftp://u:sekret@h/",
        "https://user:sekret@x@h/p", "ext::https://u:sekret@h/p", "https:u:sekret@h",
        "https:/u:sekret@h/x",
    ])
    func noPrintedFormShowsThePassword(_ text: String) {
        var shown: [String] = []
        do {
            let url = try GitURL(text)
            shown = [url.redacted, "\(url)", String(reflecting: url), url.stored.description]
            dump(url, to: &shown[0])
        } catch {
            shown = ["\(error)", error.message]
        }
        for form in shown { #expect(!form.contains("sekret")) }
    }

    @Test func storesTheUserButNotThePassword() throws {
        #expect(try GitURL("https://u:p@h/x.git").stored == "https://u@h/x.git")
        #expect(try GitURL("https://:p@h/x.git").stored == "https://h/x.git")
        #expect(try GitURL("https://u@h/x.git/").stored == "https://u@h/x.git/")
        #expect(try GitURL("HTTP://H/a%20b").stored == "HTTP://H/a%20b")
        #expect(try GitURL("https://u:p@h/x.git").redacted == "https://h/x.git")
    }
}

@Suite struct GitURLFuzzTests {
    /// Text of pieces that a parser may trip over, always the same.
    private struct Texts {
        var state: UInt64 = 1
        let pieces = [
            "http://", "https://", "ssh://", "a", "b.c", "@", ":", "/", "?", "#", "\\", "%", "%2e",
            "%2F", "%0a", "%00", "..", ".", "[", "]", "::1", "80", "-", " ", "\u{e9}", "\u{7f}",
            "*",
            "//", "\"", "%5c", "0x7f.1", "127.1", "=", "&", ";", "\u{ff0f}", "\u{3002}",
        ]

        mutating func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }

        mutating func text() -> String {
            let start = next(4) == 0 ? "" : "http://"
            return (0 ..< next(9)).reduce(start) { text, _ in text + pieces[next(pieces.count)] }
        }
    }

    private func curlsPart(_ part: CURLUPart, of url: GitURL) -> String? {
        guard let handle = curl_url() else { return nil }
        defer { curl_url_cleanup(handle) }
        let flags = UInt32(CURLU_PATH_AS_IS | CURLU_DISALLOW_USER)
        let text = String(decoding: url.connectionText.bytes, as: UTF8.self)
        guard curl_url_set(handle, CURLUPART_URL, text, flags) == CURLUE_OK else { return nil }
        var value: UnsafeMutablePointer<CChar>?
        let get = part == CURLUPART_PORT ? UInt32(CURLU_DEFAULT_PORT) : 0
        guard curl_url_get(handle, part, &value, get) == CURLUE_OK, let value else { return nil }
        defer { curl_free(value) }
        return String(cString: value)
    }

    @Test func whatIsUnderstoodIsWhatIsConnectedTo() throws {
        var texts = Texts()
        var understood = 0
        for _ in 0 ..< 30_000 {
            let text = texts.text()
            guard let url = try? GitURL(text), url.isHTTP else { continue }
            understood += 1
            // Its own form means the same to this parser,
            let again = try GitURL(url.connectionText)
            #expect(again.connectionText == url.connectionText, "\(text)")
            #expect(again.origin == url.origin, "\(text)")
            // and to libcurl, but that it writes numbers of IPv4 out.
            let host = curlsPart(CURLUPART_HOST, of: url)?.filter { !"[]".contains($0) }
            if url.host.bytes.first.map({ $0.isDigit }) != true {
                #expect(host == url.host.description, "\(text)")
            } else {
                #expect(host != nil, "\(text)")
            }
            #expect(curlsPart(CURLUPART_PORT, of: url) == url.effectivePort.map { "\($0)" })
            #expect(curlsPart(CURLUPART_PATH, of: url) == url.path.description, "\(text)")
            _ = try? url.directoryName()
            _ = try? url.resolving(location: ByteString(texts.text()))
        }
        #expect(understood > 1000)
    }
}

@Suite struct GitURLDirectoryTests {
    /// What git itself says it clones into.
    private func gitsName(_ url: String, bare: Bool) throws -> String? {
        let directory = TestDirectory()
        let result = try runProgram(
            ["-C", directory.path, "git", "clone"] + (bare ? ["--bare"] : []) + ["--", url],
            environment: ["GIT_ALLOW_PROTOCOL": "none", "LC_ALL": "C"])
        let mark = bare ? "Cloning into bare repository '" : "Cloning into '"
        guard let start = result.output.range(of: mark)?.upperBound,
            let end = result.output.range(of: "'...", range: start ..< result.output.endIndex)
        else { return nil }
        return String(result.output[start ..< end.lowerBound])
    }

    @Test(
        arguments: [
            "https://h/a/b.git", "https://h/a/b", "https://h/a/b/", "https://h/a/b.git///",
            "https://h/a/b/.git", "https://h/a/b/.git/", "https://h/a/b.git/.git", "https://host",
            "https://host/", "https://host:8080", "https://host:8080/", "https://u:p@host:80/",
            "https://u@host", "https://h/a:b", "https://h/a:80", "https://h/.git",
            "https://h/x/.git", "https://h/a%20b.git", "host:foo.git", "host:foo/bar",
            "u@host:bar.git/", "ssh://host:22/", "ssh://host/~x/a", "https://h/a.bundle",
            "https://h/a?b=c/d", "https://h/.git.git", "https://h/a.git.git", "https://a.git",
            "https://h/b..",
        ], [false, true])
    func isGits(url: String, bare: Bool) throws {
        let name = try? GitURL(url).directoryName(bare: bare).description
        #expect(try name == gitsName(url, bare: bare))
    }

    @Test(arguments: ["https://h/..", "https://h/.", "/", "https://h/.git/.git", "///"])
    func isNeverTheDirectoryItselfOrItsParent(_ url: String) throws {
        let name = try? GitURL(url).directoryName()
        #expect(name == nil || (name != "." && name != ".." && name?.bytes.contains(0x2f) == false))
    }

    @Test func whiteSpaceIsCollapsed() throws {
        #expect(try GitURL("/x/ a \t\u{1} b.git").directoryName() == "a b")
    }
}

@Suite struct GitURLRedirectTests {
    @Test(
        arguments: [
            ("https://other/x", "https://other/x"), ("//other/x", "http://other/x"),
            ("/x", "http://h/x"),
            ("x", "http://h/a/x"), ("../x", "http://h/x"), ("?y", "http://h/a/b?y"),
            ("https://u:p@other/x#frag", "https://other/x"), ("", "http://h/a/"),
            ("HTTP://OTHER:81", "http://other:81/"),
        ] as [(ByteString, ByteString)])
    func locationsAreResolved(location: ByteString, target: ByteString) throws {
        let url = try GitURL("http://h/a/b?c")
        #expect(try url.resolving(location: location).connectionText == target)
    }

    @Test(arguments: ["http://evil\\@h/", "http://h/%0a", "http://h:x/", "http://", "/a b"])
    func badLocationsAreRefused(_ location: ByteString) throws {
        let url = try GitURL("http://h/a/b")
        #expect(throws: ClientError.self) { try url.resolving(location: location) }
    }

    @Test(arguments: ["file:///etc/passwd", "ftp://h/x", "ext::sh", "https:foo", "javascript:x"])
    func otherSchemesAreNotHTTP(_ location: ByteString) throws {
        let target = try? GitURL("http://h/a/b").resolving(location: location)
        #expect(target?.isHTTP != true)
    }

    @Test func theBaseIsWhatPrecedesTheTail() throws {
        let tail: ByteString = "info/refs?service=git-upload-pack"
        let moved = try GitURL("https://h/new.git/").appending(tail)
        #expect(try moved.base(withoutTail: tail) == GitURL("https://h/new.git/"))
        #expect(try GitURL("https://h/login").base(withoutTail: tail) == nil)
        #expect(try GitURL("https://h/x").appending(tail).base(withoutTail: tail) == nil)
    }

    @Test func aQueryInTheBaseStaysBeforeTheTail() throws {
        let base = try GitURL("http://h/p?a=b").asBase()
        #expect(base.connectionText == "http://h/p?a=b/")
        #expect(
            try base.appending("info/refs&service=x").connectionText
                == "http://h/p?a=b/info/refs&service=x")
    }
}
