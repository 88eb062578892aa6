public import GitCore

extension Repository {
    /// Whether the commit `old` is `new` or among its ancestors: whether a ref at `old` goes forward
    /// when it is set to `new`.
    ///
    /// - Parameter database: where the commits are, if not all are in the repository.
    /// - Throws: ``StoreError/Code/corrupt`` where one of the two is no commit;
    ///   ``StoreError/Code/notFound``.
    public func isAncestor(
        _ old: ObjectID, of new: ObjectID, in database: ObjectDatabase? = nil
    ) throws(StoreError) -> Bool {
        var search = try AncestorSearch(database ?? objects, shallow: try shallowCommits())
        return try search.run(old, new)
    }
}

/// Looks for a commit among the ancestors of another.
///
/// Both and their ancestors are gone through, newest first, each marked by which of the two it was come
/// to from. Behind what both lead to nothing is to be found, so that a search without success goes little
/// further back than where the two part; whatever the clocks said, it ends only when all that is left is
/// behind such a commit.
private struct AncestorSearch {
    private struct Marks: OptionSet {
        let rawValue: UInt8
        static let old = Marks(rawValue: 1)
        static let new = Marks(rawValue: 2)
        static let both: Marks = [.old, .new]
    }

    private let objects: ReachedObjects
    private var history: CommitHistory
    /// By record.
    private var marks: [Marks] = []
    /// A heap: the newest is first.
    private var queue: [(time: UInt64, record: Int)] = []
    /// Elements of the queue that were pushed with one mark only.
    private var openCount = 0
    private var isOpen: [Bool] = []

    init(_ database: ObjectDatabase, shallow: Set<ObjectID>) throws(StoreError) {
        objects = ReachedObjects(database.format)
        history = try CommitHistory(try WalkReader(database, objects), shallow: shallow)
    }

    mutating func run(_ old: ObjectID, _ new: ObjectID) throws(StoreError) -> Bool {
        if old == new { return true }
        let target = try history.record(of: objects.number(of: old))
        try meet(objects.number(of: old), .old)
        try meet(objects.number(of: new), .new)
        while openCount > 0, let record = pop() {
            let commit = history.records[record]
            for place in commit.parents { try meet(history.parents[place], marks[record]) }
            if marks[target] == .both { return true }
            try objects.check()
        }
        return marks[target] == .both
    }

    private mutating func meet(_ number: Int, _ new: Marks) throws(StoreError) {
        let record = try history.record(of: number)
        while marks.count <= record {
            marks.append([])
            isOpen.append(false)
        }
        guard !marks[record].isSuperset(of: new) else { return }
        marks[record].formUnion(new)
        setOpen(record, marks[record] != .both)
        push(record, history.records[record].time)
    }

    private mutating func setOpen(_ record: Int, _ value: Bool) {
        if isOpen[record] != value { openCount += value ? 1 : -1 }
        isOpen[record] = value
    }

    private mutating func push(_ record: Int, _ time: UInt64) {
        queue.append((time, record))
        var place = queue.count - 1
        while place > 0, queue[(place - 1) / 2].time < time {
            queue.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private mutating func pop() -> Int? {
        guard let first = queue.first, let last = queue.popLast() else { return nil }
        if !queue.isEmpty {
            queue[0] = last
            var place = 0
            while true {
                var child = place * 2 + 1
                guard child < queue.count else { break }
                if child + 1 < queue.count, queue[child + 1].time > queue[child].time { child += 1 }
                guard queue[child].time > queue[place].time else { break }
                queue.swapAt(place, child)
                place = child
            }
        }
        setOpen(first.record, false)
        return first.record
    }
}
