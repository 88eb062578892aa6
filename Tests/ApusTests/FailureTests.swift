import TestSupport
import Testing

/// Whatever goes wrong: one line that says it, exit code 128, and the folder as it was before.
@Suite(.timeLimit(.minutes(10))) struct FailureTests {
    /// What stands in for the server's address in the URLs below.
    private static let http = "HTTP"
    private static let https = "HTTPS"

    @Test(
        arguments: [
            ("http://x.invalid/a.git", ["x.invalid", "resolve"]),
            ("http://127.0.0.1:1/a.git", ["127.0.0.1:1/a.git", "connect"]),
            ("HTTPS/git/tiny.git", ["/git/tiny.git", "certificate"]),
            ("HTTP/status/401/a.git", ["/status/401/a.git"]),
            ("HTTP/auth/tiny.git", ["/auth/tiny.git"]),
            ("HTTP/status/403/a.git", ["/status/403/a.git", "403"]),
            ("HTTP/status/404/a.git", ["/status/404/a.git", "not found"]),
            ("HTTP/status/410/a.git", ["/status/410/a.git"]),
            ("HTTP/status/429/a.git", ["/status/429/a.git", "429"]),
            ("HTTP/status/500/a.git", ["/status/500/a.git", "500"]),
            ("HTTP/status/503/a.git", ["/status/503/a.git", "503"]),
            ("HTTP/git/no-such.git", ["/git/no-such.git", "not found"]),
            ("HTTP/loop/a.git", ["/loop/a.git", "redirect"]),
            ("HTTP/odd/text-type/tiny.git", ["/odd/text-type/tiny.git"]),
            ("HTTP/odd/error-first/tiny.git", ["keep out"]),
            ("HTTP/odd/echo/tiny.git", ["/odd/echo/tiny.git", "403"]),
            ("HTTP/odd/error/history.git", ["keep out"]), ("HTTP/odd/cut/history.git", []),
            ("HTTP/odd/drop/history.git", []), ("HTTP/odd/corrupt/history.git", []),
            ("HTTP/odd/incomplete/history.git", []), ("HTTP/odd/no-flush/history.git", []),
            ("HTTP/odd/garbage/history.git", []), ("HTTP/odd/bad-oid/history.git", []),
            ("HTTP/odd/bad-length/history.git", []),
        ])
    func saysOnceWhatIsWrongAndLeavesNothing(url: String, words: [String]) throws {
        let pair = try ClonePair([try resolve(url)])
        expectFailure(pair.apus)
        #expect(pair.apus.exit == pair.git.exit)
        for word in words where !Apus.isGit {
            #expect(pair.apus.err.lowercased().contains(word.lowercased()), "\(pair.apus.err)")
        }
        #expect(try pair.leftByApus() == [])
    }

    /// The same with an empty directory there before: it stays, and stays empty.
    @Test(arguments: ["HTTP/status/404/a.git", "HTTP/odd/drop/history.git"])
    func leavesAnEmptyDirectoryEmpty(url: String) throws {
        let pair = try ClonePair([try resolve(url)]) {
            try run("/bin/mkdir", ["copy"], directory: $0.path).required()
        }
        expectFailure(pair.apus)
        #expect(try pair.leftByApus() == ["copy"])
    }

    /// The error of the server on band 3 is shown, and no control characters with it.
    @Test(arguments: [0, 2])
    func showsTheErrorOfTheServer(version: Int) throws {
        let url = try Fixture.named("history").url("odd/band3")
        let pair = try ClonePair([url], environment: protocolVersion(version))
        expectFailure(pair.apus)
        #expect(pair.apus.err.contains("keep out"))
        #expect(try pair.leftByApus() == [])
    }

    /// Control characters on band 2 do not reach the terminal, and the clone goes on.
    @Test func masksWhatTheServerSays() throws {
        let url = try Fixture.named("history").url("odd/chatter")
        let pair = try ClonePair(["--progress", url])
        #expect(pair.apus.succeeded, "\(pair.apus.err)")
        #expect(pair.apus.err.contains("remote: keep out"))
        if !Apus.isGit { expectNoControlCharacters(pair.apus) }
        #expect(try pair.differences() == [])
    }

    /// Such a repository is of no use, or is cloned without its HEAD: but nothing crashes.
    @Test func survivesAHEADThatPointsToItself() throws {
        guard !Apus.isGit else { return }  // 2.39 crashes
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("history").url("odd/head-loop")
        let result = try Apus.run(["clone", url, "copy"], in: scratch.path)
        if !result.succeeded {
            expectFailure(result)
            #expect(!exists(scratch("copy")))
        }
    }

    @Test func writesNoRefOutsideTheRepository() throws {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("history").url("odd/escape")
        let result = try Apus.run(["clone", "--mirror", url, "in/here/copy"], in: scratch.path)
        if !result.succeeded { #expect(result.exit == .code(128), "\(result.err)") }
        let names = try TreeListing(of: scratch.path).entries.keys
        #expect(!names.contains { $0.hasSuffix("escaped") })
        #expect(
            readFile(scratch("in/here/copy/packed-refs")).map { !contains($0, "escaped") } ?? true)
    }

    @Test(arguments: ["dumb", "page"])
    func tellsAServerThatIsNotSmart(location: String) throws {
        let fixture = try Fixture.named("tiny")
        try Git.run(["update-server-info"], in: fixture.path)
        for command in [
            ["clone", fixture.url(location), "copy"], ["ls-remote", fixture.url(location)],
        ] {
            guard !Apus.isGit else { return }  // git speaks the dumb protocol
            let scratch = try TemporaryDirectory()
            let result = try Apus.run(command, in: scratch.path)
            expectFailure(result)
            #expect(result.err.contains(location == "dumb" ? "dumb" : "not a Git"), "\(result.err)")
            #expect(try TreeListing(of: scratch.path).entries.isEmpty)
        }
    }

    /// A full disk, as far as a limit on the size of files can stand for it.
    @Test func saysThatTheDiskIsFull() throws {
        let scratch = try TemporaryDirectory()
        let url = try Fixture.named("many-refs").url()
        let result = try run(
            "/bin/sh",
            ["-c", #"trap '' XFSZ; ulimit -f 16; exec "$0" clone "$1" copy"#, Apus.path, url],
            directory: scratch.path)
        expectFailure(result)
        #expect(!exists(scratch("copy")))
    }

    /// What cannot be written to is said, and nothing is left.
    @Test func saysThatTheFolderCannotBeMade() throws {
        let pair = try ClonePair(
            [try Fixture.named("tiny").url()], directory: "file/copy", expecting: "file"
        ) { try $0.write("file", "A file\n".utf8) }
        expectFailure(pair.apus)
        #expect(try pair.leftByApus() == ["file"])
    }

    @Test(
        arguments: [
            "http://host\nHost: other/a.git", "http://ho%0ast/a.git", "http://u%0d@127.0.0.1/a.git",
            "ftp-nothing://127.0.0.1/a.git", "http://", "http://-x/a.git", "http://[::1/a.git",
            "http://127.0.0.1:99999/a.git",
        ])
    func refusesAURLThatIsNone(url: String) throws {
        let scratch = try TemporaryDirectory()
        for command in [["clone", url, "copy"], ["ls-remote", url]] {
            let result = try Apus.run(command, in: scratch.path)
            #expect(result.exit == .code(128), "\(result.err)")
            if !Apus.isGit { expectFailure(result) }
            #expect(try TreeListing(of: scratch.path).entries.isEmpty)
        }
    }

    private func contains(_ bytes: [UInt8], _ text: String) -> Bool {
        String(decoding: bytes, as: UTF8.self).contains(text)
    }

    /// Fills in the server's address, and makes the fixture that a URL ends in.
    private func resolve(_ url: String) throws -> String {
        let last =
            url.split(separator: "/").last?.split(separator: ".").first.map(String.init) ?? ""
        if ["tiny", "history"].contains(last) { _ = try Fixture.named(last) }
        let server = try GitHTTPServer.shared()
        if url.hasPrefix("HTTPS/") { return server.https + url.dropFirst("HTTPS".count) }
        if url.hasPrefix("HTTP/") { return server.http + url.dropFirst("HTTP".count) }
        return url
    }
}
