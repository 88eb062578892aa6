import Testing

@testable import GitCore
@testable import GitStore

@Suite struct CommitGraphTests {
    private func repository(
        _ format: ObjectFormat, split: Bool = false
    ) throws -> (PackScratch, [ObjectID]) {
        let scratch = try PackScratch()
        try PackFixture.history(scratch, format: format)
        if split {
            for (number, revision) in ["main~20", "main~10", "main"].enumerated() {
                let oid = try scratch.git("rev-parse", revision, in: "w").line
                let mode = number == 0 ? "--split=replace" : "--split=no-merge"
                try scratch.git(
                    "commit-graph", "write", "--stdin-commits", mode, in: "w",
                    input: Array("\(oid)\n".utf8))
            }
        } else {
            try scratch.git("commit-graph", "write", "--reachable", in: "w")
        }
        let commits = try scratch.git("rev-list", "main", in: "w").lines
        return (scratch, commits.compactMap { ObjectID(hex: $0) })
    }

    @Test(arguments: ObjectFormat.allCases, [false, true])
    func saysWhatTheCommitsSay(format: ObjectFormat, split: Bool) throws {
        let (scratch, commits) = try repository(format, split: split)
        let objects = scratch["w/.git/objects"]
        let graph = try #require(try CommitGraph(in: objects, format))
        let database = try ObjectDatabase(objectsDirectory: objects, format: format)
        #expect(commits.count > 30)
        for commit in commits {
            let position = try #require(graph.position(of: commit))
            #expect(graph.oid(at: position) == commit)
            var parents: [UInt32] = []
            let read = try #require(try graph.commit(at: position, appendingParentsTo: &parents))
            let links = try database.commit(commit)
            #expect(read.tree == links.tree)
            #expect(parents.map { graph.oid(at: Int($0)) } == links.parents)
            #expect(read.time >= 1_700_000_000)
        }
        #expect(graph.position(of: .zero(format)) == nil)
        #expect(graph.oid(at: -1) == nil)
        #expect(graph.oid(at: 1 << 30) == nil)
    }

    /// Bytes wrong in turn, and many lengths: nothing traps, and what is read stays in bounds.
    @Test func survivesAnyByteWrong() throws {
        let (scratch, commits) = try repository(.sha1)
        let whole = try scratch.read("w/.git/objects/info/commit-graph")
        func look() throws {
            do throws(StoreError) {
                let file = try CommitGraphFile(scratch["g"], .sha1)
                for commit in commits {
                    guard let row = file.oids.row(of: commit) else { continue }
                    var parents: [UInt32] = []
                    _ = try file.commit(row: row, appendingParentsTo: &parents)
                }
            } catch {
                #expect(error.code == .corrupt)
            }
        }
        for position in whole.indices where position < 120 || position > 1_100 || position % 41 == 0
        {
            var damaged = whole
            damaged[position] ^= position % 3 == 0 ? 0xff : 0x80
            try scratch.write(damaged, to: "g")
            try look()
        }
        for length in stride(from: 0, to: whole.count, by: 61) {
            try scratch.write(Array(whole[..<length]), to: "g")
            expectStoreError(.corrupt) { try CommitGraphFile(scratch["g"], .sha1) }
        }
    }

    @Test func refusesLayersThatDoNotBelongTogether() throws {
        let (scratch, _) = try repository(.sha1, split: true)
        let path = "w/.git/objects/info/commit-graphs/commit-graph-chain"
        let lines = String(decoding: try scratch.read(path), as: UTF8.self).split(separator: "\n")
        try #require(lines.count == 3)
        for chain in ["\(lines[1])\n", "\(lines[1])\n\(lines[0])\n\(lines[2])\n", "x\n"] {
            try scratch.write(Array(chain.utf8), to: path)
            expectStoreError(.corrupt) { try CommitGraph(in: scratch["w/.git/objects"], .sha1) }
            // The store goes on without.
            let objects = try ObjectDatabase(
                objectsDirectory: scratch["w/.git/objects"], format: .sha1)
            #expect(try objects.commitGraph() == nil)
        }
    }
}
