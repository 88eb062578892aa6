internal import GitCore

/// Finds what commits reach, as bitmaps, from a walk that met all of it.
///
/// Of each commit only the trees are gone through that no bitmap has yet, beside those of a parent:
/// where both have the same entry, nothing is looked up.
final class BitmapBuilder {
    /// The bits that numbered objects have.
    struct Bits {
        /// By number; `none` for an object that has none.
        var ofNumber: [UInt32]
        let count: Int
        static let none = UInt32.max
    }

    private let objects: ReachedObjects
    private let links: TreeLinks
    private var history: CommitHistory
    private let bits: Bits
    private let cancellation: CancellationFlag
    /// Bitmaps by the commits' numbers.
    private var done: [Int: CompressedBitmap] = [:]

    init(_ selection: PackSelection, _ bits: Bits) {
        objects = selection.objects
        links = selection.links
        history = selection.history
        cancellation = selection.cancellation
        self.bits = bits
    }

    /// - Parameter commits: by their numbers, the newest first.
    /// - Returns: the bitmap of each.
    /// - Throws: ``StoreError/Code/invalid`` where something that is reached has no bit.
    func build(_ commits: [Int]) throws(StoreError) -> [CompressedBitmap] {
        for commit in commits.reversed() where done[commit] == nil {
            done[commit] = CompressedBitmap(try reach(commit))
        }
        return commits.compactMap { done[$0] }
    }

    private func reach(_ commit: Int) throws(StoreError) -> Bitmap {
        var bitmap = Bitmap(count: bits.count)
        var walked: [Int] = []
        var rest = [commit]
        while let commit = rest.popLast() {
            try cancellation.check()
            let bit = try bit(commit)
            if bitmap.contains(bit) { continue }
            if let known = done[commit] {
                known.union(into: &bitmap)
                continue
            }
            bitmap.insert(bit)
            let record = try history.record(of: commit)
            walked.append(record)
            // The first parent comes first: it leads to a bitmap soonest.
            for place in history.records[record].parents.reversed() {
                rest.append(history.parents[place])
            }
        }
        // Parents before children, mostly: a tree then differs little from one that is done.
        for record in walked.reversed() { try fill(history.records[record], &bitmap) }
        return bitmap
    }

    private func bit(_ number: Int) throws(StoreError) -> Int {
        guard number < bits.ofNumber.count, bits.ofNumber[number] != Bits.none else {
            throw StoreError(
                .invalid,
                "packfile doesn't have full closure (object \(objects.oid(number)) is missing)")
        }
        return Int(bits.ofNumber[number])
    }

    private func fill(
        _ commit: CommitHistory.Record, _ bitmap: inout Bitmap
    ) throws(StoreError) {
        guard try !bitmap.contains(bit(commit.tree)) else { return }
        var base: Int?
        for place in commit.parents {
            let parent = try history.record(of: history.parents[place])
            let tree = history.records[parent].tree
            if try bitmap.contains(bit(tree)) { base = tree }
            if base != nil { break }
        }
        var trees = [(tree: commit.tree, base: base)]
        while let (tree, base) = trees.popLast() {
            let bit = try bit(tree)
            if bitmap.contains(bit) { continue }
            bitmap.insert(bit)
            for link in try links.differences(of: tree, from: base) {
                let number = objects.number(of: link.id)
                let bit = try self.bit(number)
                if bitmap.contains(bit) { continue }
                if link.isTree {
                    trees.append((number, link.base.map { objects.number(of: $0) }))
                } else {
                    bitmap.insert(bit)
                }
            }
        }
    }
}
