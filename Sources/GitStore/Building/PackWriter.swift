internal import GitCore

/// Writes the entries of an answer: as they are in packs where they can be used, else anew.
final class PackWriter {
    let plan: PackPlan
    let selection: PackSelection
    let output: PackOutput
    private(set) var summary = PackSummary()
    /// Where each object's entry begins; 0 for those that are not written.
    private(set) var offsets: [UInt64]
    /// Objects that are written anew, in the order in which that is best done.
    private let made: [UInt32]
    private var newDeltas: [UInt32: NewDelta]
    private var copier: PackCopier?
    private let objectWriter: ObjectWriter
    private let tools = ReadingTools(DeltaBaseCache(budget: 1 << 20, shards: 1))
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: batchSize, alignment: 16)
    private let progress: PackBuildProgress
    private let cancellation: CancellationFlag
    private var objects: ReachedObjects { selection.objects }

    /// Bytes of a pack that are read at a time.
    private static let batchSize = 1 << 18
    /// Bytes that nobody wants and that are read with their neighbours.
    private static let largestGap: UInt64 = 1 << 14

    init(
        _ pack: PreparedPack, _ output: PackOutput, _ progress: PackBuildProgress,
        _ cancellation: CancellationFlag
    ) {
        made = pack.made
        plan = pack.plan
        selection = pack.selection
        newDeltas = pack.newDeltas
        self.output = output
        self.progress = progress
        self.cancellation = cancellation
        offsets = Array(repeating: 0, count: selection.objects.count)
        objectWriter = ObjectWriter(selection.reader.database, selection.request)
    }

    deinit { buffer.deallocate() }

    func run() throws(StoreError) -> PackSummary {
        if let share = selection.share, share.isWhole, selection.chosen.isEmpty,
            selection.request.usesOffsetDeltas
        {
            output.expectCopy(of: share.index.packTrailer)
        }
        try output.write(
            PackHeader.encode(entryCount: UInt32(truncatingIfNeeded: selection.count)))
        if let share = selection.share { try copy(share) }
        for number in made { try write(Int(number)) }
        for number in plan.packs.indices { try copy(plan.packs[number], number) }
        for number in plan.loose { try write(Int(number)) }
        summary.objects = selection.count
        summary.trailer = try output.finish()
        summary.bytes = output.count
        tell()
        return summary
    }

    private func begin(_ number: Int) {
        offsets[number] = output.count
        summary.written += 1
    }

    private func tell() {
        progress.setWritten(objects: summary.written, bytes: Int(clamping: output.count))
    }

    private func copy(_ share: PackShare) throws(StoreError) {
        let copier = PackCopier(
            share, output, usesOffsetDeltas: selection.request.usesOffsetDeltas, cancellation)
        self.copier = copier
        try copier.run { oid throws(StoreError) in
            try objectWriter.write(oid, to: output)
        } tell: { count in
            summary.written += count
            tell()
        }
        summary.packReused = share.count
    }

    // MARK: One object

    /// Writes an object that is not written yet, and before it the new deltas that it is based on.
    private func write(_ number: Int) throws(StoreError) {
        var chain = [number]
        while let base = newDeltas[UInt32(truncatingIfNeeded: chain[chain.count - 1])]?.base,
            objects.has(.chosen, base), offsets[base] == 0, !chain.contains(base)
        {
            chain.append(base)
        }
        for number in chain.reversed() where offsets[number] == 0 {
            try cancellation.check()
            try writeAlone(number)
            tell()
        }
    }

    private func writeAlone(_ number: Int) throws(StoreError) {
        if let delta = newDeltas.removeValue(forKey: UInt32(truncatingIfNeeded: number)) {
            begin(number)
            summary.deltas += 1
            try output.write(header(deltaOn: delta.base, size: UInt64(delta.size)))
            if let deflated = delta.deflated { return try output.write(deflated) }
            return try output.write(objectWriter.remake(delta, objects.oid(number)))
        }
        if let place = try selection.reader.place(number), let pack = plan.places[place.pack] {
            let members = plan.packs[pack]
            let member = try members.member(row: place.row, number: number)
            let found = members.members.partitionPoint { $0.offset < member.offset }
            if try copyAlone(member, at: found, members, pack) { return }
        }
        try writeWhole(number)
    }

    private func writeWhole(_ number: Int) throws(StoreError) {
        begin(number)
        try objectWriter.write(objects.oid(number), to: output)
    }

    private func header(deltaOn base: Int, size: UInt64) -> [UInt8] {
        let offset = offsets[base]
        if offset > 0, selection.request.usesOffsetDeltas {
            return PackEntryHeader.encode(deltaAt: output.count - offset, size: size)
        }
        return PackEntryHeader.encode(deltaOn: objects.oid(base), size: size)
    }

    // MARK: Entries as they are

    private func copy(_ pack: PackMembers, _ number: Int) throws(StoreError) {
        var place = 0
        while place < pack.members.count {
            try cancellation.check()
            let first = pack.members[place]
            if offsets[Int(first.number)] != 0 {
                place += 1
                continue
            }
            var last = place
            var end = pack.end(first)
            guard end >= first.offset, end - first.offset <= UInt64(buffer.count) else {
                if try !copyAlone(first, at: place, pack, number) {
                    try writeWhole(Int(first.number))
                }
                place += 1
                continue
            }
            while last + 1 < pack.members.count {
                let next = pack.members[last + 1]
                let nextEnd = pack.end(next)
                guard next.offset >= end, next.offset - end <= Self.largestGap, nextEnd >= end,
                    nextEnd - first.offset <= UInt64(buffer.count)
                else { break }
                end = nextEnd
                last += 1
            }
            try copy(place ... last, upTo: end, pack, number)
            place = last + 1
            tell()
        }
    }

    /// Copies neighbours, in runs that are as long as can be.
    private func copy(
        _ places: ClosedRange<Int>, upTo end: UInt64, _ pack: PackMembers, _ number: Int
    ) throws(StoreError) {
        let start = pack.members[places.lowerBound].offset
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(end - start)])
        let isRead = try succeeds { () throws(StoreError) in
            try pack.pack.reader().read(into: room, at: start)
        }
        let bytes = UnsafeRawBufferPointer(room)
        var run = 0 ..< 0
        func flush() throws(StoreError) {
            if !run.isEmpty { try output.write(UnsafeRawBufferPointer(rebasing: bytes[run])) }
            run = 0 ..< 0
        }
        for place in places {
            let member = pack.members[place]
            guard offsets[Int(member.number)] == 0 else { continue }
            let part = Int(member.offset - start) ..< Int(pack.end(member) - start)
            let here = output.count + UInt64(run.count)
            guard isRead,
                let way = use(
                    UnsafeRawBufferPointer(rebasing: bytes[part]), member, at: place, pack, number,
                    here)
            else {
                try flush()
                try writeWhole(Int(member.number))
                continue
            }
            offsets[Int(member.number)] = here
            summary.written += 1
            if let header = way.header {
                try flush()
                try output.write(header)
                run = part.lowerBound + way.length ..< part.upperBound
            } else if run.upperBound == part.lowerBound, !run.isEmpty {
                run = run.lowerBound ..< part.upperBound
            } else {
                try flush()
                run = part
            }
        }
        try flush()
    }

    private struct Use {
        /// What the entry's header is replaced by; nil where it stays.
        let header: [UInt8]?
        /// Bytes of the header in the pack.
        let length: Int
    }

    /// How an entry is used that would be written at `here`; nil for one that cannot be.
    private func use(
        _ bytes: UnsafeRawBufferPointer, _ member: PackMembers.Member, at place: Int,
        _ pack: PackMembers, _ number: Int, _ here: UInt64
    ) -> Use? {
        guard let crc = pack.crc(member) else {
            return inflates(member, pack) ? use(header: bytes, member, place, number, here) : nil
        }
        guard crc32(0, bytes) == crc else { return nil }
        return use(header: bytes, member, place, number, here)
    }

    private func use(
        header bytes: UnsafeRawBufferPointer, _ member: PackMembers.Member, _ place: Int,
        _ number: Int, _ here: UInt64
    ) -> Use? {
        guard let header = try? PackEntryHeader(parsing: bytes, objects.format) else { return nil }
        let replacement: [UInt8]?
        switch plan.base(of: header, member, at: place, in: number) {
        case .missing: return nil
        case .none:
            guard case .none(let kind) = header.base,
                objects.kind(Int(member.number)) ?? kind == kind
            else { return nil }
            summary.reused += 1
            return Use(header: nil, length: header.length)
        case .received(let oid):
            if case .oid = header.base {
                replacement = nil
            } else {
                replacement = PackEntryHeader.encode(deltaOn: oid, size: header.size)
            }
        case .other(let base) where offsets[base] == 0: return nil
        case .shared(let oid):
            if let offset = copier?.place(of: oid), offset < here,
                selection.request.usesOffsetDeltas
            {
                replacement = PackEntryHeader.encode(deltaAt: here - offset, size: header.size)
            } else {
                replacement = PackEntryHeader.encode(deltaOn: oid, size: header.size)
            }
        case .member(let base), .other(let base):
            replacement = self.replacement(of: header, base, here)
        }
        summary.reused += 1
        summary.reusedDeltas += 1
        summary.deltas += 1
        return Use(header: replacement, length: header.length)
    }

    /// The header of a reused delta at `here`; nil where it stays as it is.
    private func replacement(
        of header: PackEntryHeader, _ base: Int, _ here: UInt64
    ) -> [UInt8]? {
        let offset = offsets[base]
        if offset > 0, offset < here, selection.request.usesOffsetDeltas {
            if case .distance(here - offset) = header.base { return nil }
            return PackEntryHeader.encode(deltaAt: here - offset, size: header.size)
        }
        if case .oid = header.base { return nil }
        return PackEntryHeader.encode(deltaOn: objects.oid(base), size: header.size)
    }

    // MARK: Single entries

    /// Copies one entry, of any size; false where it cannot be used.
    private func copyAlone(
        _ member: PackMembers.Member, at place: Int, _ pack: PackMembers, _ number: Int
    ) throws(StoreError) -> Bool {
        let end = pack.end(member)
        guard end > member.offset else { return false }
        var crc: UInt32 = 0
        var front: [UInt8] = []
        let isRead = try succeeds { () throws(StoreError) in
            try forEachPiece(pack.pack, member.offset ..< end) { piece throws(StoreError) in
                if front.isEmpty { front = Array(piece.prefix(PackEntryHeader.maximumLength)) }
                crc = crc32(crc, piece)
            }
        }
        if let expected = pack.crc(member) {
            guard expected == crc else { return false }
        } else if !inflates(member, pack) {
            return false
        }
        let here = output.count
        let way = front.withUnsafeBytes { use(header: $0, member, place, number, here) }
        guard isRead, let way else { return false }
        begin(Int(member.number))
        var start = member.offset
        if let header = way.header {
            try output.write(header)
            start += UInt64(way.length)
        }
        try forEachPiece(pack.pack, start ..< end) { piece throws(StoreError) in
            try output.write(piece)
        }
        return true
    }

    private func forEachPiece(
        _ pack: Pack, _ range: Range<UInt64>,
        _ body: (UnsafeRawBufferPointer) throws(StoreError) -> Void
    ) throws(StoreError) {
        var position = range.lowerBound
        while position < range.upperBound {
            try cancellation.check()
            let count = Int(min(UInt64(buffer.count), range.upperBound - position))
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            try pack.reader().read(into: room, at: position)
            try body(UnsafeRawBufferPointer(room))
            position += UInt64(count)
        }
    }

    /// Whether the entry's stream is whole, where no checksum of the index says so.
    private func inflates(_ member: PackMembers.Member, _ pack: PackMembers) -> Bool {
        do {
            let entry = try pack.pack.entry(at: member.offset, tools)
            try pack.pack.stream(entry, tools) { _ in }
            return true
        } catch { return false }
    }

    /// False where the pack is damaged or gone: other copies may do.
    private func succeeds(_ body: () throws(StoreError) -> Void) throws(StoreError) -> Bool {
        do throws(StoreError) {
            try body()
            return true
        } catch  where error.code == .corrupt || error.code == .notFound {
            return false
        }
    }
}
