public import GitCore
import Synchronization

/// The objects of a repository: packs, loose objects, and those of the stores that it borrows from
/// (`objects/info/alternates`).
public final class ObjectDatabase: Sendable {
    public let format: ObjectFormat
    /// The `objects` directory.
    public let directory: ByteString

    private let loose: LooseStore
    private let cache: DeltaBaseCache
    private let packs = Mutex<[Pack]>([])
    private let alternates: [ObjectDatabase]

    /// Stores that may borrow from one another in a row, as in Git.
    private static let alternateDepth = 5
    /// Bytes of objects held as bases of deltas.
    private static let cacheBudget = 64 << 20

    /// Opens the store in an `objects` directory.
    public convenience init(
        objectsDirectory: ByteString, format: ObjectFormat
    ) throws(StoreError) {
        try self.init(
            objectsDirectory, format, DeltaBaseCache(budget: Self.cacheBudget), depth: 0)
    }

    private init(
        _ directory: ByteString, _ format: ObjectFormat, _ cache: DeltaBaseCache, depth: Int
    ) throws(StoreError) {
        self.directory = directory
        self.format = format
        self.cache = cache
        loose = LooseStore(directory: directory, format: format)
        var alternates: [ObjectDatabase] = []
        if depth < Self.alternateDepth {
            for path in try Self.alternatePaths(directory) where FileSystem.isDirectory(path) {
                alternates.append(try ObjectDatabase(path, format, cache, depth: depth + 1))
            }
        }
        self.alternates = alternates
        try refresh()
    }

    private static func alternatePaths(_ directory: ByteString) throws(StoreError) -> [ByteString] {
        let file = directory / "info/alternates"
        guard FileSystem.exists(file) else { return [] }
        return ByteString(try FileSystem.read(file, limit: 1 << 20)).split(0x0a)
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
            .map { $0.hasPrefix("/") ? $0 : directory / $0 }
    }

    /// Looks for packs that are new, and lets go of those that are gone.
    public func refresh() throws(StoreError) {
        let folder = directory / "pack"
        let names = FileSystem.isDirectory(folder) ? try FileSystem.list(folder) : []
        let known = packs.withLock { Dictionary(uniqueKeysWithValues: $0.map { ($0.path, $0) }) }
        var found: [Pack] = []
        for name in names.sorted() where name.hasPrefix("pack-") && name.hasSuffix(".idx") {
            let base = folder / name.dropLast(4)
            if let pack = known[base + ".pack"] {
                found.append(pack)
            } else if FileSystem.exists(base + ".pack") {
                found.append(try Pack(base, format, cache: cache))
            }
        }
        packs.withLock { [found] in $0 = found }
        for alternate in alternates { try alternate.refresh() }
    }

    // MARK: Finding

    private enum Place {
        case packed(Pack, row: Int)
        case loose(LooseStore)
    }

    private func find(_ oid: ObjectID) throws(StoreError) -> Place? {
        if let place = findHere(oid) { return place }
        for alternate in alternates {
            if let place = try alternate.find(oid) { return place }
        }
        return nil
    }

    private func findHere(_ oid: ObjectID) -> Place? {
        guard oid.format == format else { return nil }
        let packed: Place? = packs.withLock { packs in
            for (number, pack) in packs.enumerated() {
                guard let row = pack.index.row(of: oid) else { continue }
                // The next object is likely to be in the same pack.
                if number > 0 { packs.swapAt(0, number) }
                return .packed(pack, row: row)
            }
            return nil
        }
        if let packed { return packed }
        return loose.contains(oid) ? .loose(loose) : nil
    }

    /// Where the object is, looking again for new packs before giving up: another process may have
    /// repacked.
    private func place(_ oid: ObjectID) throws(StoreError) -> Place {
        if let place = try find(oid) { return place }
        try refresh()
        if let place = try find(oid) { return place }
        throw StoreError(.notFound, "object \(oid) is not in the repository")
    }

    public func contains(_ oid: ObjectID) throws(StoreError) -> Bool { try find(oid) != nil }

    // MARK: Reading

    /// The object, whole in memory.
    ///
    /// - Throws: ``StoreError/Code/notFound``; ``StoreError/Code/corrupt``.
    public func read(_ oid: ObjectID) throws(StoreError) -> GitObject {
        switch try place(oid) {
        case .packed(let pack, let row): return try pack.object(at: pack.index.offset(row: row))
        case .loose(let loose):
            guard let object = try loose.read(oid) else { throw Self.vanished(oid) }
            return object
        }
    }

    /// The object's kind, and the size of its content in bytes.
    public func header(_ oid: ObjectID) throws(StoreError) -> (kind: ObjectKind, size: UInt64) {
        switch try place(oid) {
        case .packed(let pack, let row): return try pack.header(at: pack.index.offset(row: row))
        case .loose(let loose):
            guard let header = try loose.header(oid) else { throw Self.vanished(oid) }
            return header
        }
    }

    /// Hands the object's content over piece by piece. An object in full takes little memory, whatever
    /// its size; a delta is rebuilt in memory first.
    public func stream(
        _ oid: ObjectID, _ sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws(StoreError) {
        switch try place(oid) {
        case .packed(let pack, let row):
            let entry = try pack.entry(at: pack.index.offset(row: row))
            if case .none = entry.header.base { return try pack.stream(entry, sink) }
            let object = try pack.object(at: entry.offset)
            let result = object.content.withUnsafeBytes { bytes in Result { try sink(bytes) } }
            do { try result.get() } catch {
                throw (error as? StoreError) ?? StoreError(.system, "\(error)", cause: error)
            }
        case .loose(let loose):
            guard try loose.stream(oid, sink) else { throw Self.vanished(oid) }
        }
    }

    /// What a stored object costs: the bytes that it takes on disk, and the object that it is a delta
    /// on, if it is one.
    package func storage(
        _ oid: ObjectID
    ) throws(StoreError) -> (size: UInt64, deltaBase: ObjectID?) {
        switch try place(oid) {
        case .packed(let pack, let row):
            let offset = try pack.index.offset(row: row)
            let base = try pack.base(of: try pack.entry(at: offset))
            let baseOID = if let base { try pack.oid(at: base.offset) } else { nil as ObjectID? }
            return (try pack.packedSize(at: offset), baseOID)
        case .loose(let loose):
            guard let status = FileSystem.status(loose.path(oid)) else { throw Self.vanished(oid) }
            return (UInt64(clamping: status.st_size), nil)
        }
    }

    private static func vanished(_ oid: ObjectID) -> StoreError {
        StoreError(.notFound, "object \(oid) went away while it was read")
    }

    // MARK: Listing

    /// Every object of this store and of those that it borrows from, once each, in the order of the
    /// ids.
    public func allObjectIDs() throws(StoreError) -> [ObjectID] {
        var oids = try loose.oids()
        for pack in packs.withLock({ $0 }) {
            for row in 0 ..< pack.index.count { oids.append(pack.index.oid(row: row)) }
        }
        for alternate in alternates { oids += try alternate.allObjectIDs() }
        oids.sort()
        return oids.withoutRepeats()
    }

    /// The objects whose ids begin with these hex digits, at least two of them, in order.
    public func candidates(prefix hex: ByteString) throws(StoreError) -> [ObjectID] {
        guard (2 ... format.hexCount).contains(hex.count) else { return [] }
        let padding = [UInt8](repeating: 0x30, count: format.hexCount - hex.count)
        guard let first = ObjectID(hex: hex + ByteString(padding)), first.format == format else {
            return []
        }
        let lower = ByteString(Array(first.hexBytes.prefix(hex.count)))
        func matches(_ oid: ObjectID) -> Bool { oid.hexBytes.starts(with: lower.bytes) }
        var found = try loose.oids(firstByte: first.firstByte).filter(matches)
        for pack in packs.withLock({ $0 }) {
            var row = pack.index.firstRow(notBefore: first)
            while row < pack.index.count, matches(pack.index.oid(row: row)) {
                found.append(pack.index.oid(row: row))
                row += 1
            }
        }
        for alternate in alternates { found += try alternate.candidates(prefix: hex) }
        return found.sorted().withoutRepeats()
    }

    // MARK: Writing

    /// Stores an object loose, unless it is there already; says its id.
    @discardableResult
    public func write(_ kind: ObjectKind, _ content: [UInt8]) throws(StoreError) -> ObjectID {
        let oid = try identify(GitObject(kind: kind, content: content), format)
        if try !contains(oid) { try loose.write(oid, kind, content) }
        return oid
    }
}

extension [ObjectID] {
    /// A sorted list with each element once.
    fileprivate func withoutRepeats() -> [ObjectID] {
        var result: [ObjectID] = []
        result.reserveCapacity(count)
        for oid in self where oid != result.last { result.append(oid) }
        return result
    }
}
