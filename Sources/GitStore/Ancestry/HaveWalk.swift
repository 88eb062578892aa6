package import GitCore

/// The commits that a fetch tells a server it has, newest first (gitprotocol-pack, "Packfile
/// Negotiation"). For one thread.
///
/// It begins at the tips of this side's refs. Of what the server is known to have, by what it showed of its
/// refs or acknowledged, the ancestors are not told: it has them too. When nothing else is left, it ends.
package struct HaveWalk: IteratorProtocol {
    private let ancestry: Ancestry
    /// What the server's refs hold.
    private let shown: Set<ObjectID>
    private let cancellation: CancellationFlag
    private var queue = CommitQueue()
    private var marks: [Int: Marks] = [:]
    /// Commits in the queue that the server is not known to have.
    private var openCount = 0
    /// What ended it early.
    private var failure: StoreError?

    private struct Marks: OptionSet {
        let rawValue: UInt8
        static let met = Marks(rawValue: 1)
        /// Out of the queue.
        static let passed = Marks(rawValue: 2)
        /// The server has it.
        static let common = Marks(rawValue: 4)
    }

    /// - Parameters:
    ///   - tips: what refs here hold, of any kind; all that they lead to is here.
    ///   - shown: what the server's refs hold.
    ///   - shallow: commits whose parents are not here.
    package init(
        _ database: ObjectDatabase, tips: [ObjectID], shown: Set<ObjectID>,
        shallow: Set<ObjectID>, cancellation: CancellationFlag
    ) throws(StoreError) {
        ancestry = try Ancestry(database, shallow: shallow, cancellation: cancellation)
        self.shown = shown
        self.cancellation = cancellation
        for oid in try ancestry.commits(behind: tips) {
            try meet(try ancestry.record(oid), isCommon: false)
        }
    }

    /// The next commit to tell of; nil after the last, and where the history cannot be read: see
    /// ``check()``.
    package mutating func next() -> ObjectID? {
        guard failure == nil else { return nil }
        do throws(StoreError) { return try advance() } catch {
            failure = error
            return nil
        }
    }

    /// - Throws: what made it end early, if anything did.
    package func check() throws(StoreError) {
        if let failure { throw failure }
    }

    /// The server has this commit, which it was told of, and so its ancestors.
    package mutating func acknowledge(_ oid: ObjectID) throws(StoreError) {
        try markCommon(try ancestry.record(oid))
    }

    private mutating func advance() throws(StoreError) -> ObjectID? {
        while openCount > 0, let record = queue.pop() {
            try cancellation.check()
            let isCommon = marks[record, default: []].contains(.common)
            marks[record, default: []].insert(.passed)
            let oid = ancestry.oid(record)
            if !isCommon { openCount -= 1 }
            let isShown = !isCommon && shown.contains(oid)
            if isShown { marks[record, default: []].insert(.common) }
            try meetParents(of: record, areCommon: isCommon || isShown)
            if !isCommon { return oid }
        }
        return nil
    }

    private mutating func meetParents(of record: Int, areCommon: Bool) throws(StoreError) {
        for parent in try ancestry.presentParents(of: record) {
            if areCommon { try markCommon(parent) } else { try meet(parent, isCommon: false) }
        }
    }

    private mutating func meet(_ record: Int, isCommon: Bool) throws(StoreError) {
        guard marks[record] == nil else { return }
        marks[record] = isCommon ? [.met, .common] : .met
        if !isCommon { openCount += 1 }
        queue.push(record, time: ancestry.time(record))
    }

    /// Marks a commit, and its ancestors as far as the walk has passed them; the rest are marked when it
    /// comes to them.
    private mutating func markCommon(_ record: Int) throws(StoreError) {
        var rest = [record]
        while let record = rest.popLast() {
            let known = marks[record] ?? []
            if known.contains(.common) { continue }
            guard known.contains(.met) else {
                try meet(record, isCommon: true)
                continue
            }
            marks[record] = known.union(.common)
            if known.contains(.passed) {
                rest += try ancestry.presentParents(of: record)
            } else {
                openCount -= 1
            }
        }
    }
}

extension Ancestry {
    /// The parents that are here: of a damaged history, a part may still be told.
    fileprivate func presentParents(of record: Int) throws(StoreError) -> [Int] {
        do throws(StoreError) { return try parents(of: record) } catch
            where error.code == .notFound
        {
            return []
        }
    }
}
