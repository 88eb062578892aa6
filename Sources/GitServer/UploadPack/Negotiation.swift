internal import GitCore
internal import GitStore

/// What a client and the repository are found to have in common.
final class Negotiation {
    /// Of the client's haves, those that are here.
    private(set) var common: [ObjectID] = []
    private let database: ObjectDatabase
    private let shallow: Set<ObjectID>
    private let visible: ReachableObjects?
    private let cancellation: CancellationFlag
    private var wasReady = false
    /// How much must be in common before it is looked again whether that is enough: each look walks through
    /// history, and a client may have hundreds of thousands of objects, one to a look.
    private var nextLook = 1

    /// - Parameter shallow: the commits where the repository's history is cut off.
    /// - Parameter visible: the objects that the client may see, where that is not all: others do not count
    ///   as here, or a delta on one would tell of it.
    init(
        _ database: ObjectDatabase, shallow: Set<ObjectID>, visible: ReachableObjects?,
        _ cancellation: CancellationFlag
    ) {
        self.database = database
        self.shallow = shallow
        self.visible = visible
        self.cancellation = cancellation
    }

    /// Adds what is here of `haves` to what both have; says whether all of them are.
    @discardableResult
    func add(_ haves: [ObjectID]) throws(StoreError) -> Bool {
        try cancellation.check()
        let before = common.count
        for oid in haves where try isHere(oid) { common.append(oid) }
        return common.count - before == haves.count
    }

    private func isHere(_ oid: ObjectID) throws(StoreError) -> Bool {
        guard try database.contains(oid) else { return false }
        return try visible?.firstUnreached([oid], cancellation) == nil
    }

    /// Whether all that is wanted leads to something that the client has. Found out anew when what is in
    /// common has grown by a quarter.
    func isReady(for wants: [ObjectID]) throws(StoreError) -> Bool {
        if wasReady || common.count < nextLook { return wasReady }
        nextLook = common.count + common.count / 4 + 1
        let ancestry = try Ancestry(database, shallow: shallow, cancellation: cancellation)
        wasReady = try ancestry.each(
            of: try ancestry.commits(behind: wants),
            reachesAny: try ancestry.commits(behind: common))
        return wasReady
    }
}
