import GitCore
import Testing

@testable import GitStore

/// What objects of a pack point to that the pack does not hold.
@Suite struct PackLinksTests {
    let scratch: PackScratch
    init() throws { scratch = try PackScratch() }

    private let blob = Array("content".utf8)
    private var blobID: ObjectID { oid(.blob, blob) }

    private var tree: [UInt8] {
        encodeTree([
            TreeEntry(mode: .regular, name: "a", oid: blobID),
            TreeEntry(mode: .directory, name: "d", oid: oid(.tree, subtree)),
            TreeEntry(mode: .gitlink, name: "module", oid: oid(blob: "elsewhere")),
        ])
    }

    private var subtree: [UInt8] {
        encodeTree([TreeEntry(mode: .symbolicLink, name: "l", oid: blobID)])
    }

    private func commit(_ tree: [UInt8], parents: [ObjectID] = []) -> [UInt8] {
        let lines = parents.map { "parent \($0)\n" }.joined()
        return Array(
            "tree \(oid(.tree, tree))\n\(lines)author a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nm\n"
                .utf8)
    }

    private func tag(_ target: ObjectID, _ kind: ObjectKind) -> [UInt8] {
        Array("object \(target)\ntype \(kind.name)\ntag t\ntagger a <a> 1 +0000\n\nm\n".utf8)
    }

    private func missing(_ objects: [(ObjectKind, [UInt8])], threads: Int) throws -> [ObjectID] {
        var pack = PackBuilder()
        for (kind, content) in objects { pack.whole(kind, content) }
        return try scratch.index(pack.finished()) { $0.threads = threads }.missingLinks
    }

    @Test(arguments: [1, 2, 4]) func eachKindOfLink(threads: Int) throws {
        let root = commit(tree)
        let child = commit(tree, parents: [oid(.commit, root), oid(blob: "other parent")])
        let all: [(ObjectKind, [UInt8])] = [
            (.blob, blob), (.tree, subtree), (.tree, tree), (.commit, root), (.commit, child),
            (.tag, tag(oid(.commit, child), .commit)),
        ]
        let other = oid(blob: "other parent")
        #expect(try missing(all, threads: threads) == [other])
        for (index, left) in [
            (0, oid(.blob, blob)), (1, oid(.tree, subtree)), (2, oid(.tree, tree)),
            (3, oid(.commit, root)), (4, oid(.commit, child)),
        ] {
            var some = all
            some.remove(at: index)
            let expected = Set([left] + (index == 4 ? [] : [other])).sorted()
            #expect(try missing(some, threads: threads) == expected)
        }
    }

    @Test func closedPackLacksNothingAndGitlinksDoNotCount() throws {
        let all: [(ObjectKind, [UInt8])] = [
            (.blob, blob), (.tree, subtree), (.tree, tree), (.commit, commit(tree)),
            (.tag, tag(oid(.blob, blob), .blob)), (.tag, tag(oid(.tree, tree), .tree)),
        ]
        #expect(try missing(all, threads: 2) == [])
        #expect(try missing([(.blob, blob)], threads: 2) == [])
        #expect(try missing([], threads: 2) == [])
    }

    @Test func linksOfObjectsRebuiltFromDeltasCount() throws {
        let base = encodeTree([TreeEntry(mode: .regular, name: "a", oid: oid(blob: "one"))])
        let delta = DeltaBuilder(base: UInt64(base.count), result: UInt64(base.count))
            .copying(0, UInt32(base.count - 20)).inserting(oid(blob: "two").rawBytes).bytes
        var pack = PackBuilder()
        pack.blob("one")
        pack.delta(on: pack.whole(.tree, base), delta)
        #expect(try scratch.index(pack.finished()).missingLinks == [oid(blob: "two")])
        let unseen = try scratch.index(pack.finished()) { $0.findsMissingLinks = false }
        #expect(unseen.missingLinks == [])
    }

    /// In objects found by way of a thin pack's base, too; the base itself is whole, but what it
    /// points to is asked for as well.
    @Test func linksOfCompletedThinPacks() throws {
        try scratch.createRepository()
        let store = try ObjectDatabase(objectsDirectory: scratch["r/objects"], format: .sha1)
        let base = encodeTree([TreeEntry(mode: .regular, name: "a", oid: oid(blob: "one"))])
        try store.write(.tree, base)
        let delta = DeltaBuilder(base: UInt64(base.count), result: UInt64(base.count))
            .copying(0, UInt32(base.count - 20)).inserting(oid(blob: "two").rawBytes).bytes
        var pack = PackBuilder()
        pack.delta(on: oid(.tree, base), delta)
        let indexed = try scratch.index(pack.finished()) { $0.thinBases = store }
        #expect(indexed.addedBases == 1)
        #expect(indexed.missingLinks == [oid(blob: "two")])
    }

    /// A history as git packs it, trees as chains of deltas, without every seventh object: what is
    /// missed is what was left out, for something points to each but the tips.
    @Test(arguments: [1, 3]) func linksInPacksThatGitMakes(threads: Int) throws {
        try PackFixture.history(scratch, commits: 24)
        let listed = try scratch.git("rev-list", "--objects", "--no-object-names", "--all", in: "w")
        let tips = try scratch.git("for-each-ref", "--format=%(objectname)", in: "w").lines
        var (kept, left): ([String], [ObjectID]) = ([], [])
        for (number, line) in listed.lines.enumerated() {
            if number % 7 == 3, !tips.contains(line) {
                left.append(try #require(ObjectID(hex: line)))
            } else {
                kept.append(line)
            }
        }
        let pack = try scratch.git(
            "pack-objects", "--stdout", "-q", "--no-reuse-delta", "--delta-base-offset", in: "w",
            input: Array(kept.joined(separator: "\n").utf8) + [0x0a]
        ).output
        // What only the objects left out point to is in the pack.
        let expected = left.sorted()
        let indexed = try scratch.index(pack) { $0.threads = threads }
        let isExpected = Set(indexed.missingLinks).isSubset(of: expected)
        #expect(isExpected)
        #expect(indexed.missingLinks == (try referenced(kept)).intersection(expected).sorted())
        #expect(indexed.missingLinks.count > 10)
    }

    /// What some objects of the fixture point to, as git shows them.
    private func referenced(_ objects: [String]) throws -> Set<ObjectID> {
        var links: Set<ObjectID> = []
        for name in objects {
            let kind = try scratch.git("cat-file", "-t", name, in: "w").line
            guard kind != "blob" else { continue }
            for line in try scratch.git("cat-file", "-p", name, in: "w").lines {
                if line.hasPrefix("160000 ") { continue }
                let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
                let isHeader = ["tree", "parent", "object"].contains(words.first)
                guard kind == "tree" || isHeader else { continue }
                let word = words.dropFirst(kind == "tree" ? 2 : 1).first ?? ""
                if let oid = ObjectID(hex: word) { links.insert(oid) }
            }
        }
        return links
    }
}
