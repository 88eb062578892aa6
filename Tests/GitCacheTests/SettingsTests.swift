import GitClient
import GitCore
import TestSupport
import Testing

@testable import GitCache

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The file of settings: what it says is what holds, and what makes no sense is told with its place.
@Suite struct SettingsTests {
    private let folder: TemporaryDirectory
    private var path: ByteString { ByteString(folder("settings")) }

    init() throws { folder = try TemporaryDirectory() }

    private func read(_ text: String) throws -> CacheOptions {
        try folder.write("settings", text.utf8)
        return try CacheOptions(settings: path)
    }

    /// The message, without what all of them begin with.
    private func complaint(_ text: String) throws -> String? {
        do {
            _ = try read(text)
            return nil
        } catch let error as CacheError {
            let place = " in file '\(path)': "
            return error.message.replacing(place, with: ": ").replacing("bad config ", with: "")
        }
    }

    @Test func everyKeyIsHeard() throws {
        let file = folder("file")
        try folder.write("file", [])
        let options = try read(
            """
            [Cache]
                store = /srv/store
                LISTEN = [::1]:80
                maxConnectionsPerAddress = 200
                answers = 3m
                maxpacksize = 2g
                grantlifetime = 2
                grace = 0
                staleness = 1k
                log = off
            [upstream "GitHub.com"]
            [upstream "b:81"]
                url = http://git.test/x
                allowPrivate
                proxy = http://proxy.test:3128
                sslVerify = no
                sslCAInfo = \(file)
                sslCAPath = \(folder.path)
                sslCert = "\(file)"
                sslKey = \(file) ; a comment
                pinnedPubkey = sha256//x=
                connectTimeout = 3
                lowSpeedLimit = 1k
                lowSpeedTime = 4
                userAgent = a b
                version = HTTP/1.1
            [upstream.github.com]
                connectTimeout = 7
                connectTimeout = 8
            """)
        #expect(options.store == "/srv/store")
        #expect(options.address == "::1" && options.port == 80)
        #expect(options.maximumConnectionsPerAddress == 200)
        #expect(options.answerBudget == 3 << 20)
        #expect(options.maximumPackSize == 2 << 30)
        #expect(options.grantLifetime == .seconds(2) && options.grace == .zero)
        #expect(options.staleness == .seconds(1_024))
        #expect(!options.logsRequests)
        #expect(options.upstreams.map(\.name) == ["github.com", "b:81"])
        #expect(options.upstreams[0].base == (try GitURL("https://github.com/")))
        #expect(options.upstreams[0].options.connectTimeout == 8)
        #expect(!options.upstreams[0].allowsPrivateAddresses)
        #expect(options.upstreams[1].base == (try GitURL("http://git.test/x")))
        var expected = HTTPOptions()
        expected.proxy = "http://proxy.test:3128"
        expected.verifiesTLS = false
        expected.authorityFile = ByteString(file)
        expected.authorityDirectory = ByteString(folder.path)
        expected.certificateFile = ByteString(file)
        expected.keyFile = ByteString(file)
        expected.pinnedPublicKey = "sha256//x="
        expected.connectTimeout = 3
        expected.lowSpeedLimit = 1_024
        expected.lowSpeedTime = 4
        expected.userAgent = "a b"
        expected.version = .http1
        #expect(options.upstreams[1].options == expected)
    }

    @Test(arguments: [
        ("[cache]\n\nanswers = many", "line 3: cache.answers: 'many' is not a number of bytes"),
        (
            "[cache]\nanswers = 10",
            "line 2: cache.answers: '10' is not a number of bytes, 1m or more"
        ),
        ("[cache]\nanswers = -1g", "line 2: cache.answers: '-1g' is not a number of bytes"),
        ("[cache]\nanswers = 99999999999g", "line 2: cache.answers: '99999999999g' is not"),
        ("[cache]\nanswers", "line 2: cache.answers: there is no value; expected a number"),
        ("[cache]\ngrantLifetime = 0", "line 2: cache.grantLifetime: '0' is not a number of sec"),
        ("[cache]\nlog = perhaps", "line 2: cache.log: 'perhaps' is not true or false"),
        ("[cache]\nlisten = nowhere", "line 2: cache.listen: 'nowhere' is no address"),
        ("[cache]\nlisten", "line 2: cache.listen: '' is no address"),
        ("[cache]\nstore = ~/x", "line 2: cache.store: '~/x' is not a path"),
        ("[cache]\nstore =", "line 2: cache.store: '' is not a path"),
        ("[cache]\nanswer = 1g", "line 2: unknown key 'cache.answer'"),
        ("[cache]\nstore = x\n[cache \"x\"]", "line 3: unknown section 'cache.x'"),
        ("[cach]", "line 1: unknown section 'cach'"),
        ("[include]\npath = x", "line 1: unknown section 'include'"),
        ("store = x", "line 1: unknown key 'store'"),
        ("[upstream]", "line 1: the host of an upstream is missing"),
        ("[upstream \"\"]", "line 1: '' is not the name of a host"),
        ("[upstream \"-\"]", "line 1: '-' is not the name of a host"),
        ("[upstream \"a/b\"]", "line 1: 'a/b' is not the name of a host"),
        ("[upstream \"a\\nb\"]\n\n", nil),
        ("[upstream \"a\"]\nanswers = 1g", "line 2: unknown key 'upstream.a.answers'"),
        ("[upstream \"a\"]\n\nurl = ssh://a/", "line 3: the upstream 'a' cannot be used: 'ssh://a"),
        (
            "[upstream \"a\"]\nversion = 2",
            "line 2: upstream.a.version: '2' is not HTTP/2 or HTTP/1"
        ),
        (
            "[upstream \"a\"]\nsslCAInfo = /no/thing",
            "line 2: upstream.a.sslCAInfo: cannot read '/n"
        ),
        (
            "[upstream \"a\"]\nproxy = \"a\\nb\"",
            "line 2: upstream.a.proxy: 'a\\x0ab' is not a text"
        ),
        ("[cache]\n[cache", "line 2: section header without an end"),
    ])
    func whatMakesNoSenseIsToldWithItsPlace(text: String, expected: String?) throws {
        let complaint = try complaint(text)
        if let expected {
            let told = try #require(complaint)
            #expect(told.hasPrefix(expected), "\(told)")
            #expect(!told.contains("\n"))
        } else {
            #expect(complaint == nil)
        }
    }

    @Test(arguments: [
        "url = https://me:secret@a/", "proxy = \"http://me:secret@proxy.test\\n\"",
        "connectTimeout = me:secret@a",
    ])
    func passwordsAreNotRepeated(line: String) throws {
        let told = try #require(try complaint("[upstream \"a\"]\n" + line))
        #expect(told.hasPrefix("line 2: ") && !told.contains("secret"), "\(told)")
    }

    @Test func aFileThatIsNotThereIsAnError() {
        #expect(code { _ = try CacheOptions(settings: "/no/such/file") } == .store)
    }

    /// Whatever stands in it, it is read or refused, in one line.
    @Test func damagedFilesAreReadOrRefused() throws {
        let example = try #require(readFile(Self.root + "Packaging/apus-cache.config"))
        let live = example.filter { $0 != UInt8(ascii: "#") }
        var outcomes: [Bool: Int] = [:]
        for seed in 0 ..< 400 {
            var bytes = seed % 2 == 0 ? example : live
            let noise = content(seed, 8)
            for round in 0 ..< 1 + seed % 4 {
                let place = (Int(noise[round]) << 8 | Int(noise[round + 1])) % bytes.count
                bytes[place] = noise[round + 2]
            }
            bytes = Array(bytes.prefix(Int(noise[6]) << 4 | Int(noise[7])))
            let file = try #require(fopen(folder("settings"), "wb"))
            fwrite(bytes, 1, bytes.count, file)
            fclose(file)
            do {
                _ = try CacheOptions(settings: path)
                outcomes[true, default: 0] += 1
            } catch {
                outcomes[false, default: 0] += 1
                #expect(!error.message.contains("\n") && !error.message.isEmpty)
            }
        }
        #expect(outcomes.count == 2)
    }

    // MARK: What is written about it

    /// Where the package is.
    private static let root = String(
        #filePath.dropLast("Tests/GitCacheTests/SettingsTests.swift".count))

    private static let documented: [String: String?] = {
        var keys: [String: String?] = [:]
        for setting in Setting<CacheOptions>.all {
            keys["cache.\(setting.name)"] = .some(setting.initial?.printable)
        }
        for setting in Setting<UpstreamSection>.all {
            keys["upstream.<host>.\(setting.name)"] = .some(setting.initial?.printable)
        }
        return keys
    }()

    /// Every key that is known is documented with its default, and no other.
    @Test func theManualHasEveryKey() throws {
        let text = String(
            decoding: try #require(readFile(Self.root + "docs/Caching.md")), as: UTF8.self)
        let rows = text.matches(of: /(?m)^\| `((?:cache|upstream)\.[^`]*)` \|(?: `([^`]*)`)? \| ./)
        let told = Dictionary(rows.map { (String($0.1), $0.2.map(String.init)) }) { first, _ in
            first
        }
        #expect(rows.count == told.count)
        #expect(told == Self.documented)
    }

    /// The example has every key, behind a sign of comment, with the default.
    @Test func theExampleHasEveryKeyAtItsDefault() throws {
        let text = String(
            decoding: try #require(readFile(Self.root + "Packaging/apus-cache.config")),
            as: UTF8.self)
        let lines = text.matches(of: /(?m)^\t#?(\w+) =(?: (.*))?$/)
        var told: [String: String?] = [:]
        for line in lines {
            let name = String(line.1)
            let isCaches = Setting<CacheOptions>.all.contains { $0.name == name }
            told[isCaches ? "cache.\(name)" : "upstream.<host>.\(name)"] =
                name == "store" ? .some(nil) : .some(line.2.map(String.init))
        }
        #expect(lines.count == told.count)
        #expect(told == Self.documented)
        let options = try read(text)
        #expect(options.store == "/var/cache/apus")
        #expect(options.upstreams == [try UpstreamHost(parsing: "github.com")])
    }

    /// To write a default is to leave it out.
    @Test func theDefaultsAreThose() throws {
        var text = "[cache]\n"
        for setting in Setting<CacheOptions>.all {
            if let value = setting.initial { text += "\(setting.name) = \(value)\n" }
        }
        text += "[upstream \"a\"]\n"
        for setting in Setting<UpstreamSection>.all {
            if let value = setting.initial { text += "\(setting.name) = \(value)\n" }
        }
        let (said, left) = (try read(text), try read("[upstream \"a\"]\n"))
        #expect(said.upstreams == left.upstreams)
        #expect(said.address == left.address && said.port == left.port)
        #expect(said.maximumConnectionsPerAddress == left.maximumConnectionsPerAddress)
        #expect(said.answerBudget == left.answerBudget)
        #expect(said.maximumPackSize == left.maximumPackSize)
        #expect(said.grantLifetime == left.grantLifetime && said.grace == left.grace)
        #expect(said.staleness == left.staleness)
        #expect(said.logsRequests == left.logsRequests)
    }

    // MARK: Consent, and change

    @Test(arguments: [
        ("a", false), ("127.0.0.1", true), ("a=http://127.0.0.1:80/", true),
        ("a=http://localhost:80/", true), ("a=http://[::1]/", true),
        ("localhost=https://a/", false),
        ("a=http://2130706433/", false), ("a=http://inside.test/", false),
    ])
    func onlyAnAddressInTheURLIsConsent(text: String, isAllowed: Bool) throws {
        #expect(try UpstreamHost(parsing: ByteString(text)).allowsPrivateAddresses == isAllowed)
        let parts = text.split(separator: "=")
        let url = parts.count > 1 ? "url = \(parts[1])" : ""
        let options = try read("[upstream \"\(parts[0])\"]\n" + url)
        #expect(options.upstreams.first?.allowsPrivateAddresses == isAllowed)
    }

    @Test func aHostThatIsAsItWasKeepsWhatItShowed() throws {
        let (a, b) = (try UpstreamHost(parsing: "A"), try UpstreamHost(parsing: "b"))
        let hosts = UpstreamHosts([a, b])
        func identity(_ name: ByteString) throws -> ByteString {
            RepositoryAddress(host: try #require(hosts.current[name]), path: ["x"]).identity
        }
        let (first, second) = (try identity("a"), try identity("b"))
        #expect(first != second)
        var changed = b
        changed.options.connectTimeout = 1
        hosts.replace(by: [a, changed])
        #expect(try identity("a") == first)
        let third = try identity("b")
        #expect(third != second)
        #expect(hosts.currentEditions(first) && hosts.currentEditions(third))
        #expect(!hosts.currentEditions(second))
        hosts.replace(by: [a])
        #expect(hosts.current["b"] == nil && !hosts.currentEditions(third))
        hosts.replace(by: [a, changed])
        #expect(try identity("b") != third)
        #expect(RepositoryAddress.place(identity: try identity("b")) == "b/x")
    }

    @Test func aSmallerBudgetHoldsAtOnce() throws {
        let store = try openStore(path, budget: 1 << 20) { $0.largest = nil }
        for number in 0 ..< 4 { #expect(try store.add(key(number), content(number, 100_000))) }
        #expect(try store.has(1))
        store.setBudget(250_000)
        #expect(store.statistics.bytes == 200_000)
        #expect(try store.has(1) && store.has(3) && !store.has(2))
        // Of that, half is the most for one.
        #expect(try !store.add(key(5), content(5, 130_000)))
        store.setBudget(1 << 20)
        #expect(try store.add(key(6), content(6, 130_000)))
    }
}
