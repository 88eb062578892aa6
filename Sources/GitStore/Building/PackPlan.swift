internal import GitCore

/// Where each object of an answer is taken from, and which of them have to be made anew.
///
/// An entry of a pack goes out as it is: an object in full always, a delta if its base is in the answer
/// too, and before it, or if the receiver has it and takes a thin pack. All others, and what is in no
/// pack, may become new deltas.
struct PackPlan {
    /// A pack that objects are taken from, with those.
    private(set) var packs: [PackMembers] = []
    /// Objects that are in no pack.
    private(set) var loose: [UInt32] = []
    /// For each pack of the reader, its place in ``packs``.
    private(set) var places: [Int?]
    private let selection: PackSelection

    init(_ selection: PackSelection) throws(StoreError) {
        self.selection = selection
        let reader = selection.reader
        var rows = [[(row: UInt32, number: UInt32)]](
            repeating: [], count: reader.places.packs.count)
        for number in selection.chosen {
            if let place = try reader.place(Int(number)) {
                rows[place.pack].append((UInt32(truncatingIfNeeded: place.row), number))
            } else {
                loose.append(number)
            }
        }
        places = Array(repeating: nil, count: rows.count)
        // Those with most objects first: what is a delta in others then has its base before it.
        for pack in rows.indices.sorted(by: { rows[$0].count > rows[$1].count })
        where !rows[pack].isEmpty {
            places[pack] = packs.count
            let (file, index) = reader.places.packs[pack]
            packs.append(try PackMembers(file, index, rows[pack]))
            rows[pack] = []
        }
    }

    /// Whether the answer is all that one pack holds: then nothing is to be made.
    var isOnePack: Bool {
        guard selection.request.reusesDeltas else { return false }
        if selection.share != nil { return packs.isEmpty && loose.isEmpty }
        return packs.count == 1 && loose.isEmpty && packs[0].isWhole
    }

    // MARK: Bases

    /// What an entry is based on.
    enum Base {
        /// It is an object in full.
        case none
        /// A member of the same pack, by its number; it may come later where the entry is a REF_DELTA.
        case member(Int)
        /// Another object of the answer, in a pack that is written before, or in none.
        case other(Int)
        /// An object of the share, which is written first.
        case shared(ObjectID)
        /// An object that the receiver has.
        case received(ObjectID)
        /// One that is not sent: the entry is of no use.
        case missing
    }

    /// - Parameters:
    ///   - place: of the member among those of the pack.
    ///   - number: of the pack in ``packs``.
    func base(
        of header: PackEntryHeader, _ member: PackMembers.Member, at place: Int, in number: Int
    ) -> Base {
        let pack = packs[number]
        switch header.base {
        case .none: return .none
        case _ where !selection.request.reusesDeltas: return .missing
        case .distance(let distance):
            guard distance < member.offset else { return .missing }
            if let base = pack.member(at: member.offset - distance, before: place) {
                return .member(Int(base.number))
            }
            guard let oid = pack.oid(at: member.offset - distance) else { return .missing }
            return base(oid, number, header.size)
        case .oid(let oid): return base(oid, number, header.size)
        }
    }

    private func base(_ oid: ObjectID, _ pack: Int, _ size: UInt64) -> Base {
        let objects = selection.objects
        if let share = selection.share, share.holds(oid) { return .shared(oid) }
        let isThin = selection.request.isThin && size <= selection.largestDeltaOnReceived
        guard let number = objects.find(oid) else {
            return isThin && selection.hasReceived(oid) ? .received(oid) : .missing
        }
        if objects.has(.chosen, number) {
            guard let place = PackedPlaces.place(objects.places[number]),
                let other = places[place.pack]
            else { return .other(number) }
            if other == pack { return .member(number) }
            return other < pack ? .other(number) : .missing
        }
        let isReceived = objects.has(.uninteresting, number) || selection.hasReceived(oid)
        return isThin && isReceived ? .received(oid) : .missing
    }
}
