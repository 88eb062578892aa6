internal import GitCore

/// Holds a commit-graph against the commits (git-commit-graph, "verify").
struct CommitGraphCheck {
    private let database: ObjectDatabase
    private let graph: CommitGraph
    private let report: (String) -> Void
    private let history: (reader: WalkReader, objects: ReachedObjects)

    private init(
        _ database: ObjectDatabase, _ graph: CommitGraph, _ report: @escaping (String) -> Void
    ) throws(StoreError) {
        self.database = database
        self.graph = graph
        self.report = report
        let objects = ReachedObjects(database.format)
        history = (try WalkReader(database, objects), objects)
    }

    /// Tells of each fault.
    ///
    /// - Throws: ``StoreError/Code/corrupt`` where there is a graph that cannot be read.
    static func run(
        _ database: ObjectDatabase, isShallow: Bool, _ report: @escaping (String) -> Void
    ) throws(StoreError) {
        guard let graph = try CommitGraph(in: database.directory, database.format) else { return }
        let check = try CommitGraphCheck(database, graph, report)
        for number in graph.layers.indices.reversed() {
            try check.run(layer: number)
            if isShallow { break }
        }
    }

    private func run(layer number: Int) throws(StoreError) {
        let layer = graph.layers[number]
        if !layer.hasRightChecksum {
            report("the commit-graph file has incorrect checksum and is likely corrupt")
        }
        if let row = layer.oids.firstFault() {
            report("commit-graph has incorrect OID order: \(layer.oids.oid(row: row))")
            return
        }
        var commits = try CommitHistory(history.reader, shallow: [], usesGraphs: false)
        var zeros: (some: Bool, others: Bool) = (false, false)
        for row in 0 ..< layer.oids.count {
            let oid = layer.oids.oid(row: row)
            let stored: CommitHistory.Record
            do throws(StoreError) {
                let place = try commits.record(of: history.objects.number(of: oid))
                stored = commits.records[place]
            } catch {
                report(
                    "failed to parse commit \(oid) from object database for commit-graph")
                continue
            }
            let parents = stored.parents.map { history.objects.oid(commits.parents[$0]) }
            let position = graph.starts[number] + row
            do throws(StoreError) {
                try compare(
                    oid, position, tree: history.objects.oid(stored.tree), parents, stored.time,
                    &zeros)
            } catch  where error.code == .corrupt {
                report("failed to parse commit \(oid) from commit-graph")
            }
        }
    }

    private func compare(
        _ oid: ObjectID, _ position: Int, tree: ObjectID, _ parents: [ObjectID], _ time: UInt64,
        _ zeros: inout (some: Bool, others: Bool)
    ) throws(StoreError) {
        var positions: [UInt32] = []
        guard let found = try graph.commit(at: position, appendingParentsTo: &positions) else {
            return
        }
        if found.tree != tree {
            report("root tree OID for commit \(oid) in commit-graph is \(found.tree) != \(tree)")
        }
        var highest: UInt64 = 0
        for (place, parent) in positions.enumerated() {
            guard place < parents.count else {
                report("commit-graph parent list for commit \(oid) is too long")
                break
            }
            guard let id = graph.oid(at: Int(parent)) else {
                report("invalid parent position \(parent)")
                return
            }
            if id != parents[place] {
                report("commit-graph parent for \(oid) is \(id) != \(parents[place])")
            }
            highest = max(highest, try generation(Int(parent)))
        }
        if positions.count < parents.count {
            report("commit-graph parent list for commit \(oid) terminates early")
        }
        let generation = try generation(position)
        if generation == 0 { zeros.some = true } else { zeros.others = true }
        if zeros.some, zeros.others {
            report(
                "commit-graph has generation number zero for commit \(oid), but non-zero elsewhere")
        } else if !zeros.some, generation < highest + 1, generation < Self.highestLevel {
            report("commit-graph generation for commit \(oid) is \(generation) < \(highest + 1)")
        }
        if found.time != time & (1 << 34 - 1) {
            report(
                "commit date for commit \(oid) in commit-graph is \(found.time) != \(time)")
        }
    }

    private static let highestLevel: UInt64 = 0x3fff_ffff

    /// The corrected time where all layers have it, else the level.
    private func generation(_ position: Int) throws(StoreError) -> UInt64 {
        guard let (number, row) = graph.place(position) else { return 0 }
        let layer = graph.layers[number]
        guard graph.layers.allSatisfy(\.hasCorrectedTimes) else {
            return UInt64(layer.level(row: row))
        }
        var parents: [UInt32] = []
        let time = try layer.commit(row: row, appendingParentsTo: &parents).time
        return time &+ (try layer.correction(row: row) ?? 0)
    }
}

extension ObjectDatabase {
    /// Holds the commit-graph of this store against the commits; tells of each fault in a line.
    ///
    /// - Parameter isShallow: whether of several layers only the last is looked at.
    /// - Throws: ``StoreError/Code/corrupt`` where there is a graph that cannot be read.
    public func checkCommitGraph(
        isShallow: Bool = false, reporting report: @escaping (String) -> Void
    ) throws(StoreError) {
        try CommitGraphCheck.run(self, isShallow: isShallow, report)
    }
}
