package import GitCore

/// Where a shallow history ends (gitprotocol-pack, "Shallow").
package struct ShallowBoundary: Sendable {
    /// Commits whose parents the receiver does not get.
    package private(set) var shallow: Set<ObjectID> = []
    /// Those of the receiver's shallow commits whose parents it gets now.
    package private(set) var unshallow: [ObjectID] = []
    /// The parents of these.
    package private(set) var revealed: [ObjectID] = []

    package enum Cut: Sendable {
        /// So many commits on each way from what is wanted.
        case depth(Int)
        /// So many commits further than those of the receiver's shallow ones that `tips` lead to,
        /// whether what is wanted leads to them or not.
        case further(Int, tips: [ObjectID])
        /// Commits no older than that, in seconds since 1970, that `excluded` do not lead to.
        case history(since: UInt64?, excluded: [ObjectID])
    }

    /// A depth that git takes for all there is.
    private static let infinite = 0x7fff_ffff

    /// - Parameters:
    ///   - wants: commits.
    ///   - receiver: the shallow commits of the receiver's.
    ///   - own: those of the repository itself.
    /// - Throws: ``StoreError/Code/invalid`` where nothing is left, with git's words.
    package init(
        _ cut: Cut, wants: [ObjectID], receiver: [ObjectID], own: Set<ObjectID>,
        in database: ObjectDatabase,
        _ cancellation: CancellationFlag = CancellationFlag()
    ) throws(StoreError) {
        let ancestry = try Ancestry(database, shallow: own, cancellation: cancellation)
        // A client may have commits that are not here.
        var present: [ObjectID] = []
        for oid in receiver where try database.contains(oid) { present.append(oid) }
        let inside: Set<ObjectID>
        switch cut {
        case .depth(Self.infinite) where own.isEmpty, .further(Self.infinite, _) where own.isEmpty:
            inside = Set(present)
        case .depth(let depth):
            inside = try cutAtDepth(depth, wants, own, ancestry)
        case .further(let depth, let tips):
            let reached = try ancestry.reached(present, from: tips)
            inside = try cutAtDepth(
                depth == Self.infinite ? depth : depth + 1, present.filter(reached.contains), own,
                ancestry)
        case .history(let since, let excluded):
            inside = try cutHistory(since, excluded, wants, ancestry)
        }
        let whole = try Ancestry(database)
        for oid in present where inside.contains(oid) {
            unshallow.append(oid)
            let record = try whole.record(oid)
            revealed += try whole.parents(of: record).map(whole.oid)
        }
        let known = Set(receiver)
        shallow = shallow.filter { !known.contains($0) }
    }

    /// Says the commits above the boundary.
    private mutating func cutAtDepth(
        _ depth: Int, _ starts: [ObjectID], _ own: Set<ObjectID>, _ ancestry: Ancestry
    ) throws(StoreError) -> Set<ObjectID> {
        var inside: Set<ObjectID> = []
        try ancestry.walk(from: starts) { record, steps in
            let oid = ancestry.oid(record)
            let isLast = depth != Self.infinite && steps + 1 >= depth
            guard isLast || own.contains(oid) else {
                inside.insert(oid)
                return .descend
            }
            shallow.insert(oid)
            return .pass
        }
        return inside
    }

    private mutating func cutHistory(
        _ since: UInt64?, _ excluded: [ObjectID], _ wants: [ObjectID], _ ancestry: Ancestry
    ) throws(StoreError) -> Set<ObjectID> {
        var left: Set<Int> = []
        try ancestry.walk(from: excluded) { record, _ in
            left.insert(record)
            return .descend
        }
        var kept: [Int] = []
        try ancestry.walk(from: wants) { record, _ in
            guard !left.contains(record), ancestry.time(record) >= since ?? 0 else { return .pass }
            kept.append(record)
            return .descend
        }
        guard !kept.isEmpty else {
            throw StoreError(.invalid, "no commits selected for shallow requests")
        }
        let all = Set(kept)
        var inside: Set<ObjectID> = []
        for record in kept {
            let isWhole = try ancestry.parents(of: record).allSatisfy(all.contains)
            if isWhole {
                inside.insert(ancestry.oid(record))
            } else {
                shallow.insert(ancestry.oid(record))
            }
        }
        return inside
    }
}
