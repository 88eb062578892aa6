import TestSupport
import Testing

/// Nobody gets through `apus cache` what upstream does not show them.
@Suite(.timeLimit(.minutes(10))) struct CacheRightsTests {
    /// A repository that only some users may see, and a cache in front of it.
    private final class Scene: Upstream {
        let cache: ApusServer
        let who: String

        init(_ who: String, cache: ApusServer? = nil) throws {
            self.who = who
            self.cache = try cache ?? CachePair.sharedCache()
            try super.init(commits: 2)
        }

        func url(_ user: CacheUser? = nil) -> String {
            let login = user.map { "\($0.name):\($0.password.replacing("@", with: "%40"))@" } ?? ""
            return "http://\(login)\(cache.http.dropFirst(7))/git/only/\(who)/\(name).git"
        }

        func raw(_ headers: [String] = []) -> RawClient { RawClient(url: url(), headers: headers) }
        func raw(_ user: CacheUser) -> RawClient { raw([user.header]) }

        func tip(_ branch: String = "main") throws -> String { try git("rev-parse", branch) }
    }

    /// Both users try both repositories, one after the other in either order, or at the same time.
    @Test(arguments: ["ada first", "grace first", "together"])
    func eachUserSeesWhatIsTheirs(order: String) throws {
        let scenes = [try Scene("ada"), try Scene("grace")]
        let users = [CacheUser.ada, CacheUser.grace]
        var tries = users.flatMap { user in scenes.map { (user, $0) } }
        if order == "grace first" { tries.reverse() }
        let folder = try TemporaryDirectory()
        let runs = try tries.map { user, scene in
            let copy = folder("\(user.name)-\(scene.who)")
            let child = try ChildProcess("git", ["clone", "-q", scene.url(user), copy])
            let result = order == "together" ? nil : try child.wait()
            return (user, scene, child, copy, result)
        }
        for (user, scene, child, copy, result) in runs {
            let result = try result ?? child.wait()
            #expect(result.succeeded == (user.name == scene.who), "\(user.name): \(result.err)")
            #expect(exists(copy) == result.succeeded)
            if !result.succeeded {
                #expect(result.exit == .code(128))
                #expect(result.err.contains("Authentication failed"), "\(result.err)")
            }
        }
    }

    /// Upstream's refusal is the client's, with what it needs to log in.
    @Test func aRefusalIsPassedOn() throws {
        let scene = try Scene("ada")
        let direct = RawClient(url: scene.server.url("only/ada", scene.name))
        for headers in [[], [CacheUser.grace.header], [CacheUser.wrongAda.header]] {
            let answer = try scene.raw(headers).advertisement("upload-pack")
            #expect(answer.status == 401)
            #expect(answer.head.contains("www-authenticate: Basic realm=\"Apus tests\"\r\n"))
            #expect(try direct.advertisement("upload-pack").status == 401)
        }
    }

    /// Whether or not somebody else was just shown all of it.
    @Test(arguments: [false, true])
    func aPostNeedsALoginOfItsOwn(afterAnother: Bool) throws {
        let scene = try Scene("ada")
        let tip = try scene.tip()
        if afterAnother {
            _ = try scene.raw(.ada).advertisement("upload-pack")
            #expect(try scene.raw(.ada).post("upload-pack", .fetch(tip)).parts.pack.count > 0)
        }
        let bodies: [([UInt8], Int)] = [
            (.fetch(tip), 2), (RawClient.v0(wants: [tip]), 0), (RawClient.v0(wants: [tip]), 1),
            (RawClient.v2("ls-refs", ["peel", "symrefs"]), 2),
            (RawClient.v2("object-info", ["size", "oid \(tip)"]), 2),
        ]
        for headers in [[], [CacheUser.grace.header], [CacheUser.wrongAda.header]] {
            for (body, version) in bodies {
                let answer = try scene.raw(headers).post("upload-pack", body, version: version)
                #expect(answer.status == 401, "\(answer)")
                #expect(answer.head.contains("www-authenticate: "))
                #expect(!answer.text.contains(tip))
            }
        }
    }

    @Test func aPostWithoutAGetIsAnswered() throws {
        let scene = try Scene("ada")
        let answer = try scene.raw(.ada).post("upload-pack", .fetch(try scene.tip()))
        #expect(answer.status == 200)
        #expect(answer.parts.pack.starts(with: Array("PACK".utf8)))
    }

    /// One repository, of which each user sees a branch that the other does not.
    @Test func whatIsHiddenFromAUserStaysHidden() throws {
        let scene = try Scene("both")
        try scene.git("checkout", "-q", "-b", "not-for-grace")
        try scene.commit(1, file: "secret")
        let secret = try scene.tip("not-for-grace")
        let blob = try scene.git("rev-parse", "not-for-grace:folder/secret")
        try scene.git("checkout", "-q", "main")
        let common = try scene.tip()
        // Ada has it fetched, and kept.
        #expect(try scene.raw(.ada).post("upload-pack", .fetch(secret)).parts.pack.count > 0)

        let grace = scene.raw(.grace)
        let listing = try grace.post("upload-pack", RawClient.v2("ls-refs", []))
        #expect(listing.text.contains(common))
        #expect(!listing.text.contains(secret))
        for version in [0, 1] {
            #expect(
                try !grace.advertisement("upload-pack", version: version).text.contains(secret))
        }
        let refused: [([UInt8], Int)] = [
            (.fetch(secret), 2), (.fetch(blob), 2), (.fetch(common, secret), 2),
            (RawClient.v2("fetch", ["want-ref refs/heads/not-for-grace", "done"]), 2),
            (RawClient.v0(wants: [secret]), 0), (RawClient.v0(wants: [common, blob]), 1),
        ]
        for (body, version) in refused {
            let answer = try grace.post("upload-pack", body, version: version)
            #expect(answer.parts.pack == [])
            #expect(
                answer.text.contains("not our ref") || answer.text.contains("want-ref"),
                "\(answer)")
        }
        // Nor is she told that it is there.
        let haves = try grace.post(
            "upload-pack", RawClient.v2("fetch", ["want \(common)", "have \(secret)"]))
        #expect(haves.text.contains("NAK"), "\(haves)")
        let size = try grace.post(
            "upload-pack", RawClient.v2("object-info", ["size", "oid \(blob)"]))
        #expect(size.parts.lines.contains("\(blob) "), "\(size)")
        let known = try scene.raw(.ada).post(
            "upload-pack", RawClient.v2("object-info", ["size", "oid \(blob)"]))
        #expect(known.parts.lines.contains { $0.contains(/^[0-9a-f]{40} [1-9]/) }, "\(known)")
    }

    /// What the mirror still has of a branch that is gone is only for those who were lately shown it, and
    /// who that was is forgotten with the process.
    @Test func aDeletedBranchIsGone() throws {
        let store = try TemporaryDirectory()
        let first = try ApusServer(cacheIn: store("store"), of: try CachePair.upstreams())
        let scene = try Scene("both", cache: first)
        try scene.git("checkout", "-q", "-b", "erased")
        try scene.commit(1, file: "secret")
        let secret = try scene.tip("erased")
        #expect(try scene.raw(.ada).post("upload-pack", .fetch(secret)).parts.pack.count > 0)
        try scene.git("checkout", "-q", "main")
        try scene.git("branch", "-D", "erased")

        let other = try scene.raw(.grace).post("upload-pack", .fetch(secret))
        #expect(other.text.contains("not our ref \(secret)"), "\(other)")
        try first.end()
        let second = try ApusServer(cacheIn: store("store"), of: try CachePair.upstreams())
        let url = scene.url().replacing(first.http, with: second.http)
        let same = try RawClient(url: url, headers: [CacheUser.ada.header])
            .post("upload-pack", .fetch(secret))
        #expect(same.text.contains("not our ref \(secret)"), "\(same)")
    }

    /// From the next listing on.
    @Test func aPasswordThatUpstreamForgetsIsForgotten() throws {
        let server = try GitHTTPServer.shared()
        let who = "revoked-\(UInt32.random(in: 0 ... .max))"
        let logins = "\(server.passwords)/\(who)"
        try run("/bin/cp", ["\(server.passwords)/ada", logins]).required()
        let scene = try Scene(who)
        let tip = try scene.tip()
        let ada = scene.raw(.ada)
        #expect(try ada.advertisement("upload-pack").status == 200)
        #expect(try ada.post("upload-pack", .fetch(tip)).status == 200)
        try run("/bin/cp", ["\(server.passwords)/grace", logins]).required()
        let listing = try ada.post("upload-pack", RawClient.v2("ls-refs", []))
        #expect(listing.status == 401, "\(listing)")
        #expect(try ada.post("upload-pack", .fetch(tip)).status == 401)
        #expect(try ada.advertisement("upload-pack").status == 401)
    }

    @Test func passwordsAreWrittenNowhere() throws {
        let store = try TemporaryDirectory()
        let cache = try ApusServer(cacheIn: store("store"), of: try CachePair.upstreams())
        let scene = try Scene("both", cache: cache)
        for user in [CacheUser.ada, .grace, .wrongAda] {
            _ = try run("git", ["clone", "-q", scene.url(user), store(user.password)])
            _ = try scene.raw(user).post("upload-pack", .fetch(try scene.tip()))
        }
        _ = try scene.raw(.ada).post("upload-pack", .fetch(String(repeating: "1", count: 40)))
        let port = UInt16(cache.http.split(separator: ":").last ?? "") ?? 0
        let metrics = try exchange(
            port: port, sending: Array("GET /-/metrics HTTP/1.0\r\nHost: x\r\n\r\n".utf8))
        #expect(printable(metrics).contains("200"))
        let said = try cache.requests() + [try cache.errorsSoFar(), printable(metrics)]
        #expect(try cache.requests().contains { $0.contains(scene.name) })
        let arguments = printable(readFile("/proc/\(cache.id)/cmdline") ?? [])
        for user in [CacheUser.ada, .grace, .wrongAda] {
            for secret in [user.password, user.password.replacing("@", with: "%40"), user.code] {
                #expect(!said.contains { $0.contains(secret) })
                #expect(!arguments.contains(secret))
                let found = try run("grep", ["-r", "-l", "-a", "-F", "-e", secret, store("store")])
                #expect(found.exit == .code(1), "\(found.out)")
            }
        }
    }
}

/// Somebody with a login at the web server.
struct CacheUser {
    let name: String
    let password: String

    static let ada = CacheUser(name: "ada", password: "l0vel@ce")
    static let wrongAda = CacheUser(name: "ada", password: "byr0n-is-wrong")
    static let grace = CacheUser(name: "grace", password: "h0pper@c0b0l")

    /// As Basic authentication sends it.
    var code: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        let bytes = Array("\(name):\(password)".utf8)
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let three = Array(bytes[start...].prefix(3))
            let bits = (three + [0, 0]).prefix(3).reduce(0) { $0 << 8 | Int($1) }
            for place in 0 ... 3 {
                text.append(place > three.count ? "=" : alphabet[bits >> (18 - 6 * place) & 63])
            }
        }
        return text
    }
    var header: String { "Authorization: Basic \(code)" }
}

extension [UInt8] {
    /// A fetch of version 2 that has nothing.
    static func fetch(_ wants: String...) -> [UInt8] {
        RawClient.v2("fetch", wants.map { "want \($0)" } + ["ofs-delta", "no-progress", "done"])
    }
}
