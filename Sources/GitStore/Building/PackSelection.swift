internal import GitCore

/// Chooses the objects of a pack: what the wants reach and the haves do not.
///
/// What the receiver has is known by its commits, and by the trees of those that are parents of
/// commits in the pack: whatever these hold is not sent again.
final class PackSelection {
    let request: PackRequest
    let objects: ReachedObjects
    let reader: WalkReader
    /// The numbers of the objects of the pack, in the order in which they were met.
    private(set) var chosen: [UInt32] = []
    /// Blobs of ``PackRequest/elsewhere`` that would be in the pack.
    var leftOut: Set<ObjectID> = []
    /// A part of a pack that goes into the pack, too.
    var share: PackShare?
    /// Trees and blobs that the receiver has.
    var received: [UInt32] = []
    /// Says of objects without a number whether the receiver has them.
    var hasReceived: (ObjectID) -> Bool = { _ in false }

    /// Larger deltas on what the receiver has, in bytes, are not used as they are: better ones are looked
    /// for.
    var largestDeltaOnReceived: UInt64 {
        count <= Self.smallAnswer ? Self.smallDelta : .max
    }

    /// Of all that the receiver has, what a delta is on may be far off. To look for better ones takes longer
    /// than all else, so it is done for small answers only, with so many objects.
    private static let smallAnswer = 1_000
    /// Bytes of a delta that is good enough.
    private static let smallDelta: UInt64 = 2_000

    private var commits: CommitWalk
    private var openLinks: TreeLinks?
    /// Made when they are needed, and given back by ``rest()``: they hold many trees.
    var links: TreeLinks {
        if let openLinks { return openLinks }
        let links = TreeLinks(reader)
        openLinks = links
        return links
    }
    let progress: PackBuildProgress
    let cancellation: CancellationFlag
    private var excludedTrees: [Int] = []
    private var excludedCommits: [Int] = []
    private var givenTrees: [Int] = []
    private var givenBlobs: [Int] = []
    /// Blobs whose sizes decide.
    private var sized: [UInt32] = []

    static let excluding: UInt8 = 0
    static let including: UInt8 = 1

    init(
        _ request: PackRequest, _ database: ObjectDatabase, _ progress: PackBuildProgress,
        _ cancellation: CancellationFlag
    ) throws(StoreError) {
        self.request = request
        self.progress = progress
        self.cancellation = cancellation
        objects = ReachedObjects(database.format)
        reader = try WalkReader(database, objects)
        commits = CommitWalk(
            try CommitHistory(reader, shallow: request.shallow), objects, cancellation)
    }

    /// - Throws: ``StoreError/Code/notFound`` where an object is missing that belongs into the pack.
    func run() throws(StoreError) {
        for oid in request.haves { try exclude(oid) }
        for oid in request.wants { try include(oid) }
        let found = try commits.run()
        try excludeTrees(around: found)
        let records = found.filter {
            !objects.has(.uninteresting, commits.history.records[$0].commit)
        }
        for record in records {
            let commit = commits.history.records[record].commit
            if objects.has(.given, commit) || request.filter.kinds.contains(.commit) {
                choose(commit)
            }
        }
        try includeTrees(of: records)
        for blob in givenBlobs where !objects.has(.uninteresting, blob) { choose(blob) }
        try chooseSized()
        try leaveOutElsewhere()
        try chooseTags { objects.has(.chosen, $0) }
        try finish()
    }

    /// The commits that were met by the walk.
    var history: CommitHistory { commits.history }

    /// Gives back what only the choice of the objects needs.
    func rest() {
        openLinks = nil
        reader.rest()
    }

    /// How many objects go into the pack.
    var count: Int { chosen.count + (share?.count ?? 0) }

    /// Whether an object goes into the pack.
    func holds(_ oid: ObjectID) -> Bool {
        if let number = objects.find(oid), objects.has(.chosen, number) { return true }
        return share?.holds(oid) ?? false
    }

    /// Leaves out what `body` says no to.
    func keepOnly(_ body: (Int) throws(StoreError) -> Bool) throws(StoreError) {
        var kept: [UInt32] = []
        for number in chosen {
            if try body(Int(number)) {
                kept.append(number)
            } else {
                objects.clear(.chosen, Int(number))
            }
        }
        chosen = kept
        try finish()
    }

    func finish() throws(StoreError) {
        try objects.check()
        progress.setEnumerated(count)
        progress.setTotal(count)
    }

    func choose(_ number: Int) {
        guard !objects.has(.chosen, number) else { return }
        objects.set(.chosen, number)
        chosen.append(UInt32(truncatingIfNeeded: number))
    }

    // MARK: Where it begins

    private func exclude(_ oid: ObjectID) throws(StoreError) {
        try forEachTag(from: oid) { number, kind throws(StoreError) in
            objects.set(.uninteresting, number)
            switch kind {
            case .commit:
                excludedCommits.append(number)
                try commits.begin(at: number)
            case .tree: excludedTrees.append(number)
            case .blob, .tag: break
            }
        }
    }

    private func include(_ oid: ObjectID) throws(StoreError) {
        try forEachTag(from: oid) { number, kind throws(StoreError) in
            if objects.has(.uninteresting, number) { return }
            objects.set(.given, number)
            switch kind {
            case .commit: try commits.begin(at: number)
            case .tree: givenTrees.append(number)
            case .blob: givenBlobs.append(number)
            case .tag: choose(number)
            }
        }
    }

    /// Gives `body` the object, and if it is a tag, those behind it up to the first that is none.
    func forEachTag(
        from oid: ObjectID, _ body: (Int, ObjectKind) throws(StoreError) -> Void
    ) throws(StoreError) {
        var number = objects.number(of: oid)
        for _ in 0 ... Self.mostTags {
            let kind = try reader.header(number).kind
            if let known = objects.kind(number), known != kind {
                throw reader.mismatch(number, kind, known)
            }
            objects.setKind(kind, number)
            try body(number, kind)
            guard kind == .tag else { return }
            number = objects.number(of: try target(of: number))
        }
        throw StoreError(.limit, "more than \(Self.mostTags) tags one behind the other")
    }

    private static let mostTags = 1_000

    private func target(of tag: Int) throws(StoreError) -> ObjectID {
        let format = objects.format
        return try reader.content(tag, .tag) { bytes throws(ParseError) in
            try TagLinks(parsing: bytes.span, format).target
        }
    }

    /// Tags of what is in the pack.
    func chooseTags(_ isChosen: (Int) throws(StoreError) -> Bool) throws(StoreError) {
        for oid in request.tags {
            var tags: [Int] = []
            var last: Int?
            try forEachTag(from: oid) { number, kind throws(StoreError) in
                if kind == .tag { tags.append(number) } else { last = number }
            }
            guard let last, try isChosen(last) else { continue }
            for tag in tags where try !isChosen(tag) { choose(tag) }
        }
    }

    // MARK: What the receiver has

    /// - Parameter found: records of commits that were met before it was known what the receiver has.
    private func excludeTrees(around found: [Int]) throws(StoreError) {
        links.begin(round: Self.excluding)
        let history = commits.history
        for record in found {
            let commit = history.records[record].commit
            if objects.has(.uninteresting, commit) {
                excludeTree(ofCommit: commit)
                continue
            }
            for place in history.records[record].parents {
                let parent = history.parents[place]
                if objects.has(.uninteresting, parent) { excludeTree(ofCommit: parent) }
            }
        }
        if request.looksThroughHaves {
            for commit in excludedCommits { excludeTree(ofCommit: commit) }
        }
        while let tree = excludedTrees.popLast() {
            try cancellation.check()
            do throws(StoreError) { try excludeLinks(of: tree) } catch
                where error.code == .notFound
            {
                // The receiver may have what is not here any more.
            }
        }
    }

    private func excludeTree(ofCommit commit: Int) {
        // One that is missing has no record.
        guard objects.hints[commit] > 0 else { return }
        let tree = commits.history.records[Int(objects.hints[commit]) - 1].tree
        guard !objects.has(.uninteresting, tree) else { return }
        objects.set(.uninteresting, tree)
        received.append(UInt32(truncatingIfNeeded: tree))
        excludedTrees.append(tree)
    }

    private func excludeLinks(of tree: Int) throws(StoreError) {
        let path = PathHash(ofDirectory: objects.hints[tree])
        try links.forEach(tree) { link in
            let number = objects.number(of: link.id)
            guard !objects.has(.uninteresting, number) else { return }
            objects.set(.uninteresting, number)
            if objects.kind(number) == nil {
                objects.setKind(link.isTree ? .tree : .blob, number)
                objects.hints[number] = path.appending(link.name)
            }
            received.append(UInt32(truncatingIfNeeded: number))
            if link.isTree { excludedTrees.append(number) }
        }
    }

    // MARK: Trees

    private func includeTrees(of records: [Int]) throws(StoreError) {
        links.begin(round: Self.including)
        let filter = request.filter
        let walk = SparseWalk(self)
        let trees = TreeSelection(self)
        let isWanted = filter.depth > 0 && !filter.kinds.isDisjoint(with: [.tree, .blob])
        if isWanted {
            let roots = records.map { commits.history.records[$0].tree }
                .filter { !objects.has(.uninteresting, $0) }
            if !filter.sparse.isEmpty {
                for root in roots { try walk.include(root: root) }
            } else if filter.depth == .max {
                try trees.includeAll(under: roots)
            } else {
                for root in roots { try trees.includeSome(under: root, at: 0) }
            }
        }
        for tree in givenTrees where !objects.has(.uninteresting, tree) {
            choose(tree)
            if !filter.sparse.isEmpty {
                try walk.include(given: tree)
            } else if filter.depth == .max {
                try trees.includeAll(under: [tree])
            } else {
                try trees.includeChildren(of: tree, at: 0)
            }
        }
    }

    /// Writes down what an entry says of an object; false where another said that it is of another
    /// kind.
    func note(_ link: TreeLink, _ number: Int, _ path: PathHash) -> Bool {
        let kind: ObjectKind = link.isTree ? .tree : .blob
        if let known = objects.kind(number) { return known == kind }
        objects.setKind(kind, number)
        objects.hints[number] = path.appending(link.name)
        return true
    }

    func wrongKind(_ number: Int, in tree: Int) -> StoreError {
        StoreError(
            .corrupt,
            "tree \(objects.oid(tree)) has object \(objects.oid(number)) as one of another kind")
    }

    func takeBlob(_ number: Int) {
        let filter = request.filter
        guard filter.kinds.contains(.blob), filter.blobLimit > 0 else { return }
        if filter.blobLimit == .max {
            choose(number)
        } else {
            sized.append(UInt32(truncatingIfNeeded: number))
        }
    }

    func chooseSized() throws(StoreError) {
        for number in sized where !objects.has(.chosen, Int(number)) {
            try cancellation.check()
            if try reader.header(Int(number)).size < request.filter.blobLimit {
                choose(Int(number))
            }
        }
    }
}
