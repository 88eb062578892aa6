internal import GitCore

/// A tree in memory, for deltas on it.
final class HeldTree {
    let bytes: UnsafeMutableRawBufferPointer
    /// Where its entries begin, once somebody went over them.
    var starts: TreeStarts?
    /// The rounds in which its links were followed, a bit each.
    var rounds: UInt8 = 0

    init(_ count: Int) { bytes = .allocate(byteCount: count, alignment: 8) }

    deinit { bytes.deallocate() }
}

/// Trees that were lately read from packs, within a budget of bytes: two generations, of which the
/// older goes when the younger has filled half of it.
struct TreeShelf {
    private struct Key: Hashable {
        let pack: UInt64
        let offset: UInt64
    }

    private var young: [Key: HeldTree] = [:]
    private var old: [Key: HeldTree] = [:]
    private var byteCount = 0
    private let budget: Int

    init(budget: Int) { self.budget = budget }

    mutating func tree(_ pack: Pack, _ offset: UInt64) -> HeldTree? {
        let key = Key(pack: pack.number, offset: offset)
        if let tree = young[key] { return tree }
        guard let tree = old.removeValue(forKey: key) else { return nil }
        put(tree, key)
        return tree
    }

    mutating func put(_ tree: HeldTree, _ pack: Pack, _ offset: UInt64) {
        put(tree, Key(pack: pack.number, offset: offset))
    }

    private mutating func put(_ tree: HeldTree, _ key: Key) {
        // The starts of the entries come later.
        let size = tree.bytes.count + tree.bytes.count / 6 + 128
        if byteCount + size > budget / 2 {
            old = young
            young = [:]
            byteCount = 0
        }
        young[key] = tree
        byteCount += size
    }
}
