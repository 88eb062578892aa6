public import GitCore

/// The objects of a repository: packs, loose objects, and those of the stores that it borrows from
/// (`objects/info/alternates`).
public final class ObjectDatabase: Sendable {
    public let format: ObjectFormat
    /// The `objects` directory.
    public let directory: ByteString

    /// What the configuration says of reading.
    public struct Settings: Sendable {
        /// core.multiPackIndex: whether an index of many packs is used where there is one.
        public var usesMultiPackIndex = true
        /// core.commitGraph: whether commits are looked up in a commit-graph where there is one.
        public var usesCommitGraph = true
        /// core.deltaBaseCacheLimit: bytes of objects held to rebuild others from.
        public var deltaBaseCacheLimit = 96 << 20

        public init() {}

        init(_ config: Config) throws(StoreError) {
            if let value = try config.bool("core.multipackindex") { usesMultiPackIndex = value }
            if let value = try config.bool("core.commitgraph") { usesCommitGraph = value }
            if let value = try config.int("core.deltabasecachelimit") {
                deltaBaseCacheLimit = value
            }
        }
    }

    let settings: Settings
    let loose: LooseStore
    let packs: PackDirectory
    let faults: FaultLog
    private let tools: ToolShelf
    let alternates: [ObjectDatabase]

    /// Stores that may borrow from one another in a row, as in Git; and all of them together.
    private static let alternateDepth = 5
    private static let maximumAlternates = 256

    /// Opens the store in an `objects` directory.
    public convenience init(
        objectsDirectory: ByteString, format: ObjectFormat, settings: Settings = Settings()
    ) throws(StoreError) {
        let shared = Shared(settings)
        let alternates = try Self.allAlternates(objectsDirectory)
            .map { path throws(StoreError) in try ObjectDatabase(path, format, shared, []) }
        try self.init(objectsDirectory, format, shared, alternates)
    }

    /// Opens the store in an `objects` directory as one that borrows from `other`, and from the stores
    /// which that borrows from, though no file there says so.
    convenience init(
        objectsDirectory: ByteString, borrowingFrom other: ObjectDatabase
    ) throws(StoreError) {
        try self.init(objectsDirectory, other.format, Shared(other.settings), other.stores)
    }

    /// What a store and those that it borrows from have in common.
    private struct Shared {
        let settings: Settings
        let openPacks = OpenPacks()
        let faults = FaultLog()
        let tools: ToolShelf

        init(_ settings: Settings) {
            self.settings = settings
            tools = ToolShelf(DeltaBaseCache(budget: settings.deltaBaseCacheLimit))
        }
    }

    private init(
        _ directory: ByteString, _ format: ObjectFormat, _ shared: Shared,
        _ alternates: [ObjectDatabase]
    ) throws(StoreError) {
        self.directory = directory
        self.format = format
        self.alternates = alternates
        settings = shared.settings
        faults = shared.faults
        tools = shared.tools
        loose = LooseStore(directory: directory, format: format)
        packs = PackDirectory(
            directory / "pack", format, usesMultiPackIndex: settings.usesMultiPackIndex,
            shared.openPacks, shared.faults)
        try refresh()
    }

    /// Has `report` told of packs and indexes that cannot be used, and so are passed over: of those found
    /// by now, and of each that is found later, on whatever thread finds it.
    public func tellOfFaults(_ report: @escaping @Sendable (StoreError) -> Void) {
        faults.tell(report)
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
    package var packPaths: [ByteString] { packs.listing.paths }
    /// How many objects are in each of these packs.
    package var packCounts: [(path: ByteString, count: Int)] {
        packs.listing.packs.map { ($0.path, (try? $0.index().count) ?? 0) }
    }

    private static func alternatePaths(_ directory: ByteString) throws(StoreError) -> [ByteString] {
        let file = directory / "info/alternates"
        guard FileSystem.exists(file) else { return [] }
        return ByteString(try FileSystem.read(file, limit: 1 << 20)).split(0x0a)
            .filter { !$0.isEmpty && !$0.hasPrefix("#") && !$0.bytes.contains(0) }
            .map { $0.hasPrefix("/") ? $0 : directory / $0 }
    }

    /// Looks for packs that are new, and lets go of those that are gone.
    public func refresh() throws(StoreError) { _ = try refreshIfChanged() }

    /// Says whether anything may have changed.
    private func refreshIfChanged() throws(StoreError) -> Bool {
        var isChanged = false
        for store in stores where try store.packs.refresh() { isChanged = true }
        // They may hold files open that are gone.
        if isChanged { tools.clear() }
        return isChanged
    }

    // MARK: Finding

    /// A copy of an object.
    enum Place {
        case packed(Pack, offset: UInt64)
        /// - Parameter number: of the store; see ``Place/source``.
        case loose(LooseStore, number: Int)

        /// What tells it from other copies of the same object.
        var source: UInt64 {
            switch self {
            case .packed(let pack, _): pack.number
            case .loose(_, let number): .max - UInt64(number)
            }
        }
    }

    /// - Parameter tried: sources of copies that are not wanted.
    private func find(
        _ oid: ObjectID, besides tried: [UInt64] = []
    ) throws(StoreError) -> Place? {
        guard oid.format == format else { return nil }
        if let place = try findHere(oid, 0, tried) { return place }
        for (number, store) in alternates.enumerated() {
            if let place = try store.findHere(oid, number + 1, tried) { return place }
        }
        return nil
    }

    private func findHere(
        _ oid: ObjectID, _ number: Int, _ tried: [UInt64]
    ) throws(StoreError) -> Place? {
        if let (pack, offset) = try packs.find(oid, besides: tried) {
            return .packed(pack, offset: offset)
        }
        let place = Place.loose(loose, number: number)
        return !tried.contains(place.source) && loose.contains(oid) ? place : nil
    }

    /// Gives `body` a copy of the object; another one where it says nil because that is gone, or finds
    /// it corrupt or beyond a limit. Looks for new packs before it gives up: another process may have repacked.
    ///
    /// - Parameters:
    ///   - first: a copy to begin with.
    ///   - mine: tools of the calling thread; else some are lent.
    func at<Result>(
        _ oid: ObjectID, first: Place? = nil, _ mine: ReadingTools? = nil,
        _ body: (Place, ReadingTools) throws(StoreError) -> Result?
    ) throws(StoreError) -> Result {
        let tools = mine ?? self.tools.take()
        defer { if mine == nil { self.tools.give(tools) } }
        func attempt(_ place: Place) throws(StoreError) -> Result? { try body(place, tools) }
        var failure: StoreError?
        if let found = try tryCopies(of: oid, first, &failure, attempt) { return found }
        if try refreshIfChanged(), let found = try tryCopies(of: oid, nil, &failure, attempt) {
            return found
        }
        if let failure { throw failure }
        throw missing(oid)
    }

    private func tryCopies<Result>(
        of oid: ObjectID, _ first: Place?, _ failure: inout StoreError?,
        _ body: (Place) throws(StoreError) -> Result?
    ) throws(StoreError) -> Result? {
        var tried: [UInt64] = []
        var next = if let first { first } else { try find(oid) }
        while let place = next {
            do throws(StoreError) {
                if let result = try body(place) { return result }
            } catch {
                switch error.code {
                case .notFound: break  // The file is gone, which is no damage.
                case .corrupt, .limit: failure = failure ?? error
                default: throw error
                }
            }
            if try !wasMisled(oid, to: place) { tried.append(place.source) }
            next = try find(oid, besides: tried)
        }
        return nil
    }

    /// Whether an index had a wrong place for the object, and is used no more.
    private func wasMisled(_ oid: ObjectID, to place: Place) throws(StoreError) -> Bool {
        guard case .packed(let pack, let offset) = place else { return false }
        for store in stores where try store.packs.wasMisled(oid, to: pack, offset) { return true }
        return false
    }

    private func missing(_ oid: ObjectID) -> StoreError {
        let fault = faults.first
        let reason = fault.map { "; what is here is damaged: \($0)" } ?? ""
        return StoreError(
            .notFound, "object \(oid) is not in the repository\(reason)", cause: fault)
    }

    /// Whether the object is here, as far as is known since the last ``refresh()``.
    public func contains(_ oid: ObjectID) throws(StoreError) -> Bool { try find(oid) != nil }

    /// Whether this store itself has the object, and not only one that it borrows from.
    func holds(_ oid: ObjectID) throws(StoreError) -> Bool { try findHere(oid, 0, []) != nil }

    // MARK: Reading

    /// The object, whole in memory.
    ///
    /// - Throws: ``StoreError/Code/notFound``; ``StoreError/Code/corrupt``.
    public func read(_ oid: ObjectID) throws(StoreError) -> GitObject {
        try at(oid) { place, tools throws(StoreError) in
            switch place {
            case .packed(let pack, let offset): try pack.object(at: offset, tools)
            case .loose(let loose, _): try loose.read(oid)
            }
        }
    }

    /// The object's kind, and the size of its content in bytes.
    public func header(_ oid: ObjectID) throws(StoreError) -> (kind: ObjectKind, size: UInt64) {
        try StoredObject(oid, self).header()
    }

    /// Hands the object's content over piece by piece. A large object in full takes little memory,
    /// whatever its size; a delta is rebuilt in memory first.
    public func stream(
        _ oid: ObjectID, _ sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws(StoreError) {
        try StoredObject(oid, self).content { try $0.forEachPiece(sink) }
    }

    /// What a stored object costs: the bytes that it takes on disk, and the object that it is a delta
    /// on, if it is one.
    package func storage(
        _ oid: ObjectID
    ) throws(StoreError) -> (size: UInt64, deltaBase: ObjectID?) {
        try StoredObject(oid, self).storage()
    }

    // MARK: Writing

    /// Stores an object loose, unless it is there already; says its id.
    @discardableResult
    public func write(_ kind: ObjectKind, _ content: [UInt8]) throws(StoreError) -> ObjectID {
        let oid = try identify(GitObject(kind: kind, content: content), format)
        try content.span.withUnsafeBytes { content throws(StoreError) in
            try write(oid, kind, content)
        }
        return oid
    }

    /// Stores an object whose id is known.
    package func write(
        _ oid: ObjectID, _ kind: ObjectKind, _ content: UnsafeRawBufferPointer
    ) throws(StoreError) {
        if try !contains(oid) { try loose.write(oid, kind, content) }
    }
}
