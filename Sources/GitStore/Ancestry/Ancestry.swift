package import GitCore

/// Questions on what commits descend from. For one thread.
package final class Ancestry {
    private let objects: ReachedObjects
    private var history: CommitHistory
    private let database: ObjectDatabase
    private let cancellation: CancellationFlag

    /// - Parameter shallow: commits whose parents are not gone to.
    package init(
        _ database: ObjectDatabase, shallow: Set<ObjectID> = [],
        cancellation: CancellationFlag = CancellationFlag()
    ) throws(StoreError) {
        self.database = database
        self.cancellation = cancellation
        objects = ReachedObjects(database.format)
        history = try CommitHistory(try WalkReader(database, objects), shallow: shallow)
    }

    /// The commits that `oids` are, or that they lead to through tags; those that lead to none, or to one
    /// that is not here, are left out.
    package func commits(behind oids: [ObjectID]) throws(StoreError) -> [ObjectID] {
        var commits: [ObjectID] = []
        for oid in oids {
            do throws(StoreError) {
                let peeled = try database.peeled(oid)
                if try database.header(peeled).kind == .commit { commits.append(peeled) }
            } catch  where error.code == .notFound { continue }
        }
        return commits
    }

    /// Whether each of `descendants` reaches any of `ancestors`, all of them commits. Commits older than
    /// all ancestors are not looked at: where a clock was wrong the answer may be no, never a wrong yes.
    package func each(
        of descendants: [ObjectID], reachesAny ancestors: [ObjectID]
    ) throws(StoreError) -> Bool {
        let targets = try ancestors.map { oid throws(StoreError) in try record(oid) }
        let oldest = targets.map { history.records[$0].time }.min() ?? .max
        let starts = try descendants.map { oid throws(StoreError) in try record(oid) }
        var children: [Int: [Int]] = [:]
        var met = Set(starts)
        var rest = starts
        while let record = rest.popLast() {
            try cancellation.check()
            guard history.records[record].time >= oldest else { continue }
            for parent in try parents(of: record) {
                children[parent, default: []].append(record)
                if met.insert(parent).inserted { rest.append(parent) }
            }
        }
        var reaching = Set(targets)
        rest = targets
        while let record = rest.popLast() {
            for child in children[record] ?? [] where reaching.insert(child).inserted {
                rest.append(child)
            }
        }
        return starts.allSatisfy(reaching.contains)
    }

    /// Those of `wanted` that `tips` reach, all of them commits.
    package func reached(
        _ wanted: [ObjectID], from tips: [ObjectID]
    ) throws(StoreError) -> Set<ObjectID> {
        var missing = Set(try wanted.map { oid throws(StoreError) in try record(oid) })
        var found: Set<ObjectID> = []
        try walk(from: tips) { record, _ in
            if missing.remove(record) != nil {
                found.insert(objects.oid(history.records[record].commit))
            }
            return missing.isEmpty ? .stop : .descend
        }
        return found
    }

    // MARK: Walking

    enum Step { case descend, pass, stop }

    /// Calls `body` with each commit that `tips` lead to, once, with the number of steps on the shortest way
    /// to it; level by level.
    func walk(
        from tips: [ObjectID], _ body: (_ record: Int, _ depth: Int) throws(StoreError) -> Step
    ) throws(StoreError) {
        var level: [Int] = []
        var met: Set<Int> = []
        for tip in tips {
            let record = try record(tip)
            if met.insert(record).inserted { level.append(record) }
        }
        var depth = 0
        while !level.isEmpty {
            var next: [Int] = []
            for record in level {
                try cancellation.check()
                switch try body(record, depth) {
                case .stop: return
                case .pass: continue
                case .descend: break
                }
                for parent in try parents(of: record) where met.insert(parent).inserted {
                    next.append(parent)
                }
            }
            level = next
            depth += 1
        }
    }

    func record(_ oid: ObjectID) throws(StoreError) -> Int {
        let number = objects.number(of: oid)
        try objects.check()
        return try history.record(of: number)
    }

    func oid(_ record: Int) -> ObjectID { objects.oid(history.records[record].commit) }

    func time(_ record: Int) -> UInt64 { history.records[record].time }

    func parents(of record: Int) throws(StoreError) -> [Int] {
        let numbers = history.records[record].parents.map { history.parents[$0] }
        return try numbers.map { number throws(StoreError) in try history.record(of: number) }
    }

    func hasParents(_ record: Int) -> Bool { !history.records[record].parents.isEmpty }
}
