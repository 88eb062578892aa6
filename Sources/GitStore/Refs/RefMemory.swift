internal import GitCore

/// What listings of refs have found, for those that follow. A listing works on a copy, so that it takes a
/// lock twice and not for every ref.
struct RefMemory {
    /// What files hold, and by which state of the file.
    private(set) var files: [RefName: (stamp: FileStamp, ref: Ref)] = [:]
    /// What the objects are that refs lead to.
    private(set) var targets: [ObjectID: RefTarget] = [:]
    /// Whether it holds something that it did not when it was made from another.
    private(set) var isNew = false

    /// Entries of either.
    private static let capacity = 200_000

    init() {}

    init(_ other: RefMemory) {
        self = other
        isNew = false
    }

    mutating func add(_ ref: Ref, in name: RefName, _ stamp: FileStamp) {
        if files.count >= Self.capacity { files = [:] }
        files[name] = (stamp, ref)
        isNew = true
    }

    mutating func add(_ target: RefTarget, _ oid: ObjectID) {
        if targets.count >= Self.capacity { targets = [:] }
        targets[oid] = target
        isNew = true
    }
}
