import GitCore
import TestSupport
import Testing

@testable import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Bundles that a repository lists for its clients and that lie in it.
@Suite(.timeLimit(.minutes(10))) struct BundleTests {
    /// A repository with a bundle of all that it has, and what else may lie there.
    private func folder(
        _ change: (inout ServedFolder.Settings, TemporaryDirectory) throws -> Void = { _, _ in }
    ) throws -> ServedFolder {
        try ServedFolder { options, scratch in
            let path = scratch("root/a.git")
            try run("/bin/mkdir", ["-p", path + "/bundles/deep"]).required()
            try Git.run(["-C", path, "bundle", "create", "-q", "bundles/base.bundle", "--all"])
            for name in ["unlisted", "deep/more", "e é"] {
                try scratch.write("root/a.git/bundles/\(name).bundle", "content".utf8)
            }
            try scratch.write("outside.bundle", "secret".utf8)
            for (target, name) in [
                (scratch("outside.bundle"), "link"), ("base.bundle", "inner"), ("../..", "up"),
            ] {
                try run("/bin/ln", ["-s", target, "\(path)/bundles/\(name).bundle"]).required()
            }
            try run("mkfifo", [path + "/bundles/pipe.bundle"]).required()
            try run("/bin/ln", ["-s", "bundles", path + "/linked"]).required()
            func set(_ key: String, _ value: String) throws {
                try Git.run(["-C", path, "config", key, value])
            }
            try set("uploadpack.advertiseBundleURIs", "true")
            try set("bundle.version", "1")
            try set("bundle.mode", "all")
            for (index, uri) in [
                "bundles/base.bundle", "bundles/deep/more.bundle", "bundles/link.bundle",
                "bundles/inner.bundle", "bundles/pipe.bundle", "bundles/missing.bundle", "config",
                "linked/base.bundle", "../b.git/b.bundle", "/etc/x.bundle",
                "http://x/elsewhere.bundle", "bundles/deep.bundle", "bundles/e%20%C3%A9.bundle",
            ].enumerated() {
                try set("bundle.\(index).uri", uri)
            }
            try run("/bin/mkdir", [path + "/bundles/deep.bundle"]).required()
            try change(&options, scratch)
        }
    }

    @Test func servesThoseThatAreListed() throws {
        let folder = try folder()
        let content = try #require(readFile(folder.scratch("root/a.git/bundles/base.bundle")))
        for path in ["/a.git", "/a", "//a.git//"] {
            let whole = try folder.ask(path + "/bundles/base.bundle")
            #expect(whole.status == 200 && whole.body == content)
        }
        let part = try folder.ask("/a.git/bundles/base.bundle", "Range: bytes=10-\r\n")
        #expect(part.status == 206 && part.body == Array(content[10...]))
        let head = try folder.ask("/a.git/bundles/base.bundle", method: "HEAD")
        #expect(head.status == 200 && head["content-length"] == "\(content.count)")
        #expect(head["cache-control"] == "no-cache, max-age=0, must-revalidate")
        #expect(try folder.ask("/a.git/bundles/deep/more.bundle").text == "content")
        #expect(try folder.ask("/a.git/bundles/e%20%c3%a9.bundle").text == "content")
        #expect(try folder.ask("/a.git/bundles/base.bundle", method: "POST").status == 405)
    }

    @Test func servesNothingElse() throws {
        let folder = try folder()
        try ServedFolder.repository(folder.scratch("root/b.git"))
        try folder.scratch.write("root/b.git/b.bundle", "content".utf8)
        for path in [
            "/bundles/unlisted.bundle", "/bundles/link.bundle", "/bundles/inner.bundle",
            "/bundles/pipe.bundle", "/bundles/missing.bundle", "/config", "/linked/base.bundle",
            "/b.bundle", "/etc/x.bundle", "/elsewhere.bundle", "/bundles/deep.bundle",
            "/bundles/up.bundle/config", "/bundles/up.bundle", "/base.bundle",
            "/a.git/bundles/base.bundle",
        ] {
            #expect(try folder.ask("/a.git" + path).status == 404, "\(path)")
        }
        #expect(try folder.ask("/b.git/b.bundle").status == 404)
    }

    @Test func servesNoneUnlessTheyAreAdvertised() throws {
        let folder = try folder()
        try Git.run(
            [
                "-C", folder.scratch("root/a.git"), "config", "uploadpack.advertiseBundleURIs",
                "false",
            ])
        #expect(try folder.ask("/a.git/bundles/base.bundle").status == 404)
    }

    @Test func asksWhoMayFetch() throws {
        let folder = try folder { options, scratch in
            let users = "ada:$2y$04$ryilfiKznTEVE94AbnIPC.mAZauTzj6yhpFAGkffuCjWPuIobJHxC\n"
            options.passwordFile = ByteString(try scratch.write("passwords", users.utf8))
            options.accessFile = ByteString(try scratch.write("rules", "a read ada\n".utf8))
        }
        let path = "/a.git/bundles/base.bundle"
        #expect(try folder.ask(path).status == 401)
        #expect(try folder.ask("/missing.git/bundles/base.bundle").status == 401)
        #expect(try folder.ask(path, basic("ada", "lovelace")).status == 200)
        try folder.scratch.write("rules", "a read bob\n".utf8)
        #expect(try folder.ask(path, basic("ada", "lovelace")).status == 403)
    }

    @Test func gitClonesFromOne() throws {
        let folder = try folder()
        let url = folder.url + "/a.git"
        try Git.run([
            "clone", "-q", "--bundle-uri=\(url)/bundles/base.bundle", url, folder.scratch("copy"),
        ])
        try Git.run(["-C", folder.scratch("copy"), "fsck", "--strict"])
        let refs = try Git.line(["-C", folder.scratch("copy"), "for-each-ref", "refs/bundles"])
        #expect(refs.contains("refs/bundles/main"))
        #expect(folder.log(2).contains { $0.contains("base.bundle") && $0.contains("200") })
    }
}
