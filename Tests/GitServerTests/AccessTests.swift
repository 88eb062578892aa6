import GitCore
import GitStore
import Synchronization
import TestSupport
import Testing

@testable import GitServer

/// Who is let in, and to what.
@Suite(.timeLimit(.minutes(10))) struct AccessTests {
    /// htpasswd -nbB -C 4 ada lovelace
    private static let bcrypt = "ada:$2y$04$ryilfiKznTEVE94AbnIPC.mAZauTzj6yhpFAGkffuCjWPuIobJHxC"

    private func folder(
        passwords: String? = bcrypt, tokens: String? = nil, rules: String? = nil,
        _ change: @escaping (inout ServedFolder.Settings) -> Void = { _ in }
    ) throws -> ServedFolder {
        try ServedFolder { options, scratch in
            func file(_ name: String, _ text: String?) throws -> ByteString? {
                guard let text else { return nil }
                return ByteString(try scratch.write(name, (text + "\n").utf8))
            }
            options.passwordFile = try file("passwords", passwords)
            options.tokenFile = try file("tokens", tokens)
            options.accessFile = try file("rules", rules)
            options.allowsPush = true
            change(&options)
        }
    }

    private static func hash(_ token: String) throws -> String {
        String(try run("sha256sum", [], input: Array(token.utf8)).required().out.prefix(64))
    }

    @Test func knowsBcryptAndSHACrypt() throws {
        let long = try run("openssl", ["passwd", "-6", "-salt", "abcdefgh", "rear:admiral"])
        let short = try run("openssl", ["passwd", "-5", "-salt", "abcdefgh", "hopper"])
        let scratch = try TemporaryDirectory()
        let path = try scratch.write(
            "p",
            (["# users", "", Self.bcrypt, "grace:" + long.required().out.trimmed]
                + ["none:" + short.required().out.trimmed]).joined(separator: "\n").utf8)
        let file = try PasswordFile(ByteString(path))
        #expect(file.accepts("ada", "lovelace") && file.accepts("grace", "rear:admiral"))
        #expect(file.accepts("none", "hopper") && !file.accepts("none", ""))
        for (name, password) in [
            ("ada", "lovelac"), ("ada", "lovelace "), ("ada", ""), ("grace", "lovelace"),
            ("eve", "lovelace"), ("", ""), ("ada", "lovelace\0"), ("# users", ""),
        ] {
            #expect(!file.accepts(ByteString(name), ByteString(password)), "\(name)")
        }
    }

    @Test(arguments: [
        "ada:lovelace", "ada:$apr1$VtelmdPp$3E5nOR.ssrMC/9SaMeNNU.", "ada:$1$x$y", "ada:",
        "ada:{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI=", "ada", ":$2y$04$x", "ada:rl0uE6f2fEc",
    ])
    func refusesWeakHashesAndSaysWhere(_ line: String) throws {
        let scratch = try TemporaryDirectory()
        let path = try scratch.write("p", "\(Self.bcrypt)\n# two\n\(line)\n".utf8)
        #expect { try PasswordFile(ByteString(path)) } throws: {
            "\($0)".contains("'\(path)', line 3")
        }
        #expect(throws: ServerError.self) { try folder(passwords: line) }
    }

    @Test func asksWhoeverMayNotToLogIn() throws {
        let folder = try folder()
        let response = try folder.ask("/a.git/info/refs?service=git-receive-pack")
        #expect(response.status == 401)
        #expect(response["www-authenticate"] == "Basic realm=\"Git\", charset=\"UTF-8\"")
        #expect(response["cache-control"] == "no-cache, max-age=0, must-revalidate")
        #expect(try folder.status() == 200)
        #expect(try folder.status(service: "receive") == 401)
        #expect(try folder.status("/a.git", basic("ada", "lovelace"), service: "receive") == 200)
        // A wrong password is one where none is needed, too.
        #expect(try folder.status("/a.git", basic("ada", "love")) == 401)
        #expect(try folder.status("/a.git", basic("eve", "lovelace")) == 401)
        #expect(folder.log(6).contains { $0.contains(#""user":"ada""#) })
    }

    @Test(arguments: [
        "Basic", "Basic ", "Basic !!!!", "Basic YWRh", "Basic YWRhOmxvdmVsYWNl=", "Digest YQ==",
        "Bearer", "Bearer a b", "YWRhOmxvdmVsYWNl", "Basic YWRhOmxv\u{e9}ZWxhY2U=",
    ])
    func refusesMalformedCredentials(_ value: String) throws {
        #expect(Login(ByteString(value)) == nil)
    }

    @Test func readsBase64AsItIs() {
        for text in ["a:", ":b", "ada:lovelace", "ada:love:lace", "a:é😀"] {
            guard
                case .password(let name, let password) = Login(ByteString("bAsIc  \(base64(text))"))
            else {
                Issue.record("\(text)")
                continue
            }
            #expect(name + ":" + password == ByteString(text))
        }
    }

    @Test func takesTokensInEitherForm() throws {
        let token = "0123456789abcdef0123456789abcdef"
        let tokens = "# for ci\nci:\(try Self.hash(token))"
        let folder = try folder(passwords: nil, tokens: tokens)
        func push(_ field: String) throws -> Int {
            try folder.status("/a.git", field, service: "receive")
        }
        #expect(try push("Authorization: Bearer \(token)\r\n") == 200)
        #expect(try push("Authorization: bearer \(token)\r\n") == 200)
        #expect(try push(basic("ci", token)) == 200)
        #expect(try push(basic("eve", token)) == 401)
        #expect(try push("Authorization: Bearer \(token)0\r\n") == 401)
        #expect(try push(basic("ci", "ci")) == 401)
        #expect(throws: ServerError.self) {
            try self.folder(passwords: nil, tokens: "ci:\(token)")
        }
    }

    @Test func keepsToItsRules() throws {
        let hash = Self.bcrypt.dropFirst(4)
        let users = ["ada", "bob", "cem"].map { "\($0):\(hash)" }.joined(separator: "\n")
        let rules = """
            # repository may who
            a             read  *
            team/*        write ada
            team/*        read  +
            deep/**       read  bob
            w?d           write bob cem
            """
        let folder = try folder(passwords: users, rules: rules)
        for path in ["team/x", "team/x/y", "deep/p/q", "wad", "other"] {
            try ServedFolder.repository(folder.scratch("root/\(path).git"))
        }
        func may(_ user: String?, _ path: String) throws -> String {
            let field = user.map { basic($0, "lovelace") } ?? ""
            let read = try folder.status("/\(path).git", field)
            let write = try folder.status("/\(path)", field, service: "receive")
            return "\(read) \(write)"
        }
        let expected = [
            "a": ["200 401", "200 403", "200 403", "200 403"],
            "team/x": ["401 401", "200 200", "200 403", "200 403"],
            "team/x/y": ["401 401", "403 403", "403 403", "403 403"],
            "deep/p/q": ["401 401", "403 403", "200 403", "403 403"],
            "wad": ["401 401", "403 403", "200 200", "200 200"],
            "other": ["401 401", "403 403", "403 403", "403 403"],
            "missing": ["401 401", "403 403", "403 403", "403 403"],
            "team/missing": ["401 401", "404 404", "404 403", "404 403"],
        ]
        for (path, rights) in expected {
            #expect(try [nil, "ada", "bob", "cem"].map { try may($0, path) } == rights, "\(path)")
        }
    }

    @Test func refusesMalformedRules() throws {
        for line in ["a read", "a writes *", "a", "read a *"] {
            #expect { try folder(rules: "a read *\n\(line)") } throws: {
                "\($0)".contains("line 2")
            }
        }
    }

    @Test func readsItsFilesAgainWhenTheyChange() throws {
        let folder = try folder(rules: "a write ada")
        let login = basic("ada", "lovelace")
        #expect(try folder.status("/a.git", login) == 200)
        try folder.scratch.write("rules", "a write bob\n".utf8)
        #expect(try folder.status("/a.git", login) == 403)
        try folder.scratch.write("rules", "a write ada bob\n".utf8)
        #expect(try folder.status("/a.git", login) == 200)
        // The same password for another; what was found right before counts no more.
        try folder.scratch.write(
            "passwords", Self.bcrypt.replacing("ada:", with: "bob:").utf8)
        #expect(try folder.status("/a.git", login) == 401)
        #expect(try folder.status("/a.git", basic("bob", "lovelace")) == 200)
    }

    @Test(arguments: ["passwords", "rules"])
    func letsNobodyInWhileAFileCannotBeRead(_ name: String) throws {
        let folder = try folder(rules: "a write ada")
        let login = basic("ada", "lovelace")
        #expect(try folder.status("/a.git", login) == 200)
        let good = readFile(folder.scratch(name)) ?? []
        try run("/bin/rm", [folder.scratch(name)]).required()
        #expect(try folder.status("/a.git", login) == 500)
        try folder.scratch.write(name, "nonsense\n".utf8)
        #expect(try folder.status("/a.git", login) == 500)
        try folder.scratch.write(name, good)
        #expect(try folder.status("/a.git", login) == 200)
        #expect(folder.log(4).allSatisfy { !$0.contains("lovelace") })
    }

    @Test func servesAnonymouslyWhatIsExported() throws {
        let folder = try folder { $0.exportsAll = false }
        #expect(try folder.status() == 404)
        #expect(try folder.status("/a.git", basic("ada", "lovelace")) == 200)
        try folder.scratch.write("root/a.git/git-daemon-export-ok", [])
        #expect(try folder.status() == 200)
    }

    /// How long each of some failures is held back, in a throttle whose first takes 20 ms.
    private static func delays(
        _ throttle: LoginThrottle, _ failures: [(peer: String, name: ByteString)]
    ) -> [Int] {
        failures.map { peer, name in
            let time = ContinuousClock().measure { throttle.failed(peer, name) }
            return Int(time / .milliseconds(1))
        }
    }

    /// Each failure makes the next answer later; who comes from elsewhere, or has another name, is not held
    /// up. Longer than it must be any wait may be, on a busy machine.
    @Test func slowsDownWhoGuesses() {
        let throttle = LoginThrottle(first: 20, longest: 2_000)
        let times = Self.delays(throttle, Array(repeating: ("192.0.2.1", "ada"), count: 7))
        for (index, time) in times.enumerated() { #expect(time >= 20 << index) }
        for other in [("192.0.2.2", "ada"), ("192.0.2.1", "bob"), ("192.0.2.1", "")] {
            #expect(Self.delays(throttle, [(other.0, ByteString(other.1))])[0] < 1_000)
        }
        throttle.succeeded("192.0.2.1", "ada")
        #expect(Self.delays(throttle, [("192.0.2.1", "ada")])[0] < 1_000)
    }

    @Test func aRightLoginForgetsNoGuessesOfOthers() {
        let throttle = LoginThrottle(first: 20, longest: 2_000)
        for count in 0 ..< 4 {
            #expect(Self.delays(throttle, [("192.0.2.1", "ada")])[0] >= 20 << count)
            throttle.succeeded("192.0.2.1", "eve")
            throttle.succeeded("192.0.2.2", "ada")
        }
    }

    /// Guesses of one password for many names.
    @Test func slowsDownWhoGuessesNames() {
        let throttle = LoginThrottle(first: 20, longest: 2_000, allowance: 5)
        let times = Self.delays(throttle, (0 ..< 11).map { ("192.0.2.1", ByteString("user\($0)")) })
        for excess in 0 ..< 6 { #expect(times[5 + excess] >= 20 << excess) }
        throttle.succeeded("192.0.2.1", "user0")
        #expect(Self.delays(throttle, [("192.0.2.1", "user0")])[0] >= 1_280)
        #expect(Self.delays(throttle, [("192.0.2.2", "user0")])[0] < 1_000)
    }

    /// An IPv6 network counts as one address, and an IPv4 address is the same in either form.
    @Test(arguments: [
        ("2001:db8::1", "2001:db8::ffff:1:2:3", "2001:db8:0:1::1"),
        ("fe80::1%eth0", "fe80::2%eth0", "fe80:0:0:1::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"), ("", "", "unknown"),
    ])
    func knowsNetworks(_ one: String, _ same: String, _ other: String) {
        let throttle = LoginThrottle(first: 1_000, longest: 1_000)
        let threads = (0 ..< 32).compactMap { _ in
            try? BackgroundThread { throttle.failed(one, "ada") }
        }
        #expect(eventually { !throttle.admits(one, "ada") })
        #expect(!throttle.admits(same, "ada") && throttle.admits(other, "ada"))
        for thread in threads { thread.join() }
    }

    @Test func doesNotLetGuessersTakeAllThreads() throws {
        let throttle = LoginThrottle(first: 1_000, longest: 1_000)
        let threads = try (0 ..< 32).map { _ in
            try BackgroundThread { throttle.failed("192.0.2.1", "ada") }
        }
        #expect(eventually { !throttle.admits("192.0.2.1", "ada") })
        #expect(throttle.admits("192.0.2.1", "bob") && throttle.admits("192.0.2.2", "ada"))
        for thread in threads { thread.join() }
        #expect(throttle.admits("192.0.2.1", "ada"))
    }

    @Test func doesNotLetGuessersOfNamesTakeAllThreads() throws {
        let throttle = LoginThrottle(first: 1_000, longest: 1_000, allowance: 20)
        let threads = try (0 ..< 32).map { number in
            try BackgroundThread { throttle.failed("192.0.2.1", ByteString("user\(number)")) }
        }
        #expect(eventually { !throttle.admits("192.0.2.1", "ada") })
        #expect(throttle.admits("192.0.2.2", "ada"))
        for thread in threads { thread.join() }
        #expect(throttle.admits("192.0.2.1", "ada"))
    }

    @Test func remembersNoMoreGuessesThanItMay() {
        let throttle = LoginThrottle(first: 0)
        for number in 0 ..< 25_000 {
            throttle.failed("10.0.\(number / 250).\(number % 250)", ByteString("user\(number)"))
        }
        #expect((1 ... 20_000).contains(throttle.remembered))
    }

    /// What is found under a number of the content is that content's, whatever changes meanwhile.
    @Test func numbersWhatItReadsAgain() throws {
        let scratch = try TemporaryDirectory()
        func write(_ number: Int) throws {
            try scratch.write("new", "\(number)".utf8)
            try run("/bin/mv", [scratch("new"), scratch("file")]).required()
        }
        try write(0)
        let file = try ReloadedFile(ByteString(scratch("file"))) { path throws(StoreError) in
            ByteString(try FileSystem.read(path, limit: 100))
        }
        let seen = Mutex<(contents: [Int: Set<ByteString>], isOver: Bool)>(([:], false))
        let threads = try (0 ..< 4).map { _ in
            try BackgroundThread {
                while !seen.withLock({ $0.isOver }) {
                    guard let (content, generation) = try? file.current() else { continue }
                    seen.withLock { _ = $0.contents[generation, default: []].insert(content) }
                }
            }
        }
        for number in 1 ... 100 { try write(number) }
        seen.withLock { $0.isOver = true }
        for thread in threads { thread.join() }
        #expect(try file.current().content == "100")
        let contents = seen.withLock { $0.contents }
        #expect(contents.count > 5 && contents.values.allSatisfy { $0.count == 1 })
    }

    @Test func comparesSecretsWhole() {
        let secret = Array("0123456789".utf8)
        #expect(areEqualSecrets(secret, secret))
        for index in secret.indices {
            var other = secret
            other[index] ^= 0x80
            #expect(!areEqualSecrets(secret, other))
        }
        #expect(!areEqualSecrets(secret, secret + [0]) && !areEqualSecrets(secret, []))
    }
}
