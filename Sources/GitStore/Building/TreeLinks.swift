internal import GitCore

/// One entry of a tree, where it stands in memory.
struct TreeLink {
    let id: RawObjectID
    let isTree: Bool
    let name: UnsafeRawBufferPointer
}

/// Goes over what trees point to, for a walk that wants each link once. One a thread.
///
/// Most of a tree that is a delta was copied from one whose links were followed already: only the
/// entries that the delta changes are looked at. Of the others many were seen lately: a small
/// direct-mapped cache answers for these.
final class TreeLinks {
    private let reader: WalkReader
    private let format: ObjectFormat
    private let tools: ReadingTools
    private var shelf: TreeShelf
    private var chain: [PackEntry] = []
    private let recent: UnsafeMutablePointer<RawObjectID>
    private var round: UInt8 = 0

    private static let recentCount = 1 << 16
    /// Bytes of trees that are held.
    private static let budget = 96 << 20

    init(_ reader: WalkReader) {
        self.reader = reader
        format = reader.objects.format
        tools = ReadingTools(DeltaBaseCache(budget: 0, shards: 1))
        shelf = TreeShelf(budget: Self.budget)
        recent = .allocate(capacity: Self.recentCount)
        recent.initialize(repeating: .zero, count: Self.recentCount)
    }

    deinit { recent.deallocate() }

    /// What was handed over before is handed over again, once.
    ///
    /// - Parameter number: of the round, under 8.
    func begin(round number: UInt8) {
        round = 1 << number
        recent.update(repeating: .zero, count: Self.recentCount)
    }

    /// Gives `body` the links of a tree, gitlinks left out: at least those that were not given in this
    /// round. With `all`, every one.
    func forEach(
        _ number: Int, all: Bool = false, _ body: (TreeLink) -> Void
    ) throws(StoreError) {
        do throws(StoreError) {
            if let place = try reader.place(number) {
                let (pack, index) = reader.places.packs[place.pack]
                return try packed(pack, try index.offset(row: place.row), all, body)
            }
        } catch  where error.code == .corrupt || error.code == .notFound {
            // Another copy may do. What was handed over is there, and handed over again.
            begin(round: UInt8(round.trailingZeroBitCount))
        }
        let object = try reader.database.read(reader.objects.oid(number))
        guard object.kind == .tree else { throw reader.mismatch(number, object.kind, .tree) }
        do throws(ParseError) {
            try object.content.span.withUnsafeBytes { bytes throws(ParseError) in
                var walk = TreeWalk(bytes, format)
                while !walk.isAtEnd { try next(&walk, bytes, all, body) }
            }
        } catch {
            throw StoreError("tree \(reader.objects.oid(number))", error)
        }
    }

    // MARK: Differences

    /// The links of a tree that `base` does not have under the same name; all where there is none.
    func differences(
        of number: Int, from base: Int?
    ) throws(StoreError) -> [TreeDifference.Link] {
        let old = if let base { try content(base) } else { HeldTree(0) }
        let new = try content(number)
        defer { withExtendedLifetime((old, new)) {} }
        do throws(ParseError) {
            return try TreeDifference.links(
                of: UnsafeRawBufferPointer(new.bytes), besides: UnsafeRawBufferPointer(old.bytes),
                format)
        } catch {
            throw StoreError("tree \(reader.objects.oid(number))", error)
        }
    }

    private func content(_ number: Int) throws(StoreError) -> HeldTree {
        do throws(StoreError) {
            if let place = try reader.place(number) {
                let (pack, index) = reader.places.packs[place.pack]
                return try hold(pack, try index.offset(row: place.row)).0
            }
        } catch  where error.code == .corrupt || error.code == .notFound {
            // Another copy may do.
        }
        let object = try reader.database.read(reader.objects.oid(number))
        guard object.kind == .tree else { throw reader.mismatch(number, object.kind, .tree) }
        let tree = HeldTree(object.content.count)
        tree.bytes.copyBytes(from: object.content)
        return tree
    }

    /// The tree that this one is a delta on, if its links were not followed in this round: were they, few
    /// of this one's would be left to look at.
    func unfollowedBase(of number: Int) throws(StoreError) -> ObjectID? {
        guard let place = try reader.place(number) else { return nil }
        let (pack, index) = reader.places.packs[place.pack]
        do throws(StoreError) {
            let entry = try pack.entry(at: try index.offset(row: place.row), tools)
            guard let base = try pack.baseOffset(of: entry) else { return nil }
            if let held = shelf.tree(pack, base), held.rounds & round != 0 { return nil }
            return try pack.oid(at: base)
        } catch  where error.code == .corrupt || error.code == .notFound {
            // Who reads it will know.
            return nil
        }
    }

    private func packed(
        _ pack: Pack, _ offset: UInt64, _ all: Bool, _ body: (TreeLink) -> Void
    ) throws(StoreError) {
        let (tree, source) = try hold(pack, offset)
        let bytes = UnsafeRawBufferPointer(tree.bytes)
        do throws(ParseError) {
            let starts = try TreeStarts(bytes, format) { walk throws(ParseError) in
                if let (delta, base) = source, !all, base.rounds & round != 0,
                    let starts = base.starts
                {
                    try walk.forEachChange(by: delta, on: starts) { walk throws(ParseError) in
                        try next(&walk, bytes, all, body)
                    }
                } else {
                    while !walk.isAtEnd { try next(&walk, bytes, all, body) }
                }
            }
            tree.starts = starts
            tree.rounds |= round
        } catch {
            throw pack.fault(offset, error)
        }
    }

    @inline(__always)
    private func next(
        _ walk: inout TreeWalk, _ bytes: UnsafeRawBufferPointer, _ all: Bool,
        _ body: (TreeLink) -> Void
    ) throws(ParseError) {
        let start = walk.position
        guard let place = try walk.next() else { return }
        let id = RawObjectID(place, format)
        if !all {
            // SAFETY: the mask keeps it below the count, a power of two.
            let slot = Int(truncatingIfNeeded: id.words.0) & (Self.recentCount - 1)
            if recent[slot] == id { return }
            recent[slot] = id
        }
        // SAFETY: the walk found a mode of five or six digits, a space, a name and a NUL.
        let end = walk.position &- format.byteCount &- 1
        let modeLength = bytes[start &+ 5] == 0x20 ? 5 : 6
        let isTree = bytes[start] == 0x34 || (bytes[start] == 0x30 && bytes[start &+ 1] == 0x34)
        body(
            TreeLink(
                id: id, isTree: isTree,
                name: UnsafeRawBufferPointer(rebasing: bytes[start &+ modeLength &+ 1 ..< end])))
    }

    // MARK: Reading

    /// The tree at `offset`, and if it was made just now by a delta, that and its base. The delta is
    /// valid until the next call.
    private func hold(
        _ pack: Pack, _ offset: UInt64
    ) throws(StoreError) -> (HeldTree, (Delta, HeldTree)?) {
        if let tree = shelf.tree(pack, offset) { return (tree, nil) }
        var base = try descend(pack, offset)
        var source: (Delta, HeldTree)?
        while let entry = chain.popLast() {
            guard let lower = base else {
                base = try whole(pack, entry)
                continue
            }
            let (tree, delta) = try apply(pack, entry, to: lower)
            source = (delta, lower)
            base = tree
        }
        guard let base else { throw pack.fault(offset, ParseError("no entry", at: 0)) }
        return (base, source)
    }

    /// Puts the entries that `offset` is built from on the chain, the object in full last; or stops at
    /// one whose tree is held, and says that.
    private func descend(_ pack: Pack, _ offset: UInt64) throws(StoreError) -> HeldTree? {
        chain.removeAll(keepingCapacity: true)
        var entry = try pack.entry(at: offset, tools)
        let limit = try tools.window.turn(to: pack).entryCount
        while true {
            chain.append(entry)
            guard let base = try pack.baseOffset(of: entry) else { return nil }
            if let held = shelf.tree(pack, base) { return held }
            guard chain.count <= limit else { throw pack.circle(offset) }
            entry = try pack.entry(at: base, tools)
        }
    }

    private func whole(_ pack: Pack, _ entry: PackEntry) throws(StoreError) -> HeldTree {
        guard case .none(.tree) = entry.header.base else {
            throw pack.fault(entry.offset, ParseError("not a tree", at: 0))
        }
        let tree = HeldTree(try checked(pack, entry, entry.header.size))
        try pack.inflate(entry, into: tree.bytes, tools)
        shelf.put(tree, pack, entry.offset)
        return tree
    }

    private func apply(
        _ pack: Pack, _ entry: PackEntry, to base: HeldTree
    ) throws(StoreError) -> (HeldTree, Delta) {
        let memory = tools.memory(try checked(pack, entry, entry.header.size))
        try pack.inflate(entry, into: memory, tools)
        do throws(ParseError) {
            let delta = try Delta(parsing: UnsafeRawBufferPointer(memory))
            guard delta.resultSize <= pack.limits.linkedObjectSize else {
                throw ParseError("delta makes \(delta.resultSize) bytes, over the limit", at: 0)
            }
            let tree = HeldTree(Int(delta.resultSize))
            try delta.apply(to: UnsafeRawBufferPointer(base.bytes), into: tree.bytes)
            shelf.put(tree, pack, entry.offset)
            return (tree, delta)
        } catch {
            throw pack.fault(entry.offset, error)
        }
    }

    private func checked(
        _ pack: Pack, _ entry: PackEntry, _ size: UInt64
    ) throws(StoreError) -> Int {
        guard size <= pack.limits.linkedObjectSize else {
            throw StoreError(
                .limit, "pack '\(pack.path)': tree of \(size) bytes at \(entry.offset) is too large"
            )
        }
        return try pack.sizeToHold(entry, tools)
    }
}
