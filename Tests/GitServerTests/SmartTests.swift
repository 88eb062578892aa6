import GitCore
import TestSupport
import Testing

@testable import GitServer

/// What is served over Git's smart protocol, beside `git http-backend`, and what is not served at all.
@Suite(.timeLimit(.minutes(10))) struct SmartTests {
    private static let cacheFields = ["expires", "pragma", "cache-control"]

    struct Asked: Sendable, CustomTestStringConvertible {
        let method: String
        /// Behind the repository's path.
        let place: String
        var type = ""
        var body = ""
        var isOldProtocol = false
        /// Where the answer is another one than `git http-backend`'s, on purpose.
        var ours: Int?
        var testDescription: String { "\(method) \(place) \(type) \(isOldProtocol)" }
    }

    private static let fetch = "application/x-git-upload-pack-request"
    private static let push = "application/x-git-receive-pack-request"
    private static let listing = "0014command=ls-refs\n00010009peel\n0000"

    static let asked = [
        Asked(method: "GET", place: "/info/refs?service=git-upload-pack"),
        Asked(method: "GET", place: "/info/refs?service=git-upload-pack", isOldProtocol: true),
        Asked(method: "HEAD", place: "/info/refs?service=git-upload-pack"),
        Asked(method: "GET", place: "/info/refs?service=git-receive-pack"),
        Asked(method: "GET", place: "/info/refs?service=git-shell", ours: 404),
        // http-backend is not told here that HTTP/1.1 is spoken, and says 400.
        Asked(method: "POST", place: "/info/refs?service=git-upload-pack", ours: 405),
        Asked(method: "GET", place: "/git-upload-pack", ours: 405),
        Asked(method: "GET", place: "/git-receive-pack", ours: 405),
        Asked(method: "POST", place: "/git-upload-pack", type: fetch, body: listing),
        Asked(method: "POST", place: "/git-upload-pack", type: "text/plain"),
        Asked(method: "POST", place: "/git-upload-pack", type: push),
        Asked(method: "POST", place: "/git-upload-pack"),
        Asked(
            method: "POST", place: "/git-upload-pack", type: fetch, body: "0000",
            isOldProtocol: true),
        Asked(method: "POST", place: "/git-upload-archive", type: fetch, body: "0000", ours: 404),
        // Files that http-backend gives to clients that speak no smart protocol.
        Asked(method: "GET", place: "/HEAD", ours: 404),
        Asked(method: "GET", place: "/objects/info/packs", ours: 404),
        Asked(method: "GET", place: "/config"),
        Asked(method: "GET", place: "/description"),
        Asked(method: "GET", place: "/"),
    ]

    private static let shared = Result { try ServedFolder() }

    @Test(arguments: asked)
    func answersAsGitDoes(_ asked: Asked) throws {
        let theirs = try Fixture.named("tiny")
        let folder = try Self.shared.get()
        var fields = asked.isOldProtocol ? "" : "Git-Protocol: version=2\r\n"
        if !asked.type.isEmpty { fields += "Content-Type: \(asked.type)\r\n" }
        let port = try #require(UInt16(theirs.server.http.split(separator: ":")[2]))
        let client = try RawClient(port)
        client.send(
            "\(asked.method) /git/tiny.git\(asked.place) HTTP/1.1\r\nHost: x\r\n\(fields)"
                + "Content-Length: \(asked.body.utf8.count)\r\n\r\n\(asked.body)")
        let expected = try client.response(toHead: asked.method == "HEAD")
        let response = try folder.ask(
            "/a.git" + asked.place, fields, method: asked.method, body: asked.body)
        #expect(response.status == asked.ours ?? expected.status)
        guard asked.ours == nil, expected.status == 200 else { return }
        for name in Self.cacheFields + ["content-type"] {
            #expect(response[name] == expected[name], "\(name)")
        }
    }

    @Test func namesTheMethodsThatAreAllowed() throws {
        let folder = try ServedFolder()
        for method in ["PUT", "DELETE", "OPTIONS", "TRACE", "get", "PROPFIND"] {
            let refs = try folder.ask("/a.git/info/refs?service=git-upload-pack", method: method)
            #expect(refs.status == 405 && refs["allow"] == "GET, HEAD")
            let call = try folder.ask("/a.git/git-upload-pack", method: method)
            #expect(call.status == 405 && call["allow"] == "POST")
        }
    }

    /// A fetch that asks for nothing.
    @Test(arguments: ["1.0", "1.1"])
    func saysThatAnAnswerIsEmpty(_ version: String) throws {
        let folder = try ServedFolder()
        let body = "0012command=fetch\n00010009done\n0000"
        let client = try RawClient(folder.server.port)
        client.send(
            "POST /a.git/git-upload-pack HTTP/\(version)\r\nHost: x\r\n"
                + "Content-Type: \(Self.fetch)\r\nGit-Protocol: version=2\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        let response = try client.response()
        #expect(response.status == 200 && response["content-length"] == "0")
        #expect(
            folder.log()[0].contains(#""sent":0"#) && folder.log()[0].contains(#""whole":true"#))
    }

    @Test func servesRepositoriesByTheirNames() throws {
        let folder = try ServedFolder()
        try ServedFolder.repository(folder.scratch("root/é ü/b.git"))
        try run("/bin/mkdir", [folder.scratch("root/work")]).required()
        try Git.run(["clone", "-q", folder.scratch("root/a.git"), folder.scratch("root/work")])
        for path in ["/a.git", "/a", "//a.git/", "/%61.git", "/é%20ü/b", "/work", "/work/.git"] {
            #expect(try folder.status(path) == 200, "\(path)")
        }
        for path in [
            "/b", "/é", "/a.git.git", "/A.git", "/a.git/refs", "/a.git/objects", "/a%2egit%20",
        ] {
            #expect(try folder.status(path) == 404, "\(path)")
        }
        for path in ["/../root/a.git", "/%2e%2e/root/a.git", "/a.git%00", "/x%2f..%2fa.git"] {
            #expect(try folder.status(path) == 400, "\(path)")
        }
        #expect(try folder.status("/%252e%252e/root/a.git") == 404)
    }

    @Test func followsNoWayOutOfTheRoot() throws {
        let folder = try ServedFolder()
        let scratch = folder.scratch
        try ServedFolder.repository(scratch("outside/secret.git"))
        func link(_ target: String, _ name: String) throws {
            try run("/bin/ln", ["-s", target, scratch("root/\(name)")]).required()
        }
        try link("a.git", "inner")
        try link("../root/a.git", "inner2")
        try link(scratch("outside/secret.git"), "absolute")
        try link("../outside/secret.git", "relative.git")
        try link("../outside", "above")
        try link("absolute", "twice")
        try scratch.write("root/in/.git", "gitdir: ../a.git\n".utf8)
        try scratch.write("root/out/.git", "gitdir: ../../outside/secret.git\n".utf8)
        try scratch.write("root/far/.git", "gitdir: \(scratch("outside/secret.git"))\n".utf8)
        // Its refs and objects would be another's.
        try run("/bin/mkdir", [scratch("root/common.git")]).required()
        try scratch.write("root/common.git/HEAD", "ref: refs/heads/main\n".utf8)
        try scratch.write("root/common.git/commondir", "../../outside/secret.git\n".utf8)
        for path in ["/inner", "/inner2", "/in"] {
            #expect(try folder.status(path) == 200, "\(path)")
        }
        for path in [
            "/absolute", "/relative", "/relative.git", "/above/secret.git", "/twice", "/out",
            "/far",
            "/common.git", "/common",
        ] {
            #expect(try folder.status(path) == 404, "\(path)")
        }
    }

    @Test func servesNoFileOfARepository() throws {
        let folder = try ServedFolder()
        try Git.run(["-C", folder.scratch("root/a.git"), "repack", "-adq"])
        let files = try run("find", [".", "-type", "f"], directory: folder.scratch("root"))
        let names = try files.required().out.split(separator: "\n").map { String($0.dropFirst()) }
        #expect(names.count > 5)
        for name in names {
            let expected = name == "/a.git/info/refs" ? 403 : 404
            #expect(try folder.ask(name).status == expected, "\(name)")
        }
        #expect(try folder.ask("/a.git/info/refs").status == 403)
    }

    @Test func turnsServicesOff() throws {
        let folder = try ServedFolder { options, _ in options.allowsPush = true }
        let path = folder.scratch("root/a.git")
        #expect(try folder.status() == 200)
        #expect(try folder.status(service: "receive") == 200)
        try Git.run(["-C", path, "config", "http.uploadpack", "false"])
        try Git.run(["-C", path, "config", "http.receivepack", "false"])
        #expect(try folder.status() == 403)
        #expect(try folder.status(service: "receive") == 403)
        let posted = try folder.ask(
            "/a.git/git-upload-pack", "Content-Type: \(Self.fetch)\r\n", method: "POST",
            body: "0000")
        #expect(posted.status == 403)
    }

    @Test func boundsTheRequestsOfFetches() throws {
        let folder = try ServedFolder { options, _ in options.maximumRequestBody = 1_000 }
        let fields = "Content-Type: \(Self.fetch)\r\nGit-Protocol: version=2\r\n"
        let small = try folder.ask(
            "/a.git/git-upload-pack", fields, method: "POST", body: Self.listing)
        #expect(small.status == 200)
        let body = String(repeating: "0009peel\n", count: 200)
        let large = try folder.ask("/a.git/git-upload-pack", fields, method: "POST", body: body)
        #expect(large.status == 413)
        let coded = fields + "Content-Encoding: br\r\n"
        #expect(
            try folder.ask("/a.git/git-upload-pack", coded, method: "POST", body: "x").status == 415
        )
        let packed = fields + "Content-Encoding: gzip\r\n"
        #expect(
            try folder.ask("/a.git/git-upload-pack", packed, method: "POST", body: "x").status
                == 400)
    }
}
