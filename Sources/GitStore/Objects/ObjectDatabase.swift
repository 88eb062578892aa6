public import GitCore
import Synchronization

/// The objects of a repository: packs, loose objects, and those of the stores that it borrows from
/// (`objects/info/alternates`).
public final class ObjectDatabase: Sendable {
    public let format: ObjectFormat
    /// The `objects` directory.
    public let directory: ByteString

    let loose: LooseStore
    private let cache: DeltaBaseCache
    private let openPacks: OpenPacks
    private let packs = Mutex<[Pack]>([])
    private let alternates: [ObjectDatabase]

    /// Stores that may borrow from one another in a row, as in Git; and all of them together.
    private static let alternateDepth = 5
    private static let maximumAlternates = 256
    /// Bytes of objects held as bases of deltas.
    private static let cacheBudget = 64 << 20

    /// Opens the store in an `objects` directory.
    public convenience init(
        objectsDirectory: ByteString, format: ObjectFormat
    ) throws(StoreError) {
        let cache = DeltaBaseCache(budget: Self.cacheBudget)
        let open = OpenPacks()
        let alternates = try Self.allAlternates(objectsDirectory)
            .map { path throws(StoreError) in try ObjectDatabase(path, format, cache, open, []) }
        try self.init(objectsDirectory, format, cache, open, alternates)
    }

    private init(
        _ directory: ByteString, _ format: ObjectFormat, _ cache: DeltaBaseCache,
        _ openPacks: OpenPacks, _ alternates: [ObjectDatabase]
    ) throws(StoreError) {
        self.directory = directory
        self.format = format
        self.cache = cache
        self.openPacks = openPacks
        loose = LooseStore(directory: directory, format: format)
        self.alternates = alternates
        try refresh()
    }

    /// Every store that this one borrows from, at first or second hand, once each.
    private static func allAlternates(_ directory: ByteString) throws(StoreError) -> [ByteString] {
        var known: Set<ByteString> = [FileSystem.realPath(directory) ?? directory]
        var all: [ByteString] = []
        var level = [directory]
        for _ in 0 ..< alternateDepth {
            var next: [ByteString] = []
            for store in level {
                for path in try alternatePaths(store) {
                    guard let real = FileSystem.realPath(path), FileSystem.isDirectory(real),
                        known.insert(real).inserted
                    else { continue }
                    next.append(real)
                }
            }
            all += next
            guard all.count <= maximumAlternates else {
                throw StoreError(
                    .limit, "'\(directory)' borrows from more than \(maximumAlternates) stores")
            }
            level = next
        }
        return all
    }

    /// Every store that objects are read from: this one, and those that it borrows from.
    var stores: [ObjectDatabase] { [self] + alternates }

    /// The paths of this store's own packs, without an ending.
    var packPaths: [ByteString] { packs.withLock { $0.map { $0.path.dropLast(5) } }.sorted() }

    private static func alternatePaths(_ directory: ByteString) throws(StoreError) -> [ByteString] {
        let file = directory / "info/alternates"
        guard FileSystem.exists(file) else { return [] }
        return ByteString(try FileSystem.read(file, limit: 1 << 20)).split(0x0a)
            .filter { !$0.isEmpty && !$0.hasPrefix("#") && !$0.bytes.contains(0) }
            .map { $0.hasPrefix("/") ? $0 : directory / $0 }
    }

    /// Looks for packs that are new, and lets go of those that are gone.
    public func refresh() throws(StoreError) {
        let folder = directory / "pack"
        let names = try Self.ifThere { () throws(StoreError) in try FileSystem.list(folder) } ?? []
        let known = packs.withLock { Dictionary(uniqueKeysWithValues: $0.map { ($0.path, $0) }) }
        var found: [Pack] = []
        for name in names.sorted() where name.hasPrefix("pack-") && name.hasSuffix(".idx") {
            let base = folder / name.dropLast(4)
            if let pack = known[base + ".pack"] {
                found.append(pack)
            } else if FileSystem.exists(base + ".pack") {
                let pack = try Self.ifThere { () throws(StoreError) in
                    try Pack(base, format, cache: cache, open: openPacks)
                }
                if let pack { found.append(pack) }
            }
        }
        packs.withLock { [found] in $0 = found }
        for alternate in alternates { try alternate.refresh() }
    }

    /// nil where what `body` opens is not there: other processes repack at any time.
    private static func ifThere<Result>(
        _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result? {
        do throws(StoreError) { return try body() } catch  where error.code == .notFound {
            return nil
        }
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

    /// Gives `body` the place of the object, which says nil where the object is there no more. Looks
    /// again for new packs before it gives up: another process may have repacked.
    private func at<Result>(
        _ oid: ObjectID, _ body: (Place) throws(StoreError) -> Result?
    ) throws(StoreError) -> Result {
        if let place = try find(oid), let result = try body(place) { return result }
        try refresh()
        if let place = try find(oid), let result = try body(place) { return result }
        throw StoreError(.notFound, "object \(oid) is not in the repository")
    }

    /// Whether the object is here, as far as is known since the last ``refresh()``.
    public func contains(_ oid: ObjectID) throws(StoreError) -> Bool { try find(oid) != nil }

    // MARK: Reading

    /// The object, whole in memory.
    ///
    /// - Throws: ``StoreError/Code/notFound``; ``StoreError/Code/corrupt``.
    public func read(_ oid: ObjectID) throws(StoreError) -> GitObject {
        try at(oid) { place throws(StoreError) in
            switch place {
            case .packed(let pack, let row): try pack.object(at: pack.index.offset(row: row))
            case .loose(let loose): try loose.read(oid)
            }
        }
    }

    /// The object's kind, and the size of its content in bytes.
    public func header(_ oid: ObjectID) throws(StoreError) -> (kind: ObjectKind, size: UInt64) {
        try at(oid) { place throws(StoreError) in
            switch place {
            case .packed(let pack, let row): try pack.header(at: pack.index.offset(row: row))
            case .loose(let loose): try loose.header(oid)
            }
        }
    }

    /// Hands the object's content over piece by piece. An object in full takes little memory, whatever
    /// its size; a delta is rebuilt in memory first.
    public func stream(
        _ oid: ObjectID, _ sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws(StoreError) {
        try at(oid) { place throws(StoreError) -> Void? in
            switch place {
            case .packed(let pack, let row):
                try pack.streamObject(at: pack.index.offset(row: row), sink)
            case .loose(let loose): try loose.stream(oid, sink) ? () : nil
            }
        }
    }

    /// What a stored object costs: the bytes that it takes on disk, and the object that it is a delta
    /// on, if it is one.
    package func storage(
        _ oid: ObjectID
    ) throws(StoreError) -> (size: UInt64, deltaBase: ObjectID?) {
        try at(oid) { place throws(StoreError) in
            switch place {
            case .packed(let pack, let row): try pack.storage(at: pack.index.offset(row: row))
            case .loose(let loose):
                FileSystem.status(loose.path(oid)).map { (UInt64(clamping: $0.st_size), nil) }
            }
        }
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
