public import GitCore

/// Writes the index of many packs of a store (MultiPackIndex.swift has the layout), and bitmaps for it.
public struct MultiPackIndexWriter {
    /// The pack, by its file name, whose copies are taken where several packs have an object, and that
    /// is first in the order of bits. Without, the newest pack's are taken; with bitmaps the oldest's.
    public var preferredPack: ByteString?
    /// The repository whose refs the bitmaps are for; nil for none.
    public var bitmaps: Repository?
    /// Whether the index that is there is built on: what it says of its packs stays.
    public var extendsExisting = true
    private let objects: ObjectDatabase

    public init(_ objects: ObjectDatabase) { self.objects = objects }

    private struct Source {
        let pack: Pack
        let index: PackIndexFile
        let name: ByteString
        let time: Int
    }

    private struct Entry {
        let oid: ObjectID
        var pack: UInt32
        let offset: UInt64
        let isPreferred: Bool
        let time: Int

        /// Copies of one object one after the other, the one that is taken first.
        func precedes(_ other: Entry) -> Bool {
            if oid != other.oid { return oid < other.oid }
            if isPreferred != other.isPreferred { return isPreferred }
            return time == other.time ? pack < other.pack : time > other.time
        }
    }

    /// What became of it.
    public enum Outcome: Sendable {
        case written
        /// All is in the index that is there.
        case unchanged
        case noPacks
    }

    /// - Throws: ``StoreError/Code/invalid`` where bitmaps are asked for and not all that commits lead to
    ///   is in packs; nothing has changed then.
    public func write() throws(StoreError) -> Outcome {
        try objects.refresh()
        let listing = objects.packs.listing
        let existing = extendsExisting ? listing.covered : nil
        let sources = try sources(listing, existing)
        guard !sources.isEmpty else { return .noPacks }
        if let existing, existing.packs.count == sources.count {
            if bitmaps == nil { try removeCompanions(besides: nil) }
            let hasBitmaps = try existing.index.bitmaps(existing.packs) != nil
            if bitmaps == nil || hasBitmaps { return .unchanged }
        }
        let preferred = preferred(sources)
        var entries = try entries(sources, existing, preferred)
        // In the file, packs are sorted by name.
        let order = sources.indices.sorted { sources[$0].name < sources[$1].name }
        var numbers = [UInt32](repeating: 0, count: order.count)
        for (number, source) in order.enumerated() {
            numbers[source] = UInt32(truncatingIfNeeded: number)
        }
        for place in entries.indices { entries[place].pack = numbers[Int(entries[place].pack)] }
        try install(order.map { sources[$0].name }, entries)
        try objects.refresh()
        return .written
    }

    /// The packs of the index that is there, then the others in the order of their directory: of two
    /// packs of one second, the copies of the first are taken.
    private func sources(
        _ listing: PackListing, _ existing: PackListing.Covered?
    ) throws(StoreError) -> [Source] {
        let directory = objects.directory / "pack"
        let names = FileSystem.isDirectory(directory) ? try FileSystem.list(directory) : []
        let known = Dictionary(listing.packs.map { ($0.name + ".idx", $0) }) { first, _ in first }
        var packs = existing?.packs ?? []
        for name in names {
            if let pack = known[name], !packs.contains(where: { $0.number == pack.number }) {
                packs.append(pack)
            }
        }
        var sources: [Source] = []
        for pack in packs where try objects.packs.isUsable(pack) {
            let time = FileSystem.status(pack.path).map { Int($0.st_mtim.tv_sec) } ?? 0
            sources.append(
                Source(
                    pack: pack, index: try pack.index(), name: pack.name + ".idx", time: time))
        }
        return sources
    }

    private func preferred(_ sources: [Source]) -> Int? {
        if let preferredPack {
            let base =
                preferredPack.hasSuffix(".pack")
                ? preferredPack.dropLast(5)
                : preferredPack.hasSuffix(".idx") ? preferredPack.dropLast(4) : preferredPack
            if let found = sources.firstIndex(where: { $0.name == base + ".idx" }) { return found }
        }
        guard bitmaps != nil else { return nil }
        let some = sources.indices.filter { sources[$0].index.count > 0 }
        return some.min { (sources[$0].time, $0) < (sources[$1].time, $1) }
    }

    // MARK: Objects

    /// One place for each object, in the order of their ids.
    private func entries(
        _ sources: [Source], _ existing: PackListing.Covered?, _ preferred: Int?
    ) throws(StoreError) -> [Entry] {
        var known: [Int?] = []
        if let existing {
            known = existing.packs.map { pack in
                sources.firstIndex { $0.pack.number == pack.number }
            }
        }
        let covered = Set(known.compactMap { $0 })
        var entries: [Entry] = []
        for first in UInt8.min ... UInt8.max {
            var some: [Entry] = []
            if let index = existing?.index {
                for row in index.oids.rows(firstByte: first) {
                    let place = try index.place(row: row)
                    guard let pack = known[place.pack], pack != preferred else { continue }
                    some.append(
                        Entry(
                            oid: index.oids.oid(row: row), pack: UInt32(pack),
                            offset: place.offset, isPreferred: false, time: 0))
                }
            }
            for (number, source) in sources.enumerated()
            where !covered.contains(number) || number == preferred {
                for row in source.index.oids.rows(firstByte: first) {
                    some.append(
                        Entry(
                            oid: source.index.oid(row: row), pack: UInt32(number),
                            offset: try source.index.offset(row: row),
                            isPreferred: number == preferred, time: source.time))
                }
            }
            some.sort { $0.precedes($1) }
            for entry in some where entries.last?.oid != entry.oid { entries.append(entry) }
        }
        guard entries.count < Int(UInt32.max) else {
            throw StoreError(.limit, "too many objects for a multi-pack-index")
        }
        return entries
    }

    /// The rows in the order of the bits: by pack, the preferred one first, then by offset.
    private func bitOrder(_ entries: [Entry]) -> [UInt32] {
        let order = entries.indices.sorted { first, second in
            let (a, b) = (entries[first], entries[second])
            if a.isPreferred != b.isPreferred { return a.isPreferred }
            return (a.pack, a.offset) < (b.pack, b.offset)
        }
        return order.map { UInt32(truncatingIfNeeded: $0) }
    }

    // MARK: Files

    private func install(_ names: [ByteString], _ entries: [Entry]) throws(StoreError) {
        let order = bitmaps == nil ? [] : bitOrder(entries)
        let bytes = bytes(names, entries, order)
        let checksum = bytes.suffix(objects.format.byteCount).withUnsafeBytes {
            ObjectID(raw: $0, objects.format)
        }
        let path = objects.directory / "pack/multi-pack-index"
        var lock = try LockFile(path)
        if let bitmaps, !entries.isEmpty {
            let content = try bitmapBytes(entries, order, checksum, bitmaps)
            try IndexedPack.write(
                content, to: path + ByteString("-\(checksum.hex).bitmap"), mode: 0o444)
        }
        try lock.write(bytes)
        try lock.setPermissions(FileSystem.underUmask(0o444))
        try lock.finish()
        try lock.commit()
        try removeCompanions(besides: bitmaps == nil ? nil : checksum)
    }

    /// Removes bitmaps of other states of the index.
    private func removeCompanions(besides checksum: ObjectID?) throws(StoreError) {
        let directory = objects.directory / "pack"
        for name in try FileSystem.list(directory) where name.hasPrefix("multi-pack-index-") {
            guard name.hasSuffix(".bitmap") || name.hasSuffix(".rev") else { continue }
            if let checksum, name.hasPrefix(ByteString("multi-pack-index-\(checksum.hex)")) {
                continue
            }
            try FileSystem.remove(directory / name)
        }
    }

    private func bytes(
        _ packs: [ByteString], _ entries: [Entry], _ order: [UInt32]
    ) -> [UInt8] {
        let oids = entries.map(\.oid)
        var names: [UInt8] = []
        for name in packs { names += name.bytes + [0] }
        while names.count % 4 > 0 { names.append(0) }
        var (places, large) = ([] as [UInt8], [] as [UInt8])
        let hasLarge = entries.contains { $0.offset > UInt64(UInt32.max) }
        for entry in entries {
            places.append(bigEndian: entry.pack)
            if hasLarge, entry.offset >> 31 > 0 {
                places.append(bigEndian: 1 << 31 | UInt32(truncatingIfNeeded: large.count / 8))
                large.append(bigEndian: entry.offset)
            } else {
                places.append(bigEndian: UInt32(truncatingIfNeeded: entry.offset))
            }
        }
        var file = ChunkFileWriter()
        file.add("PNAM", names)
        file.add("OIDF", ChunkFileWriter.fanOut(oids))
        file.add("OIDL", ChunkFileWriter.lookup(oids))
        file.add("OOFF", places)
        if hasLarge { file.add("LOFF", large) }
        if !order.isEmpty {
            var bytes: [UInt8] = []
            for row in order { bytes.append(bigEndian: row) }
            file.add("RIDX", bytes)
        }
        var header = Array("MIDX".utf8)
        header += [1, objects.format == .sha1 ? 1 : 2, UInt8(file.count), 0]
        header.append(bigEndian: UInt32(truncatingIfNeeded: packs.count))
        return file.bytes(header: header, objects.format)
    }

    private func bitmapBytes(
        _ entries: [Entry], _ order: [UInt32], _ checksum: ObjectID, _ repository: Repository
    ) throws(StoreError) -> [UInt8] {
        var request = PackRequest()
        var tips: [ObjectID] = []
        for ref in try repository.refs.list(prefix: "refs/") {
            request.wants.append(ref.oid)
            tips.append(ref.peeled ?? ref.oid)
        }
        request.usesBitmaps = false
        let selection = try PackAssembler(request, from: objects).walk()
        var bits: [BitmapWriter.Object] = []
        var kinds: [ObjectKind] = []
        for row in order {
            let entry = entries[Int(row)]
            let number = selection.objects.find(entry.oid)
            if let kind = number.flatMap({ selection.objects.kind($0) }) {
                kinds.append(kind)
            } else {
                kinds.append(try objects.header(entry.oid).kind)
            }
            bits.append(
                BitmapWriter.Object(
                    row: row, number: number.map { UInt32(truncatingIfNeeded: $0) }))
        }
        return try BitmapWriter(selection, bits, kinds: kinds).bytes(
            tips: Set(tips.compactMap { selection.objects.find($0) }), checksum: checksum)
    }
}
