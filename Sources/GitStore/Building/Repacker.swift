internal import GitCore

/// Puts the objects of a repository into a pack, and removes what is then of no more use.
///
/// Whenever it is stopped, every object is in a pack that is whole, or loose: the new pack has its name
/// and is on the disk before any other is removed.
public final class Repacker: Sendable {
    /// What was done.
    public struct Summary: Sendable {
        /// Of the new pack; nil where there was nothing to pack.
        public internal(set) var pack: PackSummary?
        /// Why there are no bitmaps, where some were asked for.
        public internal(set) var withoutBitmaps: String?
    }

    private let repository: Repository
    private let options: RepackOptions
    private let assembler: PackAssembler
    private let tips: [ObjectID]
    private let directory: ByteString
    /// Packs that are there, by their names without an ending: to be left alone or not.
    private let existing: [ByteString: Bool]

    private var objects: ObjectDatabase { repository.objects }
    public var progress: PackBuildProgress { assembler.progress }

    /// - Throws: ``StoreError/Code/unsupported`` for a repository with a partial clone's packs.
    public init(_ repository: Repository, _ options: RepackOptions) throws(StoreError) {
        self.repository = repository
        self.options = options
        directory = repository.objects.directory / "pack"
        let roots = try RepackRoots(repository)
        tips = roots.tips
        var request = PackRequest()
        request.wants = roots.wants + options.roots
        request.shallow = try repository.shallowCommits()
        request.reusesDeltas = !options.makesDeltasAnew
        request.compressionLevel = options.compressionLevel
        request.window = options.window
        request.depth = options.depth
        request.threads = options.threads
        request.usesBitmaps = false
        assembler = PackAssembler(request, from: repository.objects)
        existing = try Self.packs(repository.objects, options)
    }

    /// Has ``run()`` stop soon; call it on any thread.
    public func cancel() { assembler.cancel() }

    private static func packs(
        _ objects: ObjectDatabase, _ options: RepackOptions
    ) throws(StoreError) -> [ByteString: Bool] {
        try objects.refresh()
        var packs: [ByteString: Bool] = [:]
        for path in objects.packPaths {
            guard !FileSystem.exists(path + ".promisor") else {
                throw StoreError(.unsupported, "a partial clone cannot be repacked yet")
            }
            let name = ByteString(path.bytes[((path.bytes.lastIndex(of: 0x2f) ?? -1) + 1)...])
            packs[name] =
                FileSystem.exists(path + ".keep") || options.keptPacks.contains(name + ".pack")
        }
        // A damaged pack may hold what somebody can still save.
        var usable: Set<ByteString> = []
        for pack in objects.packs.listing.packs where try objects.packs.isUsable(pack) {
            usable.insert(pack.name)
        }
        for name in packs.keys where !usable.contains(name) { packs[name] = true }
        return packs
    }

    public func run() throws(StoreError) -> Summary {
        try FileSystem.createDirectory(directory)
        let selection = try assembler.walk()
        let unreachable = try choose(selection)
        var summary = Summary()
        var new: ByteString?
        if selection.count > 0 {
            guard selection.count <= UInt32.max else {
                throw StoreError(.limit, "more objects than a pack can have")
            }
            let stored = try StoredPack(selection, assembler, in: directory)
            summary.pack = stored.summary
            summary.withoutBitmaps = try writeBitmaps(stored, selection)
            let name = ByteString("pack-\(stored.pack.trailer.hex)")
            var places = IndexedPack.Places(base: directory / name)
            if !options.writesReverseIndex { places.reverseIndex = nil }
            try stored.pack.install(at: places)
            // A pack of this name stays as it was.
            if let path = places.reverseIndex, !FileSystem.exists(path) {
                try IndexedPack.write(stored.pack.reverseIndexBytes(), to: path, mode: 0o444)
            }
            new = name
        }
        try FileSystem.syncDirectory(directory)
        try objects.refresh()
        if options.removesRedundant { try remove(besides: new, unreachable) }
        return summary
    }

    // MARK: What goes into the pack

    /// Leaves out what stays where it is; says what nothing leads to, and is in packs that go.
    private func choose(_ selection: PackSelection) throws(StoreError) -> [ObjectID] {
        let reader = selection.reader
        let kept = Set(existing.filter(\.value).keys)
        func isLeftOut(_ oid: ObjectID) throws(StoreError) -> Bool {
            if !options.packsEverything {
                for store in objects.stores where try store.packs.find(oid) != nil { return true }
                return false
            }
            if !options.packsKept, !kept.isEmpty, try isIn(kept, oid) { return true }
            guard options.isLocal else { return false }
            for store in objects.alternates {
                if try store.packs.find(oid) != nil { return true }
                if store.loose.contains(oid) { return true }
            }
            return false
        }
        try selection.keepOnly { number throws(StoreError) in
            try !isLeftOut(selection.objects.oid(number))
        }
        guard options.packsEverything, options.removesRedundant else { return [] }
        switch options.unreachable {
        case .dropped: return []
        case .loosened: return try unreached(selection, loose: false)
        case .packed:
            for oid in try unreached(selection, loose: true) where try !isLeftOut(oid) {
                let number = selection.objects.number(of: oid)
                selection.objects.setKind(try reader.header(number).kind, number)
                selection.choose(number)
            }
            try selection.finish()
            return []
        }
    }

    private func isIn(_ packs: Set<ByteString>, _ oid: ObjectID) throws(StoreError) -> Bool {
        for pack in objects.packs.listing.packs where packs.contains(pack.name) {
            if try objects.packs.isUsable(pack), try pack.index().row(of: oid) != nil {
                return true
            }
        }
        return false
    }

    /// Objects of packs that go, and with `loose` those that are loose, which no root leads to.
    private func unreached(
        _ selection: PackSelection, loose: Bool
    ) throws(StoreError) -> [ObjectID] {
        var found: [ObjectID] = []
        var seen: Set<ObjectID> = []
        func add(_ oid: ObjectID) {
            let number = selection.objects.find(oid)
            let marks = number.map { selection.objects.marks[$0] } ?? []
            if marks.isDisjoint(with: [.met, .given, .chosen]), seen.insert(oid).inserted {
                found.append(oid)
            }
        }
        for pack in objects.packs.listing.packs where existing[pack.name] == false {
            let index = try pack.index()
            for entry in try pack.rowsInPackOrder() { add(index.oid(row: Int(entry.row))) }
        }
        if loose { for oid in try objects.loose.oids() { add(oid) } }
        return found
    }

    /// - Returns: why there are none.
    private func writeBitmaps(
        _ stored: StoredPack, _ selection: PackSelection
    ) throws(StoreError) -> String? {
        guard options.writesBitmaps, options.packsEverything else { return nil }
        let bytes: [UInt8]
        do throws(StoreError) {
            let numbers = tips.compactMap { selection.objects.find($0) }
            bytes = try stored.bitmaps(tips: Set(numbers))
        } catch  where error.code == .invalid {
            return error.message
        }
        let path = directory / ByteString("pack-\(stored.pack.trailer.hex).bitmap")
        try IndexedPack.write(bytes, to: path, mode: 0o444)
        return nil
    }

    // MARK: What goes

    private func remove(
        besides new: ByteString?, _ unreachable: [ObjectID]
    ) throws(StoreError) {
        for oid in unreachable {
            let object = try objects.read(oid)
            try object.content.span.withUnsafeBytes { content throws(StoreError) in
                try objects.loose.write(oid, object.kind, content)
            }
        }
        if options.packsEverything {
            let redundant = existing.filter { !$0.value && $0.key != new }.keys.sorted()
            try RedundantPacks(objects).remove(redundant)
            try objects.refresh()
        }
        try PackedLooseObjects(objects).remove()
    }
}
