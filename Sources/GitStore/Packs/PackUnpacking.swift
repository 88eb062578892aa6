internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

extension Quarantine {
    /// From so many new objects on, everything that waits to be written is put on the disk at once.
    private static var manyObjects: Int { 500 }

    /// Puts loose objects in the place of a pack that was put here, but for those that the repository
    /// has already.
    ///
    /// - Parameter progress: is told how many of how many are done.
    package func unpack(
        _ pack: IndexedPack, progress: (Int, Int) -> Void = { _, _ in }
    ) throws(StoreError) {
        let oids = pack.oidsInPackOrder
        let hasher = BatchHasher(database.format)
        var new: [ObjectID] = []
        func store(_ object: BatchHasher.Named) throws(StoreError) {
            let oid = oids[object.number]
            guard try object.oid() == oid else {
                throw StoreError(.corrupt, "object \(oid) changed while it was read")
            }
            try database.loose.write(oid, object.kind, object.content, isSynced: false)
            new.append(oid)
        }
        for (number, oid) in oids.enumerated() {
            try cancellation.check()
            progress(number, oids.count)
            if try destination.contains(oid) { continue }
            let object = try database.read(oid)
            try hasher.add(object.kind, object.content, number: number, done: store)
        }
        try hasher.finish(store)
        if new.count > Self.manyObjects {
            // One by one would take milliseconds each.
            sync()
        } else {
            for oid in new { try File(database.loose.path(oid), O_RDONLY).sync() }
        }
        progress(oids.count, oids.count)
        try removePacks()
    }
}

extension IndexedPack {
    /// In this order a delta mostly follows its base, which is still in memory then.
    fileprivate var oidsInPackOrder: [ObjectID] {
        (0 ..< table.count).map { table.objectID(row: $0) }
    }
}
