internal import GitCore

/// The entries of a pack that have arrived: a row for each, with the ids of whole objects as they are
/// hashed on other threads, and the deltas that are kept to be resolved.
final class ArrivedEntries {
    private var table: PackEntryTable
    private var deltas: DeltaStore
    /// How many there were when deltas were last resolved.
    private var resolvedCount = 0
    /// What the streams that came so far inflate to, together.
    private(set) var inflatedTotal: UInt64 = 0

    private let format: ObjectFormat
    private let limits: PackLimits
    private let hashes: HashQueue

    init(
        _ format: ObjectFormat, limits: PackLimits, _ deltas: DeltaStore, hashes: HashQueue
    ) {
        self.format = format
        self.limits = limits
        self.deltas = deltas
        self.hashes = hashes
        table = PackEntryTable(format)
    }

    var count: Int { table.count }
    var deltaCount: Int { table.deltaCount }

    func reserve(_ count: Int) { table.reserve(count) }

    // MARK: Rows

    /// Refuses an entry at `position` that is larger than may be.
    func checkLimits(_ header: PackEntryHeader, at position: UInt64) throws(StoreError) {
        guard header.size <= limits.objectSize else {
            throw StoreError(
                .limit,
                "pack: object of \(header.size) bytes at byte \(position) is larger than "
                    + "\(limits.objectSize)")
        }
        guard header.size <= limits.inflatedSize,
            inflatedTotal <= limits.inflatedSize - header.size
        else {
            throw StoreError(.limit, "pack inflates to more than \(limits.inflatedSize) bytes")
        }
    }

    /// Refuses an object that is no blob and larger than one whose links are read may be.
    func checkLinkedSize(
        _ header: PackEntryHeader, _ kind: ObjectKind, at position: UInt64
    ) throws(StoreError) {
        guard header.size <= limits.linkedObjectSize else {
            throw StoreError(
                .limit, "pack: \(kind.name) of \(header.size) bytes at byte \(position)")
        }
    }

    func append(_ header: PackEntryHeader, at position: UInt64) throws(StoreError) {
        do throws(ParseError) {
            try table.append(offset: position, header)
        } catch { throw StoreError("pack", ParseError(error.reason, at: position)) }
        inflatedTotal += header.size
    }

    func setCRC(_ crc: UInt32, row: Int) { table.setCRC(crc, row: row) }

    func setObjectID(_ oid: ObjectID, row: Int) { table.setObjectID(oid, row: row) }

    // MARK: Hashing

    /// Has the objects of a batch hashed, and takes the ids that are there.
    func submit(_ batch: HashQueue.Batch) throws(StoreError) {
        try hashes.submit(batch)
        takeHashed()
    }

    /// Waits until all is hashed.
    ///
    /// - Parameter end: where the pack's trailer begins.
    func finish(_ batch: HashQueue.Batch, at end: UInt64) throws(StoreError) {
        try hashes.submit(batch)
        try hashes.finish()
        takeHashed()
        table.close(at: end)
    }

    private func takeHashed() {
        while let done = hashes.takeHashed() {
            for (item, oid) in zip(done.items, done.oids) {
                if let oid { table.setObjectID(oid, row: item.row) }
            }
            hashes.recycle(done)
        }
    }

    // MARK: Deltas

    /// Notes where the delta of an entry is kept.
    func noteDelta(_ place: DeltaStore.Position, row: Int) { deltas.note(place, row: row) }

    /// Whether deltas should be resolved before more come, since there is hardly room to keep more; but
    /// not too often, for it goes over all entries.
    var isFull: Bool {
        deltas.isNearlyFull && table.count - resolvedCount > table.count / Self.mostResolutions
    }

    private static let mostResolutions = 16

    /// Has `resolve` resolve the deltas of which it can; no delta is kept afterwards.
    ///
    /// - Parameter end: where the last entry ends.
    func resolveSoFar(
        at end: UInt64,
        _ resolve: (inout PackEntryTable, DeltaStore) throws(StoreError) -> Void
    ) throws(StoreError) {
        takeHashed()
        table.close(at: end)
        try resolve(&table, deltas)
        table.reopen()
        deltas.removeAll(upTo: table.count)
        resolvedCount = table.count
    }

    /// Hands the entries and the kept deltas over, and keeps nothing.
    func takeResult() -> (table: PackEntryTable, deltas: DeltaStore) {
        let result = (table, deltas)
        table = PackEntryTable(format)
        deltas = DeltaStore(budget: 0)
        return result
    }
}
