public import GitCore

extension ObjectDatabase {
    /// The commits in packs.
    public func packedCommits() throws(StoreError) -> [ObjectID] {
        let tools = ReadingTools(DeltaBaseCache(budget: 0, shards: 1))
        var found: [ObjectID] = []
        for store in stores {
            for pack in store.packs.listing.packs where try store.packs.isUsable(pack) {
                let index = try pack.index()
                for entry in try pack.rowsInPackOrder()
                where try pack.header(at: entry.offset, tools).kind == .commit {
                    found.append(index.oid(row: Int(entry.row)))
                }
            }
        }
        return found
    }

    /// The commits of the commit-graph of this store.
    public func commitsOfGraph() throws(StoreError) -> [ObjectID] {
        guard let graph = try commitGraph() else { return [] }
        return graph.layers.flatMap { layer in
            (0 ..< layer.oids.count).map { layer.oids.oid(row: $0) }
        }
    }
}
