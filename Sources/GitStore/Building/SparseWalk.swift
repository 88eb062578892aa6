internal import GitCore

/// Chooses trees, and those blobs that a filter's sparse patterns hold at one of their paths, at least.
///
/// A tree is gone through once for each kind of directory that it is seen as, see ``SparseMatcher``, and
/// again when it is found nearer to a commit than before.
final class SparseWalk {
    private let selection: PackSelection
    private let filter: ObjectFilter
    private let matcher: SparseMatcher
    /// The least depth at which each tree, in the upper half, was gone through as a directory.
    private var visits: [UInt64: UInt64] = [:]
    private lazy var rootDirectory = matcher.top(isNamed: true)
    private lazy var givenDirectory = matcher.top(isNamed: false)
    private var objects: ReachedObjects { selection.objects }

    private typealias Visit = (tree: Int, directory: UInt32, depth: UInt64)

    /// How often the trees may be gone through, on average of all objects and so many more.
    private static let mostVisitsOfEach = 16
    private static let moreVisits = 1 << 16

    init(_ selection: PackSelection) {
        self.selection = selection
        filter = selection.request.filter
        matcher = SparseMatcher(filter.sparse)
    }

    func include(root: Int) throws(StoreError) {
        let visit = (root, rootDirectory, UInt64(0))
        guard isNew(visit) else { return }
        choose(root)
        try includeChildren(of: visit, at: 1)
    }

    /// What is below a tree that somebody asked for by its id.
    func include(given tree: Int) throws(StoreError) {
        try includeChildren(of: (tree, givenDirectory, 0), at: 0)
    }

    private func choose(_ tree: Int) {
        if filter.kinds.contains(.tree) { selection.choose(tree) }
    }

    private func isNew(_ visit: Visit) -> Bool {
        let key = UInt64(visit.tree) << 32 | UInt64(visit.directory)
        guard visit.depth < visits[key] ?? .max else { return false }
        // Nothing depends on it where any depth will do.
        visits[key] = filter.depth == .max ? 0 : visit.depth
        return true
    }

    private func includeChildren(of top: Visit, at depth: UInt64) throws(StoreError) {
        var waiting = [(tree: top.tree, directory: top.directory, depth: depth)]
        while let visit = waiting.popLast() {
            guard visit.depth < filter.depth else { continue }
            try selection.cancellation.check()
            try follow(visit, &waiting)
            try check()
        }
    }

    /// Goes over the entries of a tree, which are at the visit's depth.
    private func follow(_ visit: Visit, _ waiting: inout [Visit]) throws(StoreError) {
        let path = PathHash(ofDirectory: objects.hints[visit.tree])
        var fault: Int?
        try selection.links.forEach(visit.tree, all: true) { link in
            let number = objects.number(of: link.id)
            guard !objects.has(.uninteresting, number) else { return }
            if !selection.note(link, number, path) { fault = number }
            if !link.isTree {
                guard !objects.has(.met, number),
                    matcher.holds(link.name, in: visit.directory)
                else { return }
                objects.set(.met, number)
                return selection.takeBlob(number)
            }
            let next = (
                number, matcher.directory(link.name, in: visit.directory), visit.depth
            )
            guard isNew(next) else { return }
            choose(number)
            waiting.append((number, next.1, visit.depth + 1))
        }
        if let fault { throw selection.wrongKind(fault, in: visit.tree) }
    }

    private func check() throws(StoreError) {
        try objects.check()
        guard !matcher.isExhausted,
            visits.count / Self.mostVisitsOfEach <= objects.count + Self.moreVisits
        else {
            throw StoreError(.unsupported, "sparse patterns that tell too many directories apart")
        }
    }
}
