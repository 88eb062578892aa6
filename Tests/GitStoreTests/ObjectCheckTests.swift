import GitCore
import Testing

@testable import GitStore

@Suite struct ObjectCheckTests {
    private let checker = ObjectChecker(.sha1)
    private let oid = String(repeating: "a", count: 40)
    private let person = "A <a@b> 1 +0000"

    private func faults(_ kind: ObjectKind, _ text: String) -> [String] {
        checker.check(GitObject(kind: kind, content: Array(text.utf8))).map(\.id)
    }

    private func tree(_ entries: (String, String)..., oid: UInt8 = 0x61) -> [UInt8] {
        entries.flatMap { mode, name in
            Array("\(mode) \(name)\0".utf8) + Array(repeating: oid, count: 20)
        }
    }

    private func faults(ofTree content: [UInt8]) -> [String] {
        checker.check(GitObject(kind: .tree, content: content)).map(\.id)
    }

    @Test func soundObjectsHaveNoFaults() {
        #expect(
            faults(
                .commit, "tree \(oid)\nparent \(oid)\nauthor \(person)\ncommitter \(person)\n\nx")
                == [])
        #expect(faults(.tag, "object \(oid)\ntype commit\ntag v1\ntagger \(person)\n\nx") == [])
        #expect(faults(ofTree: tree(("100644", "a"), ("40000", "b"), ("160000", "c"))) == [])
        #expect(faults(ofTree: []) == [])
        #expect(faults(.blob, "anything") == [])
    }

    /// However an object is cut, nothing traps, and nothing is sound that lacks its headers.
    @Test func everyCutIsSurvived() {
        let commit = "tree \(oid)\nauthor \(person)\ncommitter \(person)\n\n"
        for length in 0 ..< commit.utf8.count - 1 {
            #expect(faults(.commit, String(commit.prefix(length))) != [], "\(length)")
        }
        let tag = "object \(oid)\ntype commit\ntag v1\ntagger \(person)\n\n"
        for length in 0 ..< tag.utf8.count - 1 {
            #expect(faults(.tag, String(tag.prefix(length))) != [], "\(length)")
        }
        let content = tree(("100644", "a"), ("40000", "b"))
        for length in 1 ..< content.count where length != content.count / 2 + 1 {
            let found = faults(ofTree: Array(content[..<length]))
            #expect(found.isEmpty || found == ["badTree"], "\(length)")
        }
    }

    @Test func entriesWithOneNameAreFoundApartFromEachOther() {
        #expect(
            faults(
                ofTree: tree(("100644", "a"), ("100644", "a-"), ("100644", "a.c"), ("40000", "a")))
                == ["duplicateEntries"])
        #expect(
            faults(ofTree: tree(("100644", "a"), ("100644", "ab"), ("40000", "a0"))).contains(
                "duplicateEntries") == false)
    }

    @Test func treesWithManyEntriesAreCheckedInLinearTime() {
        var content: [UInt8] = []
        // Each name is the beginning of the next.
        var name = ""
        for _ in 0 ..< 3_000 {
            name += "a"
            content += tree(("100644", name))
        }
        let start = ContinuousClock.now
        #expect(faults(ofTree: content) == [])
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test func strictnessMakesErrorsOfWarnings() throws {
        let fault = try #require(
            checker.check(GitObject(kind: .tree, content: tree(("100644", ".git")))).first)
        #expect(fault.id == "hasDotgit")
        #expect(!fault.isError(strict: false) && fault.isError(strict: true))
        let old = GitObject(kind: .tree, content: tree(("100664", "a")))
        #expect(checker.check(old).isEmpty)
        #expect(ObjectChecker(.sha1, strict: true).check(old).map(\.id) == ["badFilemode"])
    }

    @Test(arguments: [
        ("[submodule \"../x\"]\n\tpath = a", "gitmodulesName"),
        ("[submodule \"a/..\"]\n\tpath = a", "gitmodulesName"),
        ("[submodule \"a\"]\n\turl = -x", "gitmodulesUrl"),
        ("[submodule \"a\"]\n\turl = https://x/%0a", "gitmodulesUrl"),
        ("[submodule \"a\"]\n\turl = ../../:x", "gitmodulesUrl"),
        ("[submodule \"a\"]\n\tpath = -x", "gitmodulesPath"),
        ("[submodule \"a\"]\n\tupdate = !touch owned", "gitmodulesUpdate"),
        ("[submodule", "gitmodulesParse"),
    ])
    func submodulesThatCouldBeTakenForOtherThingsAreFound(_ text: String, _ id: String) {
        #expect(checker.checkSubmodules(Array(text.utf8)).map(\.id) == [id])
    }

    @Test func usualSubmodulesAreSound() {
        let text = "[submodule \"lib/a..b\"]\n\tpath = lib\n\turl = ../b.git\n\tupdate = none\n"
        #expect(checker.checkSubmodules(Array(text.utf8)) == [])
    }
}
