import GitCore
import GitStore

/// Which packs of a mirror are put into one.
///
/// Those that stay make a row in which each has at least twice as many objects as all that are smaller
/// together, as `git repack --geometric=2` has it: an object is packed again only as often as the mirror
/// doubles, however often something is fetched.
struct RepackPlan {
    /// The names of those that stay, with `.pack`. None for one pack of everything, and bitmaps for it.
    let kept: Set<ByteString>

    private static let factor = 2
    /// As many packs are looked through for an object without being slow.
    static let mostPacks = 8
    /// Fewer objects are walked through as fast as bitmaps are read.
    static let leastObjects = 10_000

    /// nil where nothing is to be done.
    ///
    /// - Parameter packs: their paths without an ending, and how many objects they have.
    init?(_ packs: [(path: ByteString, count: Int)]) {
        let total = packs.reduce(0) { $0 + $1.count }
        let hasBitmaps = packs.contains { FileSystem.exists($0.path + ".bitmap") }
        if !hasBitmaps, total >= Self.leastObjects {
            kept = []
            return
        }
        guard packs.count > Self.mostPacks else { return nil }
        let sorted = packs.sorted { $0.count < $1.count }
        let split = Self.split(sorted.map(\.count))
        kept = Set(
            sorted[split...].map { pack in
                ByteString(pack.path.bytes[((pack.path.bytes.lastIndex(of: 0x2f) ?? -1) + 1)...])
                    + ".pack"
            })
    }

    /// How many of the smallest are put into one.
    ///
    /// - Parameter counts: of objects, the smallest first; more than one.
    static func split(_ counts: [Int]) -> Int {
        var split = counts.count - 1
        while split > 0, counts[split] >= factor * counts[split - 1] { split -= 1 }
        // The last that is too small for the one before it goes, too.
        if split > 0 { split += 1 }
        var sum = counts[..<split].reduce(0, +)
        while split < counts.count, counts[split] < factor * sum {
            sum += counts[split]
            split += 1
        }
        return split
    }
}
