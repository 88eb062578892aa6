internal import GitCore

/// Walks through trees, and has a selection choose what they hold.
final class TreeSelection {
    private let selection: PackSelection
    private let filter: ObjectFilter
    /// How near to a commit each tree was found, by its number.
    private var treeDepths: [UInt32] = []
    private var objects: ReachedObjects { selection.objects }

    init(_ selection: PackSelection) {
        self.selection = selection
        filter = selection.request.filter
    }

    // MARK: All of them

    func includeAll(under roots: [Int]) throws(StoreError) {
        for root in roots where !objects.has(.met, root) {
            objects.set(.met, root)
            if filter.kinds.contains(.tree) { selection.choose(root) }
        }
        for root in roots {
            var trees = [root]
            while let tree = trees.popLast() {
                if objects.has(.followed, tree) { continue }
                try selection.cancellation.check()
                if let base = try baseToFollow(before: tree) {
                    trees += [tree, base]
                } else {
                    try follow(tree, &trees)
                }
            }
            selection.progress.setEnumerated(selection.chosen.count)
        }
        try objects.check()
    }

    /// A tree that this one is a delta on, and that waits to be followed, too.
    private func baseToFollow(before tree: Int) throws(StoreError) -> Int? {
        guard let oid = try selection.links.unfollowedBase(of: tree), let base = objects.find(oid),
            objects.has(.met, base), !objects.has(.followed, base), !objects.has(.waits, tree)
        else { return nil }
        objects.set(.waits, tree)
        return base
    }

    /// Goes over the entries of a tree; the trees in it that were not met wait in `trees`.
    private func follow(_ tree: Int, _ trees: inout [Int]) throws(StoreError) {
        objects.set(.followed, tree)
        let takesTrees = filter.kinds.contains(.tree)
        let path = PathHash(ofDirectory: objects.hints[tree])
        var fault: Int?
        var found: [Int] = []
        try selection.links.forEach(tree) { link in
            let number = objects.number(of: link.id)
            let marks = objects.marks[number]
            guard marks.isDisjoint(with: [.met, .uninteresting]) else { return }
            if !selection.note(link, number, path) { fault = number }
            objects.set(.met, number)
            if !link.isTree { return selection.takeBlob(number) }
            if takesTrees { selection.choose(number) }
            found.append(number)
        }
        if let fault { throw selection.wrongKind(fault, in: tree) }
        trees += found
    }

    // MARK: Trees, to a depth

    /// A tree is gone through again when it is found nearer to a commit than before.
    func includeSome(under root: Int, at depth: UInt64) throws(StoreError) {
        guard visit(root, at: depth) else { return }
        try includeChildren(of: root, at: depth + 1)
    }

    func includeChildren(of root: Int, at depth: UInt64) throws(StoreError) {
        var trees = [(number: root, depth: depth)]
        var fault: Int?
        while let (tree, depth) = trees.popLast() {
            guard depth < filter.depth else { continue }
            try selection.cancellation.check()
            let path = PathHash(ofDirectory: objects.hints[tree])
            try selection.links.forEach(tree, all: true) { link in
                let number = objects.number(of: link.id)
                guard !objects.has(.uninteresting, number) else { return }
                if !selection.note(link, number, path) { fault = number }
                if !link.isTree {
                    if !objects.has(.met, number) { selection.takeBlob(number) }
                    objects.set(.met, number)
                } else if visit(number, at: depth) {
                    trees.append((number, depth + 1))
                }
            }
            if let fault { throw selection.wrongKind(fault, in: tree) }
        }
    }

    /// Says whether the tree's entries are to be gone through from this depth.
    private func visit(_ tree: Int, at depth: UInt64) -> Bool {
        if treeDepths.count < objects.count {
            let missing = objects.count - treeDepths.count
            treeDepths += Array(repeating: .max, count: max(missing, treeDepths.count))
        }
        guard depth < UInt64(treeDepths[tree]) else { return false }
        treeDepths[tree] = UInt32(clamping: depth)
        if filter.kinds.contains(.tree) { selection.choose(tree) }
        return true
    }
}
