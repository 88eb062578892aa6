package import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A store of its own for objects that are not trusted yet, in a directory that goes when this value
/// does.
package struct Quarantine: ~Copyable {
    /// An `objects` directory.
    package let directory: ByteString

    /// - Parameter objects: the store that the objects are for; the directory is made in its own, so
    ///   that a rename is enough to move a file there.
    package init(beside objects: ObjectDatabase) throws(StoreError) {
        var template = (objects.directory / "tmp_objdir-XXXXXX").bytes + [0]
        let isMade = template.withUnsafeMutableBytes { buffer in
            // SAFETY: the template has at least its six X and the NUL, so it has a base address.
            mkdtemp(buffer.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped) != nil
        }
        directory = ByteString(template.dropLast())
        guard isMade else { throw .system("create temporary directory", directory) }
    }

    /// Takes a pack in, and opens what is there.
    package func store(
        holding pack: IndexedPack, _ format: ObjectFormat
    ) throws(StoreError) -> ObjectDatabase {
        try FileSystem.createDirectory(directory / "pack")
        try pack.install(in: directory / "pack")
        return try ObjectDatabase(objectsDirectory: directory, format: format)
    }

    deinit { try? FileSystem.removeTree(directory) }
}

extension ObjectDatabase {
    /// Refuses a pack of which an object is malformed, or points to one that neither the pack nor this
    /// store has.
    ///
    /// - Parameter incoming: where the pack is.
    package func check(
        _ pack: IndexedPack, in incoming: ObjectDatabase, _ checker: ObjectChecker,
        reporting: (ObjectID, ObjectKind, ObjectFault) -> Void
    ) throws(StoreError) {
        var first: (oid: ObjectID, fault: ObjectFault)?
        func tell(_ faults: [ObjectFault], _ oid: ObjectID, _ kind: ObjectKind) {
            for fault in faults {
                reporting(oid, kind, fault)
                if fault.isError(strict: true), first == nil { first = (oid, fault) }
            }
        }
        var submodules: Set<ObjectID> = []
        for oid in pack.oidsInPackOrder {
            // A blob of gigabytes need not be read: there is nothing to check.
            guard try incoming.header(oid).kind != .blob else { continue }
            let object = try incoming.read(oid)
            tell(checker.check(object, &submodules), oid, object.kind)
        }
        for oid in submodules.sorted() {
            let holder = try incoming.contains(oid) ? incoming : self
            tell(try checker.checkSubmodules(oid, in: holder), oid, .blob)
        }
        if let first {
            throw StoreError(
                .corrupt,
                "object \(first.oid) is malformed: \(first.fault.id): \(first.fault.message)")
        }
        for oid in pack.missingLinks where try !contains(oid) {
            throw StoreError(.corrupt, "object \(oid), which the pack points to, is missing")
        }
    }

    /// From so many new objects on, everything that waits to be written is put on the disk at once.
    private static var manyObjects: Int { 500 }

    /// Stores every object of a pack loose, but for those that are there already.
    ///
    /// The files are made in `incoming` and moved once they are all on the disk.
    ///
    /// - Parameters:
    ///   - incoming: where the pack is.
    ///   - progress: is told how many of how many are done.
    package func unpack(
        _ pack: IndexedPack, from incoming: ObjectDatabase, progress: (Int, Int) -> Void
    ) throws(StoreError) {
        let oids = pack.oidsInPackOrder
        let hasher = BatchHasher(format)
        var new: [ObjectID] = []
        func store(_ object: BatchHasher.Named) throws(StoreError) {
            let oid = oids[object.number]
            guard try object.oid() == oid else {
                throw StoreError(.corrupt, "object \(oid) changed while it was read")
            }
            try incoming.loose.write(oid, object.kind, object.content, isSynced: false)
            new.append(oid)
        }
        for (number, oid) in oids.enumerated() {
            progress(number, oids.count)
            if try contains(oid) { continue }
            let object = try incoming.read(oid)
            try hasher.add(object.kind, object.content, number: number, done: store)
        }
        try hasher.finish(store)
        if new.count > Self.manyObjects {
            // One by one would take milliseconds each.
            sync()
        } else {
            for oid in new { try File(incoming.loose.path(oid), O_RDONLY).sync() }
        }
        for oid in new { try loose.take(oid, from: incoming.loose) }
        progress(oids.count, oids.count)
    }
}

extension LooseStore {
    /// Moves an object here from a store on the same file system.
    fileprivate func take(_ oid: ObjectID, from other: LooseStore) throws(StoreError) {
        let path = path(oid)
        // What is there already stays: it may be in use.
        guard !FileSystem.exists(path) else { return }
        try FileSystem.createDirectory(path.dropLast(oid.format.hexCount - 1))
        try FileSystem.rename(other.path(oid), to: path)
    }
}

extension IndexedPack {
    /// In this order a delta mostly follows its base, which is still in memory then.
    fileprivate var oidsInPackOrder: [ObjectID] {
        (0 ..< table.count).map { table.objectID(row: $0) }
    }
}
