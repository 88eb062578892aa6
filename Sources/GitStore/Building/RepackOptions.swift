public import GitCore

/// What repacking does (git-repack).
public struct RepackOptions: Sendable {
    /// What becomes of objects of packs that are removed, and that nothing leads to.
    public enum Unreachable: Sendable {
        /// They are gone with the packs.
        case dropped
        case loosened
        /// They go into the new pack, and loose ones, too.
        case packed
    }

    /// Whether all is put into one pack; else what is in no pack.
    public var packsEverything = false
    public var unreachable = Unreachable.dropped
    /// Whether packs and loose objects that are of no more use are removed.
    public var removesRedundant = false
    /// Whether objects that others have from whom is borrowed are left out.
    public var isLocal = false
    /// Whether new deltas are looked for in place of those of the packs.
    public var makesDeltasAnew = false
    /// Whether bitmaps are written.
    public var writesBitmaps = false
    /// Whether packs with a `.keep` file are packed, too. They are not removed.
    public var packsKept = false
    /// Names of packs, with `.pack`, that are treated as if they had a `.keep` file.
    public var keptPacks: Set<ByteString> = []
    public var writesReverseIndex = false
    public var compressionLevel: Int32 = 6
    public var window = 10
    public var depth = 50
    public var threads = 1
    /// Objects to keep beside what refs and reflogs lead to: those of indexes.
    public var roots: [ObjectID] = []

    public init() {}
}
