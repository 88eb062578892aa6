internal import GitCore
import Synchronization

/// The packs of one store, and the way from an id to the one that has it.
///
/// A pack that cannot be used is passed over, and so is a multi-pack-index; both are told of.
final class PackDirectory: Sendable {
    private let directory: ByteString
    private let format: ObjectFormat
    private let usesMultiPackIndex: Bool
    private let openPacks: OpenPacks
    private let faults: FaultLog
    private let state = Mutex(State())

    private struct State {
        var listing = PackListing()
        /// What ``listing`` was read from; nil where there is no such directory.
        var stamp: FileStamp?
        var isRead = false
        /// A multi-pack-index that was found wrong.
        var setAside: FileStamp?
    }

    /// - Parameter directory: `objects/pack`, there or not.
    init(
        _ directory: ByteString, _ format: ObjectFormat, usesMultiPackIndex: Bool,
        _ openPacks: OpenPacks, _ faults: FaultLog
    ) {
        self.directory = directory
        self.format = format
        self.usesMultiPackIndex = usesMultiPackIndex
        self.openPacks = openPacks
        self.faults = faults
    }

    /// The packs as they were seen last.
    var listing: PackListing { state.withLock { $0.listing } }

    // MARK: Finding

    /// Where an object is.
    ///
    /// - Parameter tried: numbers of packs that are not wanted.
    func find(
        _ oid: ObjectID, besides tried: [UInt64] = []
    ) throws(StoreError) -> (pack: Pack, offset: UInt64)? {
        let listing = listing
        if let covered = listing.covered, let row = covered.index.oids.row(of: oid) {
            do throws(StoreError) {
                let place = try covered.index.place(row: row)
                let pack = covered.packs[place.pack]
                if !tried.contains(pack.number), try isUsable(pack) { return (pack, place.offset) }
            } catch  where error.code == .corrupt {
                try setAside(error)
                return try find(oid, besides: tried)
            }
            // It names one of those that have the object; another may do.
            if let place = try find(oid, in: covered.packs, besides: tried) { return place }
        }
        return try findUncovered(oid, listing, tried)
    }

    private func findUncovered(
        _ oid: ObjectID, _ listing: PackListing, _ tried: [UInt64]
    ) throws(StoreError) -> (pack: Pack, offset: UInt64)? {
        let others = listing.others
        guard !others.isEmpty else { return nil }
        // The next object is likely to be in the same pack.
        let last = min(listing.lastHit.load(ordering: .relaxed), others.count - 1)
        for step in 0 ..< others.count {
            let number = step == 0 ? last : step <= last ? step - 1 : step
            let (pack, index) = others[number]
            guard let row = index.row(of: oid), !tried.contains(pack.number), try isUsable(pack)
            else { continue }
            if number != last { listing.lastHit.store(number, ordering: .relaxed) }
            return (pack, try index.offset(row: row))
        }
        return nil
    }

    private func find(
        _ oid: ObjectID, in packs: [Pack], besides tried: [UInt64]
    ) throws(StoreError) -> (pack: Pack, offset: UInt64)? {
        for pack in packs where !tried.contains(pack.number) {
            guard try isUsable(pack), let row = try pack.index().row(of: oid) else { continue }
            return (pack, try pack.index().offset(row: row))
        }
        return nil
    }

    /// Whether the pack's files are there and belong together.
    func isUsable(_ pack: Pack) throws(StoreError) -> Bool {
        try passingOver { () throws(StoreError) in try pack.end() } != nil
    }

    /// nil, and told of, for a file that is wrong; nil for one that is not there: other processes
    /// repack at any time.
    private func passingOver<Result>(
        _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result? {
        do throws(StoreError) { return try body() } catch {
            switch error.code {
            case .notFound: return nil
            case .corrupt, .unsupported:
                faults.record(error)
                return nil
            default: throw error
            }
        }
    }

    // MARK: Reading the directory

    /// Looks for packs that are new, and lets go of those that are gone; says whether it had to look.
    @discardableResult
    func refresh() throws(StoreError) -> Bool {
        let stamp = FileStamp(directory)
        let isKnown = state.withLock { state in
            state.isRead && state.stamp == stamp && (state.stamp?.isSettled ?? true)
        }
        if isKnown { return false }
        try read(stamp)
        return true
    }

    /// Whether a copy that proved wrong was where only the multi-pack-index says; that is used no more
    /// then.
    func wasMisled(_ oid: ObjectID, to pack: Pack, _ offset: UInt64) throws(StoreError) -> Bool {
        guard let covered = listing.covered,
            covered.packs.contains(where: { $0.number == pack.number })
        else { return false }
        let index = try pack.index()
        if let row = index.row(of: oid), try index.offset(row: row) == offset { return false }
        try setAside(
            StoreError(
                .corrupt, "multi-pack-index in '\(directory)' has a wrong place for \(oid)"))
        return true
    }

    /// Uses a multi-pack-index no more, unless another takes its place.
    private func setAside(_ fault: StoreError) throws(StoreError) {
        faults.record(fault)
        state.withLock { $0.setAside = $0.listing.covered?.stamp }
        try read(FileStamp(directory))
    }

    private func read(_ stamp: FileStamp?) throws(StoreError) {
        let old = listing
        let names = Set(try Self.list(directory))
        let bases = names.filter { name in
            name.hasPrefix("pack-") && name.hasSuffix(".idx")
                && names.contains(name.dropLast(4) + ".pack")
        }.map { $0.dropLast(4) }.sorted()
        let known = old.packsByPath
        func pack(_ base: ByteString) -> Pack {
            known[directory / base + ".pack"] ?? Pack(directory / base, format, openPacks)
        }
        var covered: PackListing.Covered?
        if usesMultiPackIndex, names.contains(Self.multiPackIndexName) {
            covered = try readMultiPackIndex(Set(bases), pack)
        }
        let coveredNames = Set(covered?.index.packNames ?? [])
        var others: [(pack: Pack, index: PackIndexFile)] = []
        for base in bases where !coveredNames.contains(base) {
            let pack = pack(base)
            if let index = try passingOver({ () throws(StoreError) in try pack.index() }) {
                others.append((pack, index))
            }
        }
        let new = PackListing(
            paths: bases.map { directory / $0 }, covered: covered, others: others)
        state.withLock { state in
            state.listing = new
            state.stamp = stamp
            state.isRead = true
        }
    }

    private static let multiPackIndexName: ByteString = "multi-pack-index"

    /// nil where it is of no use: one that names a pack which is gone would hide that others have its
    /// objects.
    private func readMultiPackIndex(
        _ bases: Set<ByteString>, _ pack: (ByteString) -> Pack
    ) throws(StoreError) -> PackListing.Covered? {
        let path = directory / Self.multiPackIndexName
        guard let stamp = FileStamp(path), state.withLock({ $0.setAside != stamp }) else {
            return nil
        }
        let index = try passingOver { () throws(StoreError) in try MultiPackIndex(path, format) }
        guard let index, index.packNames.allSatisfy({ bases.contains($0) }) else { return nil }
        return PackListing.Covered(index: index, packs: index.packNames.map(pack), stamp: stamp)
    }

    private static func list(_ path: ByteString) throws(StoreError) -> [ByteString] {
        do throws(StoreError) { return try FileSystem.list(path) } catch
            where error.code == .notFound
        {
            return []
        }
    }
}

/// The packs of a store at one time.
final class PackListing: Sendable {
    /// A multi-pack-index, and the packs that it is for by their numbers in it.
    struct Covered: Sendable {
        let index: MultiPackIndex
        let packs: [Pack]
        let stamp: FileStamp
    }

    /// The paths of all packs that have an index, without an ending, in order; those that cannot be used
    /// included.
    let paths: [ByteString]
    let covered: Covered?
    /// Those that are not covered, in the order of their names.
    let others: [(pack: Pack, index: PackIndexFile)]
    /// Which of ``others`` had the last object that was found.
    let lastHit = Atomic(0)

    init(
        paths: [ByteString] = [], covered: Covered? = nil,
        others: [(pack: Pack, index: PackIndexFile)] = []
    ) {
        self.paths = paths
        self.covered = covered
        self.others = others
    }

    var packs: [Pack] { (covered?.packs ?? []) + others.map(\.pack) }

    /// Sorted tables that have each object of the packs at least once.
    var tables: [ObjectIDTable] {
        (covered.map { [$0.index.oids] } ?? []) + others.map(\.index.oids)
    }

    fileprivate var packsByPath: [ByteString: Pack] {
        Dictionary(packs.map { ($0.path, $0) }) { first, _ in first }
    }
}
