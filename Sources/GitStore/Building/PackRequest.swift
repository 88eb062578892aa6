public import GitCore

/// What a pack is to hold, and how.
public struct PackRequest: Sendable, Hashable {
    /// Objects that the pack is to have, with all that they lead to: commits, tags, trees or blobs.
    public var wants: [ObjectID] = []
    /// Objects that the receiver has, with all that they lead to.
    public var haves: [ObjectID] = []
    /// Commits whose parents are not gone to, of wants or of haves: the receiver does not have the
    /// parents, or is not to get them.
    public var shallow: Set<ObjectID> = []
    public var filter = ObjectFilter()
    /// Blobs that the receiver gets elsewhere: these are left out, asked for by their ids or not.
    public var elsewhere: Set<ObjectID> = []
    /// Tags that are to be sent along if what they lead to is sent; others of these are not.
    public var tags: [ObjectID] = []
    /// Whether an object may be a delta on one that the receiver has.
    public var isThin = false
    /// Whether all trees of ``haves`` are looked through for what the receiver has, and not only those
    /// of parents of commits in the pack: of use where ``shallow`` parts the two.
    public var looksThroughHaves = false
    /// Whether the receiver reads OFS_DELTA entries, which are smaller.
    public var usesOffsetDeltas = true
    /// Whether deltas of packs are used as they are; else new ones are looked for.
    var reusesDeltas = true
    /// Whether bitmaps are used where there are any.
    public var usesBitmaps = true
    /// zlib's levels: 0 stores, 9 takes longest.
    public var compressionLevel: Int32 = 6
    /// How many objects are tried as the base of each new delta; 0 makes none.
    public var window = 10
    /// New deltas one on another, at the most.
    public var depth = 50
    /// Threads to look for new deltas with.
    public var threads = 1

    public init() {}
}
