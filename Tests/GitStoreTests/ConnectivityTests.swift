import Foundation
import GitCore
import Testing

@testable import GitStore

@Suite struct ConnectivityTests {
    private func faults(
        _ fixture: ReceivingFixture, _ pack: [UInt8]?, _ tips: [ObjectID],
        shallow: Set<ObjectID> = [], unpackLimit: Int = 100
    ) throws -> [ObjectID: ConnectivityFault] {
        let host = try fixture.host()
        let quarantine = try Quarantine(host)
        var settings = ReceiveSettings()
        settings.unpackLimit = unpackLimit
        if let pack { try quarantine.receive(pack, settings) }
        return try quarantine.connectivityFaults(of: tips, shallow: shallow, in: host)
    }

    /// A pack of only these objects of `work`.
    private func pack(_ fixture: ReceivingFixture, objects: [String]) throws -> [UInt8] {
        let outcome = try fixture.oracle.run(
            ["pack-objects", "--stdout", "-q"], in: "work",
            input: Array((objects.joined(separator: "\n") + "\n").utf8))
        try #require(outcome.status == 0)
        return outcome.output
    }

    @Test(arguments: [1, 100]) func findsEveryObjectThatIsMissing(unpackLimit: Int) throws {
        let fixture = try ReceivingFixture()
        let oracle = fixture.oracle
        let tip = try fixture.commit("more", ["new/deep/f": "new\n", "a/f0": "changed\n"])
        try oracle.git("tag", "-a", "-m", "v", "v1", in: "work")
        let tag = try #require(ObjectID(hex: try oracle.git("rev-parse", "v1", in: "work")))
        let all = try oracle.git(
            "rev-list", "--objects", "--no-object-names", "v1", "^main~1", in: "work"
        )
        .split(separator: "\n").map(String.init)
        #expect(all.count == 8)
        #expect(
            try faults(fixture, pack(fixture, objects: all), [tip, tag], unpackLimit: unpackLimit)
                == [:])
        for missing in all {
            let some = try pack(fixture, objects: all.filter { $0 != missing })
            let found = try faults(fixture, some, [tip, tag], unpackLimit: unpackLimit)
            #expect(found[tag] == .missing, "\(missing)")
            #expect(found[tip] == (missing == tag.hex ? nil : .missing), "\(missing)")
        }
    }

    @Test func goesOnFromAnyCommitOfTheRepository() throws {
        let fixture = try ReceivingFixture()
        let oracle = fixture.oracle
        // On top of what no ref holds itself, with content that was there before.
        try oracle.git("checkout", "-q", "-b", "side", "main~2", in: "work")
        let side = try fixture.commit("side", ["a/f2": "2\n"])
        #expect(try faults(fixture, fixture.pack("side ^main"), [side]) == [:])
        // With nothing new at all.
        #expect(try faults(fixture, nil, fixture.oids) == [:])
        let zeros = try #require(ObjectID(hex: String(repeating: "1", count: 40)))
        #expect(try faults(fixture, nil, [zeros, fixture.oids[1]]) == [zeros: .missing])
        // A history of its own.
        try oracle.git("checkout", "-q", "--orphan", "other", in: "work")
        let other = try fixture.commit("other", ["z": "z\n"])
        #expect(try faults(fixture, fixture.pack("other ^main"), [other]) == [:])
    }

    @Test func doesNotTrustWhatNoRefLeadsTo() throws {
        let fixture = try ReceivingFixture()
        let tip = try fixture.commit("more", ["b": "b\n"])
        let blob = try fixture.oracle.git("rev-parse", "main:b", in: "work")
        let all = try fixture.oracle.git(
            "rev-list", "--objects", "--no-object-names", "main", "^main~1", in: "work")
        let some = all.split(separator: "\n").map(String.init).filter { $0 != blob }
        // Objects without refs, from a push that went wrong.
        let host = try fixture.host()
        let quarantine = try Quarantine(host)
        try quarantine.receive(try pack(fixture, objects: some))
        try quarantine.migrate()
        #expect(try host.objects.contains(tip))
        #expect(try faults(fixture, nil, [tip]) == [tip: .missing])
        let next = try fixture.commit("next", ["c": "c\n"])
        #expect(
            try faults(fixture, fixture.pack("main ^main~1"), [next]) == [next: .missing])
    }

    @Test func tellsWhatOnlyAShallowRepositoryWouldHave() throws {
        let fixture = try ReceivingFixture()
        let oracle = fixture.oracle
        for number in 0 ..< 4 { try fixture.commit("more \(number)", ["g": "\(number)\n"]) }
        try oracle.git("clone", "-q", "--depth=2", "file://" + oracle.root + "/work", "shallow")
        let tip = try #require(ObjectID(hex: try oracle.git("rev-parse", "HEAD", in: "work")))
        let end = try #require(ObjectID(hex: try oracle.git("rev-parse", "HEAD~1", in: "work")))
        let outcome = try oracle.run(
            ["pack-objects", "--revs", "--stdout", "-q"], in: "shallow", input: Array("HEAD\n".utf8)
        )
        #expect(try faults(fixture, outcome.output, [tip], shallow: [end]) == [tip: .shallow])
        #expect(try faults(fixture, outcome.output, [tip]) == [tip: .missing])
        // One whose parents are here after all.
        #expect(
            try faults(fixture, fixture.pack("main ^main~4"), [tip], shallow: [end]) == [:])
    }

    @Test func isAnAncestorAsGitSaysWhateverTheClocks() throws {
        let oracle = try RepositoryOracle()
        try oracle.git("init", "-q", "-b", "main", "r")
        let tree = try oracle.run(["hash-object", "-t", "tree", "-w", "--stdin"], in: "r").text
        var oids: [String] = []
        var random = SystemRandomNumberGenerator()
        for number in 0 ..< 40 {
            var arguments = ["commit-tree", "-m", "\(number)", tree]
            for parent in oids.suffix(6).shuffled(using: &random).prefix(Int.random(in: 0 ... 2)) {
                arguments += ["-p", parent]
            }
            // Dates that have nothing to do with the order.
            let date = "\(1_000_000_000 + Int.random(in: 0 ..< 100_000)) +0000"
            oids.append(
                try oracle.run(arguments, in: "r", variables: ["GIT_COMMITTER_DATE": date]).text)
        }
        for (number, oid) in oids.enumerated() {
            try oracle.git("update-ref", "refs/heads/b\(number)", oid, in: "r")
        }
        let repository = try Repository.open(
            gitDirectory: oracle.path("r/.git"), environment: oracle.environment)
        for (number, oid) in oids.enumerated() {
            let ancestors = Set(
                try oracle.git("rev-list", oid, in: "r").split(separator: "\n").map(String.init))
            for other in oids {
                let isAncestor = try repository.isAncestor(
                    try #require(ObjectID(hex: other)), of: try #require(ObjectID(hex: oid)))
                #expect(isAncestor == ancestors.contains(other), "\(number)")
            }
        }
    }
}
