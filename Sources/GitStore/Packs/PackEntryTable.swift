internal import GitCore

/// What is known of each entry of a pack while it is being indexed: about 40 bytes an entry with
/// 20-byte ids. Rows are in pack order.
struct PackEntryTable {
    let format: ObjectFormat

    /// Where each entry begins in the pack; one more element, where the last one ends, once complete.
    private(set) var offsets: [UInt64] = []
    /// CRC-32 of each entry's bytes in the pack.
    private(set) var crcs: [UInt32] = []
    /// The type as in the entry's header (6 and 7 for deltas) below, the kind found out, in the high
    /// four bits.
    private(set) var types: [UInt8] = []
    private(set) var headerLengths: [UInt8] = []
    /// For an OFS_DELTA the row of its base, and for a REF_DELTA too, once it is rebuilt; before, its
    /// number in ``refBases``.
    private(set) var bases: [UInt32] = []
    /// The ids, which copies of a table have in common.
    let oids: ObjectIDColumn
    /// The bases that REF_DELTA entries name, with the entries' rows.
    private(set) var refBases: [(oid: ObjectID, row: UInt32)] = []

    /// How many entries are deltas.
    private(set) var deltaCount = 0

    static let ofsDelta: UInt8 = 6
    static let refDelta: UInt8 = 7

    /// Rows that room is made for at once, at most: who claims more has to send them.
    private static let mostReserved = 1 << 20

    init(_ format: ObjectFormat) {
        self.format = format
        oids = ObjectIDColumn(format)
    }

    /// Makes room for a number of rows. Memory is in use only once they are there.
    mutating func reserve(_ count: Int) {
        let count = min(count, Self.mostReserved) + 1
        offsets.reserveCapacity(count)
        crcs.reserveCapacity(count)
        types.reserveCapacity(count)
        headerLengths.reserveCapacity(count)
        bases.reserveCapacity(count)
    }

    var count: Int { types.count }

    /// Adds an entry; its CRC and id come later.
    mutating func append(
        offset: UInt64, _ header: PackEntryHeader
    ) throws(ParseError) {
        let row = UInt32(truncatingIfNeeded: count)
        switch header.base {
        case .none(let kind):
            types.append(kind.rawValue | kind.rawValue << 4)
            bases.append(0)
        case .distance(let distance):
            guard distance <= offset, let base = self.row(at: offset - distance) else {
                throw ParseError("delta base offset is not that of an entry", at: offset)
            }
            types.append(Self.ofsDelta)
            deltaCount += 1
            bases.append(UInt32(truncatingIfNeeded: base))
        case .oid(let oid):
            types.append(Self.refDelta)
            deltaCount += 1
            bases.append(UInt32(truncatingIfNeeded: refBases.count))
            refBases.append((oid, row))
        }
        offsets.append(offset)
        headerLengths.append(UInt8(header.length))
        crcs.append(0)
        oids.append()
    }

    /// Adds an object in full that is known already.
    mutating func append(
        whole kind: ObjectKind, _ oid: ObjectID, offset: UInt64, headerLength: Int, crc: UInt32
    ) {
        types.append(kind.rawValue | kind.rawValue << 4)
        bases.append(0)
        offsets.append(offset)
        headerLengths.append(UInt8(headerLength))
        crcs.append(crc)
        oids.append()
        setObjectID(oid, row: count - 1)
    }

    mutating func setCRC(_ crc: UInt32, row: Int) { crcs[row] = crc }

    /// Ends ``offsets`` with the end of the last entry.
    mutating func close(at end: UInt64) { offsets.append(end) }

    /// Takes the end off again, for entries to be added.
    mutating func reopen() { offsets.removeLast() }

    func setObjectID(_ oid: ObjectID, row: Int) { oid.write(to: oids[row]) }

    func objectID(row: Int) -> ObjectID {
        ObjectID(raw: UnsafeRawBufferPointer(oids[row]), format)
    }

    func isDelta(_ row: Int) -> Bool { types[row] & 15 >= Self.ofsDelta }

    func isRefDelta(_ row: Int) -> Bool { types[row] & 15 == Self.refDelta }

    /// The kind; nil for a delta that is not resolved yet.
    func kind(row: Int) -> ObjectKind? { ObjectKind(rawValue: types[row] >> 4) }

    mutating func setKind(_ kind: ObjectKind, row: Int) {
        types[row] = types[row] & 15 | kind.rawValue << 4
    }

    /// The row of the entry that a delta is on, if that is known; nil for an object in full.
    func baseRow(_ row: Int) -> Int? {
        switch types[row] & 15 {
        case Self.ofsDelta: Int(bases[row])
        case Self.refDelta where kind(row: row) != nil: Int(bases[row])
        default: nil
        }
    }

    /// Says on which row a REF_DELTA turned out to be.
    mutating func setBase(_ base: Int, row: Int) { bases[row] = UInt32(truncatingIfNeeded: base) }

    /// The row of the entry that begins at `offset`. Quick where it is one of the last.
    func row(at offset: UInt64) -> Int? {
        var (low, high, step) = (count, count, 64)
        while low > 0, low == high || offsets[low] > offset {
            (low, high, step) = (max(low - step, 0), low, step * 2)
        }
        let row = offsets[low ..< high].partitionPoint { $0 < offset }
        return row < count && offsets[row] == offset ? row : nil
    }
}
