internal import GitCore

/// A tree in memory, for deltas on it.
final class HeldTree {
    let bytes: UnsafeMutableRawBufferPointer
    /// Where its entries begin, once somebody went over them.
    var starts: TreeStarts?
    /// The rounds in which its links were followed, a bit each.
    var rounds: UInt8 = 0
    /// Whether it was asked for since the shelf looked at it last.
    fileprivate var isUsed = false

    init(_ count: Int) { bytes = .allocate(byteCount: count, alignment: 8) }

    deinit { bytes.deallocate() }

    /// The starts of the entries come later.
    fileprivate var cost: Int { bytes.count + bytes.count / 6 + 128 }
}

/// Trees that were lately read from packs, within a budget of bytes. They go in the order in which they
/// came, but for those that were asked for meanwhile.
struct TreeShelf {
    private struct Key: Hashable {
        let pack: UInt64
        let offset: UInt64
    }

    private var trees: [Key: HeldTree] = [:]
    /// The keys in a ring, the oldest at `first`.
    private var keys: [Key] = []
    private var first = 0
    private var byteCount = 0
    private let budget: Int

    init(budget: Int) { self.budget = budget }

    func tree(_ pack: Pack, _ offset: UInt64) -> HeldTree? {
        guard let tree = trees[Key(pack: pack.number, offset: offset)] else { return nil }
        tree.isUsed = true
        return tree
    }

    /// Adds a tree that is not there.
    mutating func put(_ tree: HeldTree, _ pack: Pack, _ offset: UInt64) {
        let key = Key(pack: pack.number, offset: offset)
        guard trees.updateValue(tree, forKey: key) == nil else { return }
        byteCount += tree.cost
        keys.append(key)
        while byteCount > budget, first < keys.count - 1 { dropOne() }
        if first > 4_096, first > keys.count / 2 {
            keys.removeFirst(first)
            first = 0
        }
    }

    private mutating func dropOne() {
        let key = keys[first]
        first += 1
        guard let tree = trees[key] else { return }
        if tree.isUsed {
            tree.isUsed = false
            keys.append(key)
        } else {
            trees[key] = nil
            byteCount -= tree.cost
        }
    }
}
