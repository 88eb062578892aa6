import Foundation
import GitCore
import Testing

@testable import GitStore

/// A ref store over a directory, in which every object is said to be a commit.
func refStore(
    _ oracle: RepositoryOracle, _ directory: String = "r", policy: ReflogPolicy = .branches,
    inspect: @escaping @Sendable (ObjectID) throws(StoreError) -> RefTarget? = { _ in
        RefTarget(kind: .commit, peeled: nil)
    }
) -> RefStore {
    let path = oracle.path(directory + "/.git")
    return RefStore(
        gitDirectory: path, commonDirectory: path, format: .sha1, reflogPolicy: policy,
        inspect: inspect)
}

func ref(_ name: ByteString) throws -> RefName { try #require(RefName(name)) }

@Suite struct RefReadingTests {
    /// The refs as for-each-ref prints them.
    private func theirs(_ oracle: RepositoryOracle, _ directory: String = "r") throws -> [String] {
        try oracle.git("for-each-ref", "--format=%(objectname) %(refname)", in: directory)
            .split(separator: "\n").map(String.init)
    }

    private func ours(_ store: RefStore, prefix: ByteString = "") throws -> [String] {
        try store.list(prefix: prefix, peeling: false).map { "\($0.oid) \($0.name)" }
    }

    @Test func listsLooseAndPackedRefsAsGitDoes() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        for (number, name) in [
            "heads/a", "heads/a-b", "heads/a/b", "heads/a.b", "heads/é/x", "tags/v1",
            "remotes/o/main",
            "notes/commits", "stash", "heads/zz/y/x",
        ].enumerated() where name != "heads/a" {
            try oracle.git(
                "update-ref", "refs/" + name, oids[number % 3].hex, in: "r")
        }
        let store = refStore(oracle)
        #expect(try ours(store) == theirs(oracle))
        try oracle.git("pack-refs", "--all", in: "r")
        #expect(try ours(store) == theirs(oracle))
        try oracle.git("update-ref", "refs/heads/a-b", oids[0].hex, in: "r")
        try oracle.git("update-ref", "refs/heads/new", oids[0].hex, in: "r")
        try oracle.git("symbolic-ref", "refs/remotes/o/HEAD", "refs/remotes/o/main", in: "r")
        #expect(try ours(store) == theirs(oracle))
        for prefix: ByteString in [
            "refs/heads/", "refs/heads/a", "refs/tags", "refs/x", "re", "zz",
        ] {
            #expect(
                try ours(store, prefix: prefix)
                    == theirs(oracle).filter { $0.dropFirst(41).hasPrefix(prefix.printable) })
        }
        let head = try #require(try store.list(prefix: "refs/remotes/o/H").first)
        #expect(head.ref == .symbolic(try ref("refs/remotes/o/main")))
    }

    /// What is kept of packed-refs for the next listing is what git sees now, with what is loose.
    @Test func listsTheSameAgainAndAgain() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        for name in ["heads/a", "heads/b", "heads/c/d", "heads/e", "remotes/o/main", "tags/v1"] {
            try oracle.git("update-ref", "refs/" + name, oids[0].hex, in: "r")
        }
        try oracle.git("pack-refs", "--all", in: "r")
        let store = refStore(oracle)
        func expectSame(_ step: Comment) throws {
            for prefix: ByteString in ["", "refs/heads/", "refs/heads/c", "refs/tags/v1", "refs/x"]
            {
                for _ in 1 ... 3 {
                    let ours = try store.list(prefix: prefix).map { "\($0.oid) \($0.name)" }
                    let wanted = try theirs(oracle)
                        .filter { $0.dropFirst(41).hasPrefix(prefix.printable) }
                    #expect(ours == wanted, step)
                }
            }
        }
        try expectSame("packed")
        for name in ["heads/a", "heads/bb", "heads/zz", "tags/v0"] {
            try oracle.git("update-ref", "refs/" + name, oids[1].hex, in: "r")
        }
        try expectSame("loose before, among and behind them, and in place of one")
        try oracle.git("update-ref", "-d", "refs/heads/c/d", in: "r")
        try oracle.git("update-ref", "-d", "refs/heads/a", in: "r")
        try expectSame("deleted")
        try oracle.git("pack-refs", "--all", in: "r")
        try expectSame("packed again")
    }

    /// A file that does not tell what tags peel to has the objects looked at each time.
    @Test func looksAtTagsThatTheFileTellsNothingOf() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        try oracle.write("r/.git/packed-refs", "\(oids[0].hex) refs/tags/v1\n")
        let store = refStore(oracle) { _ throws(StoreError) in
            RefTarget(kind: .tag, peeled: oids[2])
        }
        for _ in 1 ... 3 {
            let tag = try store.list(prefix: "refs/tags/").first
            #expect(tag?.peeled == oids[2])
        }
    }

    @Test func readsAndResolves() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        let store = refStore(oracle)
        #expect(try store.read(.head) == .symbolic(ref("refs/heads/main")))
        let found = try #require(try store.resolve(.head))
        #expect(found.name.bytes == "refs/heads/main" && found.oid == oids[2])
        try oracle.git("symbolic-ref", "HEAD", "refs/heads/unborn", in: "r")
        #expect(try store.resolve(.head) == nil)
        #expect(try store.read(ref("refs/heads/nothing")) == nil)
        #expect(try store.read(ref("refs/heads")) == nil)
        #expect(try store.read(ref("refs/heads/main/x")) == nil)
        try oracle.git("pack-refs", "--all", in: "r")
        #expect(try store.read(ref("refs/heads/main")) == .direct(oids[2]))
        try oracle.git("checkout", "-q", "--detach", "main~1", in: "r")
        #expect(try store.read(.head) == .direct(oids[1]))
    }

    @Test func readsHeadThatIsASymbolicLink() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        let head = oracle.root + "/r/.git/HEAD"
        try FileManager.default.removeItem(atPath: head)
        try FileManager.default.createSymbolicLink(
            atPath: head, withDestinationPath: "refs/heads/main")
        let store = refStore(oracle)
        #expect(try store.resolve(.head)?.oid == oids[2])
        try FileManager.default.removeItem(atPath: head)
        try FileManager.default.createSymbolicLink(atPath: head, withDestinationPath: "/etc/passwd")
        #expect(throws: StoreError.self) { try store.read(.head) }
    }

    @Test func symbolicRefsInACircleEndInAnError() throws {
        let oracle = try RepositoryOracle()
        _ = try oracle.makeCommits("r")
        let store = refStore(oracle)
        for (name, content) in [
            ("HEAD", "ref: refs/heads/a"), ("refs/heads/a", "ref: refs/heads/b\n"),
            ("refs/heads/b", "ref:refs/heads/a"),
        ] { try oracle.write("r/.git/" + name, content) }
        let error = #expect(throws: StoreError.self) { try store.resolve(.head) }
        #expect(error?.code == .corrupt)
        var broken: [ByteString] = []
        let listed = try store.list(prefix: "") { broken.append($0.name) }
        #expect(listed.map(\.name.bytes) == ["refs/heads/main"])
        #expect(broken == ["refs/heads/a", "refs/heads/b"])
    }

    @Test(arguments: [
        "ref: HEAD", "ref: ../../etc/passwd", "ref: refs/heads/../../x", "ref: refs/heads/a.lock",
        "ref:", "ref: ", "", "garbage", "ref: refs/heads/a b", "1234", "ref: refs",
        "ref: /refs/heads/x",
        "g123456789012345678901234567890123456789\n", "1234567890123456789012345678901234567890x",
    ]) func refusesContentThatIsNoRef(_ content: String) throws {
        #expect(LooseRef.parse(Array(content.utf8), .sha1) == nil)
    }

    @Test func takesBlanksAsGitDoes() throws {
        let target = Ref.symbolic(try ref("refs/heads/x"))
        for text in ["ref: refs/heads/x\n", "ref:refs/heads/x", "ref: \t refs/heads/x \r\n\n"] {
            #expect(LooseRef.parse(Array(text.utf8), .sha1) == target)
        }
        let hex = String(repeating: "ab", count: 20)
        for text in [hex, hex + "\n", hex + "\tnot-for-merge\tbranch", hex.uppercased() + "\r\n"] {
            #expect(LooseRef.parse(Array(text.utf8), .sha1) == ObjectID(hex: hex).map(Ref.direct))
        }
    }

    @Test func reportsBrokenRefsAndGoesOn() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        let zeros = String(repeating: "0", count: 40)
        for (name, content) in [
            ("heads/garbage", "garbage"), ("heads/zero", zeros + "\n"),
            ("heads/bad name", oids[0].hex),
            ("heads/x.lock", ""), ("heads/.hidden", "x"), ("heads/dangling", "ref: refs/heads/no"),
            ("heads/ok", oids[1].hex),
        ] { try oracle.write("r/.git/refs/" + name, content) }
        var broken: [String] = []
        let store = refStore(oracle)
        let listed = try store.list(prefix: "refs/heads/") { broken.append($0.name.printable) }
        #expect(listed.map(\.name.bytes) == ["refs/heads/main", "refs/heads/ok"])
        #expect(
            broken.sorted()
                == ["bad name", "dangling", "garbage", "zero"].map { "refs/heads/" + $0 })
        let error = #expect(throws: StoreError.self) {
            try store.read(ref("refs/heads/garbage"))
        }
        #expect(error?.code == .corrupt)
    }

    @Test func aNamedPipeDoesNotHoldItUp() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "r")
        mkfifo(oracle.root + "/r/.git/refs/heads/pipe", 0o600)
        let store = refStore(oracle)
        #expect(throws: StoreError.self) { try store.read(ref("refs/heads/pipe")) }
        #expect(try store.list(prefix: "").isEmpty)
    }

    @Test func doesNotFollowLinksOutOfTheRefs() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        try oracle.write("outside/x", oids[0].hex)
        let refs = oracle.root + "/r/.git/refs/heads/"
        try FileManager.default.createSymbolicLink(
            atPath: refs + "dir", withDestinationPath: oracle.root + "/outside")
        try FileManager.default.createSymbolicLink(
            atPath: refs + "file", withDestinationPath: oracle.root + "/outside/x")
        let store = refStore(oracle)
        #expect(try ours(store) == ["\(oids[2]) refs/heads/main"])
        var change = RefTransaction()
        change.update(try ref("refs/heads/dir/y"), to: oids[0])
        #expect(throws: StoreError.self) { try store.update(change) }
        #expect(!oracle.exists("outside/y") && !oracle.exists("outside/y.lock"))
    }
}

@Suite struct RefPackedTests {
    private let hex = (0 ..< 10).map { String(repeating: "\($0)a", count: 20) }

    private func packed(
        _ oracle: RepositoryOracle, _ content: String
    ) throws -> RefStore {
        try oracle.write("r/.git/packed-refs", content)
        return refStore(oracle)
    }

    @Test(arguments: [
        "", "# pack-refs with: peeled fully-peeled sorted \n", "# pack-refs with: peeled \n",
        "# pack-refs with:\n",
    ]) func findsEveryRefInAnyOrder(_ header: String) throws {
        let oracle = try RepositoryOracle()
        var generator = RandomBytes(seed: 3)
        for count in [0, 1, 2, 3, 7, 40] {
            var names = (0 ..< count).map { "refs/tags/" + String($0 * 7919 % 1_000) }.sorted()
            if !header.contains("sorted") { names.shuffle(using: &generator) }
            var text = header
            for name in names {
                text += "\(hex[name.utf8.count % 10]) \(name)\n"
                if name.hasSuffix("1") { text += "^\(hex[9])\n" }
            }
            let store = try packed(oracle, text)
            for name in names {
                #expect(
                    try store.read(ref(ByteString(name)))
                        == ObjectID(hex: hex[name.utf8.count % 10]).map(Ref.direct))
            }
            for name in ["refs/tags/0x", "refs/tags/zzz", "refs/a", "refs/tags/00"] {
                #expect(try store.read(ref(ByteString(name))) == nil)
            }
            let listed = try store.list(prefix: "refs/tags/")
            #expect(listed.map(\.name.bytes.printable) == names.sorted())
            #expect(
                listed.filter { $0.name.bytes.hasSuffix("1") }.allSatisfy {
                    $0.peeled == ObjectID(hex: hex[9])
                })
        }
    }

    @Test(arguments: [
        "garbage\n", "# no header\n", "# pack-refs with: sorted", "1a1a refs/heads/x\n",
        "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a refs/heads/x",
        "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a \n",
        "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0arefs/heads/x\n", "^0a\n", "\n",
        "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a refs/heads/x\n^0a0a\n",
        "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a refs/heads/x\n# comment\n",
    ]) func refusesWhatIsMalformed(_ content: String) throws {
        let oracle = try RepositoryOracle()
        let store = try packed(oracle, content)
        let error = #expect(throws: StoreError.self) { try store.list(prefix: "refs/") }
        #expect(error?.code == .corrupt)
        let sorted = try packed(oracle, "# pack-refs with: sorted \n" + content)
        #expect(throws: StoreError.self) { try sorted.list(prefix: "refs/") }
    }

    @Test func refusesAFileThatIsNotInTheOrderThatItClaims() throws {
        let oracle = try RepositoryOracle()
        let store = try packed(
            oracle,
            "# pack-refs with: sorted \n\(hex[1]) refs/heads/b\n\(hex[1]) refs/heads/a\n")
        #expect(throws: StoreError.self) { try store.list(prefix: "") }
        let twice = try packed(oracle, "\(hex[1]) refs/heads/b\n\(hex[2]) refs/heads/b\n")
        #expect(throws: StoreError.self) { try twice.list(prefix: "") }
    }

    @Test func aBadNameNeverBecomesARef() throws {
        let oracle = try RepositoryOracle()
        let names = [
            "../../../etc/passwd", "refs/heads/../../config", "refs/heads/a b", "refs/heads/x.lock",
            "refs/heads/ok", "refs/heads/é\u{1b}[31m", "HEAD",
        ]
        let store = try packed(
            oracle, names.map { "\(hex[1]) \($0)\n" }.joined())
        var broken: [BrokenRef] = []
        let listed = try store.list(prefix: "") { broken.append($0) }
        #expect(listed.map(\.name.bytes) == ["refs/heads/ok"])
        #expect(broken.count == 4)
        #expect(broken.allSatisfy { !$0.reason.utf8.contains(0x1b) })
    }

    @Test func tellsWhatTagsPeelToFromTheFileWhereItSays() throws {
        let oracle = try RepositoryOracle()
        let tag = try #require(ObjectID(hex: hex[1]))
        let behind = try #require(ObjectID(hex: hex[2]))
        for (header, asked) in [
            ("# pack-refs with: peeled fully-peeled sorted \n", 0),
            ("# pack-refs with: peeled \n", 1), ("", 2),
        ] {
            try oracle.write(
                "r/.git/packed-refs",
                header
                    + "\(hex[3]) refs/heads/x\n\(hex[1]) refs/tags/x\n\(hex[1]) refs/z\n^\(hex[2])\n"
            )
            let count = Counter()
            let store = refStore(oracle) { _ in
                count.increase()
                return RefTarget(kind: .tag, peeled: behind)
            }
            let listed = try store.list(prefix: "")
            #expect(listed.count == 3 && listed.dropFirst().allSatisfy { $0.oid == tag })
            #expect(listed.last?.peeled == behind)
            // Each object once, however often the refs are listed.
            #expect(try store.list(prefix: "") == listed)
            #expect(count.value == asked, "with \(header)")
        }
    }

    @Test func randomDamageEndsInAnErrorAtMost() throws {
        let oracle = try RepositoryOracle()
        let intact = Array(
            ("# pack-refs with: peeled fully-peeled sorted \n"
                + (0 ..< 9).map { "\(hex[$0]) refs/tags/v\($0)\n^\(hex[9])\n" }.joined()).utf8)
        var generator = RandomBytes(seed: 11)
        var refused = 0
        for _ in 0 ..< 400 {
            var damaged = intact
            for _ in 0 ..< Int.random(in: 1 ... 4, using: &generator) {
                let place = Int.random(in: 0 ..< damaged.count, using: &generator)
                switch Int.random(in: 0 ..< 3, using: &generator) {
                case 0: damaged[place] = [0, 0x0a, 0x20, 0x23, 0x5e, 0x7a].randomElement() ?? 0
                case 1: damaged.removeSubrange(place...)
                default: damaged.remove(at: place)
                }
                if damaged.isEmpty { damaged = [0x0a] }
            }
            try oracle.write("r/.git/packed-refs", damaged)
            let store = refStore(oracle)
            if (try? store.list(prefix: "")) == nil { refused += 1 }
            for number in 0 ..< 9 {
                _ = try? store.read(ref(ByteString("refs/tags/v\(number)")))
            }
        }
        #expect(refused > 200)
    }

    @Test func writesTheFileThatGitWrites() throws {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        try oracle.git("tag", "-a", "-m", "x", "v1", in: "r")
        try oracle.git("tag", "-a", "-m", "x", "v2", "v1", in: "r")
        try oracle.git("branch", "a/b", in: "r")
        try oracle.git("branch", "a-b", "main~1", in: "r")
        let v1 = try #require(ObjectID(hex: try oracle.git("rev-parse", "v1", in: "r")))
        let v2 = try #require(ObjectID(hex: try oracle.git("rev-parse", "v2", in: "r")))
        try oracle.git("pack-refs", "--all", in: "r")
        try oracle.git("init", "-q", "s")
        try refStore(oracle, "s").writePacked([
            PackedRef(name: try ref("refs/tags/v2"), oid: v2, peeled: oids[2]),
            PackedRef(name: try ref("refs/heads/a/b"), oid: oids[2], peeled: nil),
            PackedRef(name: try ref("refs/heads/main"), oid: oids[2], peeled: nil),
            PackedRef(name: try ref("refs/tags/v1"), oid: v1, peeled: oids[2]),
            PackedRef(name: try ref("refs/heads/a-b"), oid: oids[1], peeled: nil),
        ])
        #expect(try oracle.text("s/.git/packed-refs") == oracle.text("r/.git/packed-refs"))
    }

    @Test func refusesRefsThatExcludeEachOther() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "r")
        let oid = try #require(ObjectID(hex: hex[1]))
        let store = refStore(oracle)
        for names: [ByteString] in [
            ["refs/heads/a", "refs/heads/a/b"], ["refs/heads/a", "refs/heads/a"],
            ["refs/heads/a", "refs/heads/a-b", "refs/heads/a.b", "refs/heads/a/b"],
        ] {
            let refs = try names.map { PackedRef(name: try ref($0), oid: oid, peeled: nil) }
            let error = #expect(throws: StoreError.self) { try store.writePacked(refs) }
            #expect(error?.code == .conflict)
            #expect(!oracle.exists("r/.git/packed-refs"))
            #expect(!oracle.exists("r/.git/packed-refs.lock"))
        }
        try store.writePacked([PackedRef(name: try ref("refs/heads/a"), oid: oid, peeled: nil)])
        // A repository with refs is not written over.
        #expect(throws: StoreError.self) {
            try store.writePacked([PackedRef(name: try ref("refs/heads/b"), oid: oid, peeled: nil)])
        }
    }

    @Test func writesAndReadsAHundredThousand() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "r")
        let oid = try #require(ObjectID(hex: hex[1]))
        let store = refStore(oracle)
        let count = 100_000
        let refs = try (0 ..< count).map {
            PackedRef(name: try ref(ByteString("refs/heads/b\($0)/x")), oid: oid, peeled: nil)
        }
        try store.writePacked(refs)
        #expect(try store.list(prefix: "").count == count)
        #expect(try store.list(prefix: "refs/heads/b99999/").count == 1)
        for number in [0, 1, 77_777, 99_999] {
            #expect(try store.read(ref(ByteString("refs/heads/b\(number)/x"))) == .direct(oid))
        }
    }
}

/// A number that several threads may count up.
final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0

    func increase() { lock.withLock { count += 1 } }
    var value: Int { lock.withLock { count } }
}

/// Listings that follow one another: what the first has read, and what changed since.
@Suite struct RefListingAgainTests {
    @Test func seesEveryChangeOfAFile() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "r")
        try oracle.git("-C", "r", "commit", "-q", "--allow-empty", "-m", "one")
        try oracle.git("-C", "r", "commit", "-q", "--allow-empty", "-m", "two")
        for name in ["a", "b", "dir/c"] { try oracle.git("-C", "r", "branch", name, "HEAD") }
        let repository = try Repository.open(gitDirectory: oracle.path("r/.git"))
        func listing() throws -> [String] {
            try repository.refs.list(prefix: "").map { "\($0.oid) \($0.name)" }
        }
        func expected() throws -> [String] {
            try oracle.git(
                "-C", "r", "for-each-ref", "--format=%(objectname) %(refname)"
            ).split(separator: "\n").map(String.init)
        }
        let old = Date(timeIntervalSinceNow: -60)
        func settle() throws {
            for name in ["a", "b", "dir/c"] {
                let path = oracle.path("r/.git/refs/heads/\(name)").printable
                guard FileManager.default.fileExists(atPath: path) else { continue }
                try FileManager.default.setAttributes(
                    [.modificationDate: old], ofItemAtPath: path)
            }
        }
        try settle()
        for _ in 0 ..< 2 { #expect(try listing() == expected()) }
        // In place, with the old time put back, as no Git does.
        let first = try oracle.git("-C", "r", "rev-parse", "HEAD~1")
        try oracle.write("r/.git/refs/heads/a", first + "\n")
        try settle()
        #expect(try listing() == expected())
        try oracle.git("-C", "r", "update-ref", "refs/heads/b", first)
        #expect(try listing() == expected())
        try oracle.git("-C", "r", "pack-refs", "--all")
        #expect(try listing() == expected())
        try oracle.git("-C", "r", "update-ref", "-d", "refs/heads/dir/c")
        try oracle.git("-C", "r", "update-ref", "refs/heads/dir", first)
        #expect(try listing() == expected())
    }
}
