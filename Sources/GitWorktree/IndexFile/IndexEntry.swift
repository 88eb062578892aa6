public import GitCore

#if canImport(Glibc)
    package import Glibc
#elseif canImport(Darwin)
    package import Darwin
#elseif canImport(Musl)
    package import Musl
#endif

/// What lstat(2) said of a file when it was last known to be what the index says; by it Git sees
/// without reading the file that it has not changed. Each number is cut to its low 32 bits.
public struct IndexStat: Hashable, Sendable {
    public var ctimeSeconds: UInt32 = 0
    public var ctimeNanoseconds: UInt32 = 0
    public var mtimeSeconds: UInt32 = 0
    public var mtimeNanoseconds: UInt32 = 0
    public var device: UInt32 = 0
    public var inode: UInt32 = 0
    public var uid: UInt32 = 0
    public var gid: UInt32 = 0
    /// Bytes of the file. 0 for a file that is not empty means: do not trust this, compare contents.
    public var size: UInt32 = 0

    /// All zeros: nothing is known of the file.
    public init() {}

    package init(_ status: stat) {
        #if canImport(Darwin)
            let (changed, modified) = (status.st_ctimespec, status.st_mtimespec)
        #else
            let (changed, modified) = (status.st_ctim, status.st_mtim)
        #endif
        ctimeSeconds = UInt32(truncatingIfNeeded: changed.tv_sec)
        ctimeNanoseconds = UInt32(truncatingIfNeeded: changed.tv_nsec)
        mtimeSeconds = UInt32(truncatingIfNeeded: modified.tv_sec)
        mtimeNanoseconds = UInt32(truncatingIfNeeded: modified.tv_nsec)
        device = UInt32(truncatingIfNeeded: status.st_dev)
        inode = UInt32(truncatingIfNeeded: status.st_ino)
        uid = UInt32(truncatingIfNeeded: status.st_uid)
        gid = UInt32(truncatingIfNeeded: status.st_gid)
        size = UInt32(truncatingIfNeeded: status.st_size)
    }
}

/// One file that the next commit would have.
public struct IndexEntry: Hashable, Sendable {
    /// From the top of the work tree, components separated by `/`.
    public var path: ByteString
    /// Never ``FileMode/directory``.
    public var mode: FileMode
    public var oid: ObjectID
    /// 0, or in a conflicted merge 1 (base), 2 (ours), 3 (theirs).
    public var stage: UInt8 = 0
    /// The user promised not to change the file (`update-index --assume-unchanged`).
    public var isAssumedValid = false
    /// Sparse checkout left the file out.
    public var isSkippingWorktree = false
    /// Named by `git add -N`: no commit gets it yet.
    public var isIntentToAdd = false
    public var stat = IndexStat()

    public init(path: ByteString, mode: FileMode, oid: ObjectID) {
        self.path = path
        self.mode = mode
        self.oid = oid
    }
}

extension IndexEntry {
    /// The order of an index: by the bytes of the path, then by stage.
    static func precedes(_ a: IndexEntry, _ b: IndexEntry) -> Bool {
        let order = compare(a.path, b.path)
        return order != 0 ? order < 0 : a.stage < b.stage
    }
}

/// Below, equal to or above zero as `a` comes before, is, or comes after `b`, by bytes.
func compare(_ a: ByteString, _ b: ByteString) -> Int {
    let shared = min(a.count, b.count)
    let order = a.bytes.withUnsafeBytes { left in
        b.bytes.withUnsafeBytes { right -> Int32 in
            guard let left = left.baseAddress, let right = right.baseAddress else { return 0 }
            // SAFETY: both have `shared` bytes.
            return memcmp(left, right, shared)
        }
    }
    return order != 0 ? Int(order) : a.count - b.count
}
