internal import GitCore

/// What some objects lead to, as bits of a ``BitmapIndex`` where it has them, else as numbers.
///
/// Commits are gone through until one has a bitmap; then the trees of those between are, as far as no
/// bitmap has them.
final class BitmapReach {
    /// The objects of the index.
    private(set) var bits: Bitmap
    /// The others.
    private(set) var others: [Int] = []

    private let selection: PackSelection
    private let index: BitmapIndex
    private let history: BitmapHistory
    /// What is left out, and that all that it leads to is, too; nil for what is found of the receiver's.
    private let excluded: BitmapReach?
    private var roots: [Int] = []

    init(_ selection: PackSelection, _ history: BitmapHistory, excluding excluded: BitmapReach?) {
        self.selection = selection
        self.history = history
        self.excluded = excluded
        index = history.index
        bits = Bitmap(count: history.index.count)
    }

    private var objects: ReachedObjects { selection.objects }
    private var isReceived: Bool { excluded == nil }
    private var mark: ReachedMarks { isReceived ? .uninteresting : .met }

    /// Whether the object is among them by now.
    func holds(_ number: Int) -> Bool {
        if let bit = history.bit(number) { return bits.contains(bit) }
        return objects.has(mark, number)
    }

    private func isCovered(_ number: Int) -> Bool {
        holds(number) || excluded?.holds(number) ?? false
    }

    private func add(_ number: Int) {
        if let bit = history.bit(number) { return bits.insert(bit) }
        objects.set(mark, number)
        others.append(number)
    }

    /// Finds what `tips` lead to, themselves included; their kinds are known.
    func run(_ tips: [Int]) throws(StoreError) {
        var commits: [Int] = []
        var trees: [Int] = []
        for tip in tips {
            switch objects.kind(tip) {
            case .commit: commits.append(tip)
            case .tree: trees.append(tip)
            case .blob, .tag, nil: if !isCovered(tip) { add(tip) }
            }
        }
        try addCommits(commits)
        selection.links.begin(
            round: isReceived ? PackSelection.excluding : PackSelection.including)
        // The newest first: of the others, more is known then.
        for tree in roots + trees where !isCovered(tree) {
            add(tree)
            try follow(tree)
        }
    }

    // MARK: Commits

    private func addCommits(_ tips: [Int]) throws(StoreError) {
        // The first bits are those of the newest commits: many others are found by these.
        let sorted = tips.sorted { (history.bit($0) ?? -1) < (history.bit($1) ?? -1) }
        var rest: [Int] = []
        for tip in sorted where try !addBitmap(tip) { rest.append(tip) }
        rest.reverse()
        while let commit = rest.popLast() {
            try selection.cancellation.check()
            if isCovered(commit) { continue }
            if try addBitmap(commit) { continue }
            do throws(StoreError) {
                let record = try history.record(commit)
                add(commit)
                roots.append(record.tree)
                rest += record.parents.reversed()
            } catch  where error.code == .notFound && isReceived {
                // The receiver may have what is not here any more.
                add(commit)
            }
        }
    }

    /// Adds all that a commit reaches if there is a bitmap of that.
    private func addBitmap(_ commit: Int) throws(StoreError) -> Bool {
        guard let bit = history.bit(commit) else { return false }
        if bits.contains(bit) || excluded?.bits.contains(bit) ?? false { return true }
        guard let reached = try index.reached(bit: bit) else { return false }
        guard reached.contains(bit) else {
            throw StoreError(
                .corrupt, "bitmap of commit \(index.oid(bit: bit)) does not have it")
        }
        bits.formUnion(reached)
        return true
    }

    // MARK: Trees

    private func follow(_ root: Int) throws(StoreError) {
        var trees = [root]
        while let tree = trees.popLast() {
            try selection.cancellation.check()
            let path = PathHash(ofDirectory: objects.hints[tree])
            var fault: Int?
            do throws(StoreError) {
                try selection.links.forEach(tree) { link in
                    let number = objects.number(of: link.id)
                    if isCovered(number) { return }
                    if !selection.note(link, number, path) { fault = number }
                    add(number)
                    if link.isTree { trees.append(number) }
                }
            } catch  where error.code == .notFound && isReceived {
                continue
            }
            if let fault, !isReceived { throw selection.wrongKind(fault, in: tree) }
        }
    }
}

/// Commits and bits of the numbered objects of a walk with bitmaps.
final class BitmapHistory {
    let index: BitmapIndex
    private let objects: ReachedObjects
    private var commits: CommitHistory
    /// By number: 0 where nobody looked, 1 for none, else the bit and two.
    private var known: [UInt32] = []

    init(_ index: BitmapIndex, _ reader: WalkReader) throws(StoreError) {
        self.index = index
        objects = reader.objects
        commits = try CommitHistory(reader, shallow: [])
    }

    /// The bit of an object; nil where the index does not have it.
    func bit(_ number: Int) -> Int? {
        while known.count <= number {
            known += Array(repeating: 0, count: max(1_024, known.count))
        }
        if known[number] == 0 {
            known[number] =
                index.bit(of: objects.oid(number)).map { UInt32(truncatingIfNeeded: $0 + 2) } ?? 1
        }
        return known[number] == 1 ? nil : Int(known[number]) - 2
    }

    func record(_ number: Int) throws(StoreError) -> (tree: Int, parents: [Int]) {
        let place = try commits.record(of: number)
        let record = commits.records[place]
        return (record.tree, record.parents.map { commits.parents[$0] })
    }
}
