internal import GitCore

/// The commits that a walk has met, with what they point to: from the commit-graph where that has
/// them, else from the commits themselves.
struct CommitHistory {
    struct Record {
        /// The commit's number among the objects.
        let commit: Int
        /// The number of its tree.
        let tree: Int
        /// The committer's time, in seconds since 1970; 0 where that cannot be read.
        let time: UInt64
        /// Where its parents' numbers are in ``CommitHistory/parents``.
        let parents: Range<Int>
    }

    private(set) var records: [Record] = []
    /// Numbers among the objects.
    private(set) var parents: [Int] = []
    private let reader: WalkReader
    private let graphs: [CommitGraph]
    /// Commits whose parents are not gone to.
    private let shallow: Set<ObjectID>
    private var positions: [UInt32] = []

    init(
        _ reader: WalkReader, shallow: Set<ObjectID>, usesGraphs: Bool = true
    ) throws(StoreError) {
        self.reader = reader
        self.shallow = shallow
        var graphs: [CommitGraph] = []
        if usesGraphs, reader.database.settings.usesCommitGraph {
            for store in reader.database.stores {
                if let graph = try store.commitGraph() { graphs.append(graph) }
            }
        }
        self.graphs = graphs
    }

    /// The place in ``records`` of a commit, which is read if it was not yet.
    mutating func record(of number: Int) throws(StoreError) -> Int {
        let objects = reader.objects
        let known = objects.hints[number]
        if known > 0 { return Int(known) - 1 }
        let start = parents.count
        let (tree, time) = try links(of: number)
        if !shallow.isEmpty, shallow.contains(objects.oid(number)) {
            parents.removeSubrange(start...)
        }
        records.append(
            Record(commit: number, tree: tree, time: time, parents: start ..< parents.count))
        objects.hints[number] = UInt32(records.count)
        return records.count - 1
    }

    /// Appends a commit's parents; says its tree and its time.
    private mutating func links(
        of number: Int
    ) throws(StoreError) -> (tree: Int, time: UInt64) {
        if let links = try fromGraph(number) { return links }
        return try fromCommit(number)
    }

    private mutating func add(parent: ObjectID) throws(StoreError) {
        parents.append(try linked(parent, .commit))
    }

    /// The number of an object that must be of that kind, as far as is known.
    private func linked(_ oid: ObjectID, _ kind: ObjectKind) throws(StoreError) -> Int {
        let number = reader.objects.number(of: oid)
        if let known = reader.objects.kind(number) {
            if known != kind { throw reader.mismatch(number, known, kind) }
        } else {
            reader.objects.setKind(kind, number)
        }
        return number
    }

    private mutating func fromGraph(
        _ number: Int
    ) throws(StoreError) -> (tree: Int, time: UInt64)? {
        guard !graphs.isEmpty else { return nil }
        let oid = reader.objects.oid(number)
        for graph in graphs {
            guard let position = graph.position(of: oid) else { continue }
            positions.removeAll(keepingCapacity: true)
            guard let commit = try graph.commit(at: position, appendingParentsTo: &positions)
            else { continue }
            for position in positions {
                guard let parent = graph.oid(at: Int(position)) else {
                    throw StoreError(
                        .corrupt, "commit-graph: a parent of commit \(oid) is outside the graph")
                }
                try add(parent: parent)
            }
            return (try linked(commit.tree, .tree), commit.time)
        }
        return nil
    }

    private mutating func fromCommit(
        _ number: Int
    ) throws(StoreError) -> (tree: Int, time: UInt64) {
        let format = reader.objects.format
        let (links, time) = try reader.content(number, .commit) { bytes throws(ParseError) in
            (try CommitLinks(parsing: bytes.span, format), CommitTime.read(bytes.span))
        }
        for parent in links.parents { try add(parent: parent) }
        return (try linked(links.tree, .tree), time)
    }
}

/// The committer's time in a commit's content (Commit.swift has the layout).
private enum CommitTime {
    static func read(_ content: Span<UInt8>) -> UInt64 {
        var cursor = ByteCursor(content)
        do throws(ParseError) {
            while !cursor.skip("committer ") {
                // The headers end with an empty line.
                if try cursor.read(until: 0x0a).isEmpty { return 0 }
            }
            let line = try cursor.read(until: 0x0a)
            var start = line.count
            while start > 0, line[start - 1] != UInt8(ascii: ">") { start -= 1 }
            return start == 0 ? 0 : number(line.extracting(start...))
        } catch { return 0 }
    }

    /// What decimal digits after spaces spell; 0 where that is too much.
    private static func number(_ text: Span<UInt8>) -> UInt64 {
        var value: UInt64 = 0
        var hasBegun = false
        for index in text.indices {
            let byte = text[index]
            if byte == 0x20, !hasBegun { continue }
            guard byte &- 0x30 < 10 else { break }
            hasBegun = true
            guard value < .max / 20 else { return 0 }
            value = value * 10 + UInt64(byte &- 0x30)
        }
        return value
    }
}
