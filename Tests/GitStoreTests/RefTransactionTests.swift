import Foundation
import GitCore
import Testing

@testable import GitStore

@Suite struct RefTransactionTests {
    private func setUp() throws -> (RepositoryOracle, [ObjectID], RefStore) {
        let oracle = try RepositoryOracle()
        let oids = try oracle.makeCommits("r")
        return (oracle, oids, refStore(oracle))
    }

    private func fails(
        _ store: RefStore, _ code: StoreError.Code = .conflict,
        _ build: (inout RefTransaction) throws -> Void
    ) throws {
        var change = RefTransaction()
        try build(&change)
        let error = #expect(throws: StoreError.self) { try store.update(change) }
        #expect(error?.code == code, "\(error as Any)")
    }

    private func update(
        _ store: RefStore, _ build: (inout RefTransaction) throws -> Void
    ) throws {
        var change = RefTransaction()
        try build(&change)
        try store.update(change)
    }

    /// No lock is left anywhere.
    private func expectNoLocks(_ oracle: RepositoryOracle) throws {
        let all = try FileManager.default.subpathsOfDirectory(atPath: oracle.root + "/r/.git")
        #expect(all.filter { $0.hasSuffix(".lock") } == [])
    }

    @Test func createsUpdatesAndDeletes() throws {
        let (oracle, oids, store) = try setUp()
        try update(store) {
            $0.update(try ref("refs/heads/new/deep"), to: oids[0], expecting: .missing)
            $0.update(try ref("refs/heads/main"), to: oids[1], expecting: .oid(oids[2]))
        }
        #expect(
            try oracle.git("rev-parse", "new/deep", "main", in: "r") == "\(oids[0])\n\(oids[1])")
        try update(store) { $0.delete(try ref("refs/heads/new/deep"), expecting: .oid(oids[0])) }
        #expect(try oracle.git("for-each-ref", "--format=%(refname)", in: "r") == "refs/heads/main")
        #expect(!oracle.exists("r/.git/refs/heads/new"))
        try update(store) { $0.delete(try ref("refs/heads/nothing/there")) }
        #expect(!oracle.exists("r/.git/refs/heads/nothing"))
        try oracle.git("fsck", "--strict", in: "r")
        try expectNoLocks(oracle)
    }

    /// Few are put on the disk one by one, many all at once.
    @Test(arguments: [3, 600]) func changesManyTogetherOrNone(count: Int) throws {
        let (oracle, oids, store) = try setUp()
        let names = try (0 ..< count).map { try ref(ByteString("refs/tags/t\($0)")) }
        try update(store) { for name in names { $0.update(name, to: oids[0]) } }
        try fails(store) {
            for name in names { $0.update(name, to: oids[1], expecting: .oid(oids[0])) }
            $0.verify(try ref("refs/heads/main"), expecting: .missing)
        }
        let listed = try oracle.git(
            "for-each-ref", "--format=%(objectname)", "refs/tags", in: "r")
        #expect(listed.split(separator: "\n") == Array(repeating: oids[0].hex[...], count: count))
        try expectNoLocks(oracle)
    }

    @Test func comparesTheOldValueAndChangesNothingOtherwise() throws {
        let (oracle, oids, store) = try setUp()
        let main = try ref("refs/heads/main")
        let other = try ref("refs/heads/a")
        try fails(store) {
            $0.update(other, to: oids[0])
            $0.update(main, to: oids[0], expecting: .oid(oids[1]))
        }
        try fails(store) {
            $0.update(other, to: oids[0])
            $0.update(main, to: oids[0], expecting: .missing)
        }
        try fails(store) {
            $0.update(other, to: oids[0])
            $0.verify(main, expecting: .oid(oids[0]))
        }
        try fails(store) { $0.update(other, to: oids[0], expecting: .oid(oids[0])) }
        try fails(store) { $0.delete(other, expecting: .oid(oids[0])) }
        #expect(try store.read(other) == nil)
        #expect(try store.read(main) == .direct(oids[2]))
        try update(store) {
            $0.verify(main, expecting: .oid(oids[2]))
            $0.verify(other, expecting: .missing)
        }
        try expectNoLocks(oracle)
    }

    @Test func deletesFromPackedRefsToo() throws {
        let (oracle, oids, store) = try setUp()
        for name in ["a", "b", "c/d"] { try oracle.git("branch", name, "main~1", in: "r") }
        try oracle.git("tag", "-a", "-m", "x", "t", in: "r")
        try oracle.git("pack-refs", "--all", in: "r")
        try oracle.git("update-ref", "refs/heads/b", oids[0].hex, in: "r")
        try update(store) {
            $0.delete(try ref("refs/heads/a"), expecting: .oid(oids[1]))
            $0.delete(try ref("refs/heads/b"), expecting: .oid(oids[0]))
            $0.delete(try ref("refs/heads/c/d"))
        }
        #expect(
            try oracle.git("for-each-ref", "--format=%(refname)", in: "r")
                == "refs/heads/main\nrefs/tags/t")
        let packed = try oracle.text("r/.git/packed-refs")
        #expect(packed.hasPrefix("# pack-refs with: peeled fully-peeled sorted \n"))
        #expect(packed.contains("^\(oids[2])\n"))
        #expect(!packed.contains("refs/heads/b"))
        try expectNoLocks(oracle)
    }

    @Test func refusesARefThatWouldBeADirectoryOfAnother() throws {
        let (oracle, oids, store) = try setUp()
        try oracle.git("branch", "x/y", in: "r")
        for isPacked in [false, true] {
            if isPacked { try oracle.git("pack-refs", "--all", in: "r") }
            try fails(store) { $0.update(try ref("refs/heads/main/sub"), to: oids[0]) }
            try fails(store) { $0.update(try ref("refs/heads/main/sub/sub"), to: oids[0]) }
            try fails(store) { $0.update(try ref("refs/heads/x"), to: oids[0]) }
            try fails(store) {
                $0.setSymbolic(try ref("refs/heads/x"), to: try ref("refs/heads/main"))
            }
        }
        try fails(store) {
            $0.update(try ref("refs/heads/n"), to: oids[0])
            $0.update(try ref("refs/heads/n/m"), to: oids[0])
        }
        try fails(store) {
            $0.update(try ref("refs/heads/n"), to: oids[0])
            $0.delete(try ref("refs/heads/n"))
        }
        #expect(
            try oracle.git("for-each-ref", "--format=%(refname)", in: "r")
                == "refs/heads/main\nrefs/heads/x/y")
        try expectNoLocks(oracle)
    }

    @Test func emptyDirectoriesAreNotInTheWay() throws {
        let (oracle, oids, store) = try setUp()
        let manager = FileManager.default
        for path in ["refs/heads/a/b/c", "refs/heads/a/d", "logs/refs/heads/a/e"] {
            try manager.createDirectory(
                atPath: oracle.root + "/r/.git/" + path, withIntermediateDirectories: true)
        }
        var change = RefTransaction(
            committer: try Identity.current(
                .committer, config: Config(ConfigFile()), environment: oracle.environment,
                strict: true))
        change.update(try ref("refs/heads/a"), to: oids[0])
        try store.update(change)
        #expect(try store.read(ref("refs/heads/a")) == .direct(oids[0]))
        try oracle.write("r/.git/refs/heads/full/junk file", "x")
        try fails(store) { $0.update(try ref("refs/heads/full"), to: oids[0]) }
    }

    @Test func locksAsGitLocks() throws {
        let (oracle, oids, store) = try setUp()
        let name = try ref("refs/heads/main")
        try oracle.write("r/.git/refs/heads/main.lock", "")
        try fails(store) { $0.update(name, to: oids[0]) }
        #expect(oracle.exists("r/.git/refs/heads/main.lock"))
        try FileManager.default.removeItem(atPath: oracle.root + "/r/.git/refs/heads/main.lock")
        do {
            let held = try store.lock(name)
            let outcome = try oracle.run(
                ["update-ref", "refs/heads/main", oids[0].hex], in: "r")
            #expect(outcome.status != 0)
            _ = consume held
        }
        try oracle.git("update-ref", "refs/heads/main", oids[0].hex, in: "r")
        try oracle.git("pack-refs", "--all", in: "r")
        try oracle.write("r/.git/packed-refs.lock", "")
        try fails(store) { $0.delete(name) }
        #expect(try store.read(name) == .direct(oids[0]))
    }

    @Test func waitsForALockThatIsHeldForAMoment() throws {
        let (oracle, oids, store) = try setUp()
        let path = oracle.root + "/r/.git/refs/heads/main.lock"
        try oracle.write("r/.git/refs/heads/main.lock", "")
        let other = Thread {
            usleep(30_000)
            unlink(path)
        }
        other.start()
        try update(store) { $0.update(try ref("refs/heads/main"), to: oids[0]) }
    }

    @Test func oneOfManyAtOnceWins() throws {
        let (oracle, oids, store) = try setUp()
        let name = try ref("refs/heads/race")
        let wins = Counter()
        DispatchQueue.concurrentPerform(iterations: 16) { number in
            var change = RefTransaction()
            change.update(name, to: oids[number % 3], expecting: .missing)
            if (try? store.update(change)) != nil { wins.increase() }
        }
        #expect(wins.value == 1)
        try expectNoLocks(oracle)
    }

    @Test func parallelChangesWithGitLoseNothing() throws {
        let (oracle, oids, store) = try setUp()
        DispatchQueue.concurrentPerform(iterations: 2) { side in
            for number in 0 ..< 20 {
                if side == 0 {
                    _ = try? oracle.run(
                        ["update-ref", "refs/heads/d\(number)/git", oids[0].hex], in: "r")
                    _ = try? oracle.run(["pack-refs", "--all"], in: "r")
                } else if let name = RefName(ByteString("refs/heads/d\(number)/ours")) {
                    var change = RefTransaction()
                    change.update(name, to: oids[1])
                    try? store.update(change)
                }
            }
        }
        let names = try oracle.git("for-each-ref", "--format=%(refname)", in: "r")
        #expect(names.split(separator: "\n").filter { $0.hasSuffix("/ours") }.count == 20)
        #expect(names.split(separator: "\n").filter { $0.hasSuffix("/git") }.count == 20)
    }

    @Test func changesThroughSymbolicRefsOrTheRefItself() throws {
        let (oracle, oids, store) = try setUp()
        try update(store) { $0.update(.head, to: oids[0], followingSymbolic: true) }
        #expect(try store.read(.head) == .symbolic(ref("refs/heads/main")))
        #expect(try store.read(ref("refs/heads/main")) == .direct(oids[0]))
        try update(store) { $0.update(.head, to: oids[1]) }
        #expect(try store.read(.head) == .direct(oids[1]))
        #expect(try store.read(ref("refs/heads/main")) == .direct(oids[0]))
        try update(store) {
            $0.setSymbolic(.head, to: try ref("refs/heads/unborn/x"), expecting: .oid(oids[1]))
        }
        #expect(try oracle.git("symbolic-ref", "HEAD", in: "r") == "refs/heads/unborn/x")
        try update(store) {
            $0.update(.head, to: oids[2], expecting: .missing, followingSymbolic: true)
        }
        #expect(try oracle.git("rev-parse", "unborn/x", in: "r") == oids[2].hex)
    }

    @Test func refusesWhatNoRefMayHold() throws {
        let (oracle, oids, _) = try setUp()
        let store = refStore(oracle) { oid in
            oid == oids[0]
                ? RefTarget(kind: .blob, peeled: nil)
                : oid == oids[1] ? RefTarget(kind: .commit, peeled: nil) : nil
        }
        try fails(store, .invalid) { $0.update(try ref("refs/heads/x"), to: oids[2]) }
        try fails(store, .invalid) { $0.update(try ref("refs/heads/x"), to: oids[0]) }
        try fails(store, .invalid) { $0.update(try ref("refs/heads/x"), to: .zero(.sha1)) }
        try fails(store, .invalid) { $0.update(try ref("refs/tags/x"), to: .zero(.sha256)) }
        try fails(store, .invalid) { $0.delete(.head) }
        try fails(store, .invalid) { $0.setSymbolic(.head, to: .head) }
        try fails(store, .invalid) {
            $0.setSymbolic(try ref("refs/heads/x"), to: try ref("refs/heads/x"))
        }
        try update(store) { $0.update(try ref("refs/tags/x"), to: oids[0]) }
    }

    @Test func overwritesABrokenRefOnlyForWhoExpectsNothing() throws {
        let (oracle, oids, store) = try setUp()
        try oracle.write("r/.git/refs/heads/b", "garbage")
        let name = try ref("refs/heads/b")
        try fails(store, .corrupt) { $0.update(name, to: oids[0], expecting: .missing) }
        try fails(store, .corrupt) { $0.delete(name, expecting: .oid(oids[0])) }
        try update(store) { $0.update(name, to: oids[0]) }
        #expect(try store.read(name) == .direct(oids[0]))
    }
}
