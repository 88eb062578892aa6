internal import GitCore

/// Chooses the objects of a pack by bitmaps: what the wants reach but what the haves reach, exactly.
///
/// What is a large part of the pack that the bitmaps are for becomes the selection's ``PackShare``; else
/// its objects get numbers as if they had been walked to.
struct BitmapSelection {
    private let selection: PackSelection
    private let index: BitmapIndex
    private let history: BitmapHistory
    private var objects: ReachedObjects { selection.objects }
    private var request: PackRequest { selection.request }

    init(_ selection: PackSelection, _ index: BitmapIndex) throws(StoreError) {
        self.selection = selection
        self.index = index
        history = try BitmapHistory(index, selection.reader)
    }

    /// Bitmaps know nothing of histories that are cut off, nor of how deep a tree is and what its path.
    static func isOfUse(for request: PackRequest) -> Bool {
        request.usesBitmaps && request.shallow.isEmpty && !request.wants.isEmpty
            && [0, UInt64.max].contains(request.filter.depth) && request.filter.sparse.isEmpty
    }

    /// False where a walk gives better results.
    func run() throws(StoreError) -> Bool {
        // Without their paths, bases for new deltas would be missed.
        if request.isThin, !request.haves.isEmpty, !index.file.hasNameHashes { return false }
        let had = BitmapReach(selection, history, excluding: nil)
        try had.run(try tips(request.haves, mark: nil))
        let wanted = BitmapReach(selection, history, excluding: had)
        try wanted.run(try tips(request.wants, mark: .given))
        var bits = wanted.bits
        bits.subtract(had.bits)
        try choose(wanted.others)
        try filter(&bits)
        try selection.leaveOutElsewhere(&bits, index)
        try selection.chooseTags { number in isChosen(number, bits) }
        try share(bits, had.bits)
        try selection.finish()
        return true
    }

    private func isChosen(_ number: Int, _ bits: Bitmap) -> Bool {
        objects.has(.chosen, number) || history.bit(number).map(bits.contains) ?? false
    }

    /// The numbers of objects, and if they are tags, of what is behind them.
    private func tips(
        _ oids: [ObjectID], mark: ReachedMarks?
    ) throws(StoreError) -> [Int] {
        var tips: [Int] = []
        for oid in oids {
            try selection.forEachTag(from: oid) { number, _ in
                if let mark { objects.set(mark, number) }
                tips.append(number)
            }
        }
        return tips
    }

    // MARK: Filters

    private func isLeftOut(_ kind: ObjectKind) -> Bool {
        let filter = request.filter
        guard filter.kinds.contains(kind) else { return true }
        switch kind {
        case .commit, .tag: return false
        case .tree: return filter.depth == 0
        case .blob: return filter.depth == 0 || filter.blobLimit == 0
        }
    }

    /// Chooses those objects outside the index that the filter lets through.
    private func choose(_ others: [Int]) throws(StoreError) {
        for number in others {
            if objects.has(.given, number) {
                selection.choose(number)
            } else if let kind = objects.kind(number), !isLeftOut(kind) {
                if kind == .blob { selection.takeBlob(number) } else { selection.choose(number) }
            }
        }
        try selection.chooseSized()
    }

    private func filter(_ bits: inout Bitmap) throws(StoreError) {
        let all = bits
        for kind in ObjectKind.allCases where isLeftOut(kind) {
            bits.subtract(try index.file.objects(kind))
        }
        if request.filter.blobLimit < .max, !isLeftOut(.blob) { try filterBySize(&bits) }
        for number in 0 ..< objects.count where objects.has(.given, number) {
            if let bit = history.bit(number), all.contains(bit) { bits.insert(bit) }
        }
    }

    private func filterBySize(_ bits: inout Bitmap) throws(StoreError) {
        var blobs = try index.file.objects(.blob)
        blobs.formIntersection(bits)
        let tools = ReadingTools(DeltaBaseCache(budget: 1 << 20, shards: 1))
        let order = try index.pack?.rowsInPackOrder() ?? []
        try blobs.forEach { bit throws(StoreError) in
            try selection.cancellation.check()
            let place = bit < index.packCount ? order[bit].offset : nil
            if try size(bit, at: place, tools) >= request.filter.blobLimit { bits.remove(bit) }
        }
    }

    /// - Parameter place: where its entry begins in the pack of the first bits.
    private func size(
        _ bit: Int, at place: UInt64?, _ tools: ReadingTools
    ) throws(StoreError) -> UInt64 {
        if let place, let pack = index.pack {
            do throws(StoreError) { return try pack.header(at: place, tools).size } catch
                where error.code == .corrupt || error.code == .notFound
            {
                // Another copy may do.
            }
        }
        return try selection.reader.header(objects.number(of: index.oid(bit: bit))).size
    }

    // MARK: What becomes of the bits

    /// A part of a pack is copied if it is at least one in so many of its entries.
    private static let leastShare = 8

    private func share(_ bits: Bitmap, _ had: Bitmap) throws(StoreError) {
        var rest = bits
        if let pack = index.pack, index.packCount > 0, try pack.index().crc(row: 0) != nil {
            let wanted = bits.prefix(index.packCount)
            if wanted.population >= index.packCount / Self.leastShare {
                let hasHaves = !had.isEmpty
                let share = try PackShare(
                    pack, wanted: wanted, received: hasHaves ? had.prefix(index.packCount) : nil)
                let unusable = try share.removeUnusable(
                    among: try ofSplitKinds(wanted), isThin: request.isThin,
                    selection.cancellation)
                selection.share = share
                rest.removeAll(under: index.packCount)
                for oid in unusable {
                    if let bit = index.bit(of: oid) { rest.insert(bit) }
                }
            }
        }
        try number(rest)
        guard !had.isEmpty else { return }
        selection.hasReceived = { [index] oid in index.bit(of: oid).map(had.contains) ?? false }
        if request.isThin { try chooseBases(for: selection.chosen, had) }
    }

    /// Those of kinds of which not all of the pack's objects are wanted: what is a delta is on one of its
    /// kind.
    private func ofSplitKinds(_ wanted: Bitmap) throws(StoreError) -> Bitmap {
        var split = wanted
        for kind in ObjectKind.allCases {
            let all = try index.file.objects(kind).prefix(wanted.count)
            var some = all
            some.formIntersection(wanted)
            if some == all { split.subtract(all) }
        }
        return split
    }

    private func number(_ bits: Bitmap) throws(StoreError) {
        guard !bits.isEmpty else { return }
        for kind in ObjectKind.allCases {
            var some = try index.file.objects(kind)
            some.formIntersection(bits)
            try some.forEach { bit throws(StoreError) in
                let number = objects.number(of: index.oid(bit: bit))
                objects.setKind(kind, number)
                if kind == .tree || kind == .blob {
                    objects.hints[number] = index.nameHash(bit: bit)
                }
                selection.choose(number)
            }
        }
    }

    /// How many of the receiver's objects before and behind each are given as bases.
    private static let nearBases = 2

    /// Has the receiver's objects of the paths of those in the pack be bases: those nearest in the order
    /// of the bits, where versions that are like one another stand together.
    private func chooseBases(for chosen: [UInt32], _ had: Bitmap) throws(StoreError) {
        for kind in [ObjectKind.tree, .blob] {
            let wanted = chosen.filter { objects.kind(Int($0)) == kind }
            var versions: [UInt32: [Int]] = [:]
            var filter = HashFilter()
            for number in wanted {
                versions[objects.hints[Int(number)]] = []
                filter.insert(objects.hints[Int(number)])
            }
            if versions.isEmpty { continue }
            var some = try index.file.objects(kind)
            some.formIntersection(had)
            some.forEach { bit in
                let hash = index.nameHash(bit: bit)
                if filter.mayHold(hash) { versions[hash]?.append(bit) }
            }
            for number in wanted {
                let known = versions[objects.hints[Int(number)]] ?? []
                let bit = history.bit(Int(number)) ?? 0
                let place = known.partitionPoint { $0 < bit }
                let near =
                    max(0, place - Self.nearBases) ..< min(known.count, place + Self.nearBases)
                for bit in known[near] { addBase(bit, kind) }
            }
        }
    }

    private func addBase(_ bit: Int, _ kind: ObjectKind) {
        let number = objects.number(of: index.oid(bit: bit))
        guard objects.marks[number].isDisjoint(with: [.chosen, .uninteresting]) else { return }
        objects.set(.uninteresting, number)
        objects.setKind(kind, number)
        objects.hints[number] = index.nameHash(bit: bit)
        selection.received.append(UInt32(truncatingIfNeeded: number))
    }
}

/// Whether a hash may be one of a few: asked of every object of a pack, where a dictionary took a fifth of the
/// time of a small fetch.
private struct HashFilter {
    private var words = [UInt64](repeating: 0, count: 1 << 10)

    mutating func insert(_ hash: UInt32) {
        let bit = Self.bit(hash)
        words[bit >> 6] |= 1 << UInt64(bit & 63)
    }

    @inline(__always)
    func mayHold(_ hash: UInt32) -> Bool {
        let bit = Self.bit(hash)
        return words[bit >> 6] >> UInt64(bit & 63) & 1 != 0
    }

    @inline(__always)
    private static func bit(_ hash: UInt32) -> Int {
        Int(truncatingIfNeeded: (hash &* 0x9e37_79b1) >> 16)
    }
}
