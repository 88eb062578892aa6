internal import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A pack with its index, to read objects from.
///
/// It is read by position and not mapped: a mapping of a large pack would fill this process's memory
/// with pages that were read once, and one that another process cuts short would kill it.
final class Pack: Sendable {
    let index: PackIndexFile
    /// The path of the `.pack` file.
    let path: ByteString
    private let format: ObjectFormat
    private let cache: DeltaBaseCache
    /// Tells this pack from all others, gone ones too.
    private let number: UInt64
    private let open: OpenPacks
    /// Where the trailer begins.
    private let end: UInt64
    private let limits = PackLimits()

    /// Opens `<base>.pack` and `<base>.idx`.
    init(
        _ base: ByteString, _ format: ObjectFormat, cache: DeltaBaseCache, open: OpenPacks
    ) throws(StoreError) {
        path = base + ".pack"
        self.format = format
        self.cache = cache
        self.open = open
        number = cache.numberOfNewPack()
        index = try PackIndexFile(base + ".idx", format)
        let size = try open.reader(number, path).size()
        let least = UInt64(PackHeader.length + format.byteCount)
        guard size >= least else {
            throw StoreError("pack '\(path)'", ParseError("unexpected end", at: size))
        }
        end = size - UInt64(format.byteCount)
        try check()
    }

    deinit { open.close(number) }

    private func read(_ count: Int, at offset: UInt64) throws(StoreError) -> [UInt8] {
        try open.reader(number, path).read(count, at: offset)
    }

    private func check() throws(StoreError) {
        let front = try read(PackHeader.length, at: 0)
        do throws(ParseError) {
            guard Int(try PackHeader(parsing: front.span).entryCount) == index.count else {
                throw ParseError("its index is for another number of objects", at: 8)
            }
        } catch {
            throw StoreError("pack '\(path)'", error)
        }
        let trailer = try read(format.byteCount, at: end)
        guard ObjectID(raw: trailer.span, format) == index.packTrailer else {
            throw StoreError(.corrupt, "pack '\(path)' does not match its index")
        }
    }

    /// How many bytes each entry takes in the pack is known by where the next one begins.
    private let order = Mutex<[(offset: UInt64, row: Int)]>([])

    /// Bytes that the entry at `offset` takes in the pack.
    func packedSize(at offset: UInt64) throws(StoreError) -> UInt64 {
        let order = try inPackOrder()
        let next = order.partitionPoint { $0.offset <= offset }
        return (next < order.count ? min(order[next].offset, end) : end) &- offset
    }

    /// The id of the entry at `offset`.
    func oid(at offset: UInt64) throws(StoreError) -> ObjectID? {
        let order = try inPackOrder()
        let position = order.partitionPoint { $0.offset < offset }
        guard position < order.count, order[position].offset == offset else { return nil }
        return index.oid(row: order[position].row)
    }

    private func inPackOrder() throws(StoreError) -> [(offset: UInt64, row: Int)] {
        let result = order.withLock { order in
            Result { () throws(StoreError) in
                if order.isEmpty { order = try index.rowsInPackOrder() }
                return order
            }
        }
        return try result.get()
    }

    /// Bytes on disk of the entry at `offset`, and the object that it is a delta on.
    func storage(at offset: UInt64) throws(StoreError) -> (size: UInt64, deltaBase: ObjectID?) {
        let base = try base(of: try entry(at: offset))
        let baseOID = if let base { try oid(at: base.offset) } else { nil as ObjectID? }
        return (try packedSize(at: offset), baseOID)
    }

    /// What an entry's header says, and the beginning of what follows.
    struct Entry {
        let header: PackEntryHeader
        let offset: UInt64
        /// The first bytes of the entry: most deltas are here whole, which saves a second read.
        fileprivate let front: [UInt8]
        /// Where its zlib stream begins.
        fileprivate var streamOffset: UInt64 { offset + UInt64(header.length) }
    }

    private static let frontLength = 512

    func entry(at offset: UInt64) throws(StoreError) -> Entry {
        guard offset >= UInt64(PackHeader.length), offset < end else {
            throw fault(offset, ParseError("offset outside the pack", at: 0))
        }
        let front = try read(Int(min(UInt64(Self.frontLength), end - offset)), at: offset)
        let result = front.withUnsafeBytes { bytes in
            Result { () throws(ParseError) in try PackEntryHeader(parsing: bytes, format) }
        }
        do throws(ParseError) {
            return Entry(header: try result.get(), offset: offset, front: front)
        } catch {
            throw fault(offset, error)
        }
    }

    /// Up to `count` bytes of an entry's stream, and past it up to the trailer.
    private func stream(of entry: Entry, _ count: Int) throws(StoreError) -> [UInt8] {
        let there = Int(clamping: end - min(end, entry.streamOffset))
        let count = min(count, there)
        if entry.header.length + count <= entry.front.count {
            return Array(entry.front[entry.header.length ..< entry.header.length + count])
        }
        return try read(count, at: entry.streamOffset)
    }

    /// The entry that a delta is based on; nil for an object in full.
    func base(of entry: Entry) throws(StoreError) -> Entry? {
        switch entry.header.base {
        case .none: return nil
        case .distance(let distance):
            guard distance < entry.offset else {
                throw fault(entry.offset, ParseError("delta base before the pack", at: 0))
            }
            return try self.entry(at: entry.offset - distance)
        case .oid(let oid):
            guard let row = index.row(of: oid) else {
                throw StoreError(
                    .corrupt,
                    "pack '\(path)': base \(oid) of the entry at \(entry.offset) is missing")
            }
            return try self.entry(at: index.offset(row: row))
        }
    }

    /// The object whose entry begins at `offset`.
    func object(at offset: UInt64) throws(StoreError) -> GitObject {
        var chain: [Entry] = []
        var (entry, object) = (try self.entry(at: offset), nil as GitObject?)
        while true {
            if let cached = cache.object(key(entry.offset)) {
                object = cached
                break
            }
            guard let base = try base(of: entry) else { break }
            chain.append(entry)
            // A chain longer than the pack has entries goes round in a circle.
            guard chain.count <= index.count else {
                throw fault(offset, ParseError("delta is based on itself", at: 0))
            }
            entry = base
        }
        var result = if let object { object } else { try whole(entry) }
        if !chain.isEmpty, object == nil { cache.insert(result, key(entry.offset)) }
        for (number, delta) in chain.reversed().enumerated() {
            result = try apply(delta, to: result)
            if number < chain.count - 1 { cache.insert(result, key(delta.offset)) }
        }
        return result
    }

    private func key(_ offset: UInt64) -> DeltaBaseCache.Key {
        DeltaBaseCache.Key(pack: number, offset: offset)
    }

    private func whole(_ entry: Entry) throws(StoreError) -> GitObject {
        guard case .none(let kind) = entry.header.base else {
            throw fault(entry.offset, ParseError("not an object in full", at: 0))
        }
        return GitObject(kind: kind, content: try inflate(entry))
    }

    private func apply(_ entry: Entry, to base: GitObject) throws(StoreError) -> GitObject {
        let bytes = try inflate(entry)
        do throws(ParseError) {
            let content = try bytes.applied(to: base.content, limit: limits.deltaObjectSize)
            return GitObject(kind: base.kind, content: content)
        } catch {
            throw fault(entry.offset, error)
        }
    }

    private func inflate(_ entry: Entry) throws(StoreError) -> [UInt8] {
        // No more than a thousand times what is there: deflate can do no better.
        guard entry.header.size <= limits.deltaObjectSize, entry.header.size / 1_032 <= end else {
            throw StoreError(
                .limit,
                "pack '\(path)': object of \(entry.header.size) bytes at \(entry.offset) is too large "
                    + "to hold")
        }
        let size = Int(entry.header.size)
        let compressed = try stream(of: entry, Inflater.compressedBound(size))
        let content = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            let output = UnsafeMutableRawBufferPointer(
                rebasing: UnsafeMutableRawBufferPointer(buffer)[..<size])
            let done = compressed.withUnsafeBytes { input in
                Inflater.withShared { $0.inflate(input, into: output) }
            }
            count = done == nil ? 0 : size
        }
        return content.count == size ? content : try inflateBySteps(entry)
    }

    /// For streams that libdeflate refuses: zlib takes some of them, or says what is wrong.
    private func inflateBySteps(_ entry: Entry) throws(StoreError) -> [UInt8] {
        var content: [UInt8] = []
        try stream(entry) { content.append(contentsOf: $0) }
        return content
    }

    /// Inflates an object in full, or a delta, piece by piece.
    func stream(
        _ entry: Entry, _ sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws(StoreError) {
        let stream = InflateStream()
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { output.deallocate() }
        var input: ArraySlice<UInt8> = []
        var position = entry.streamOffset
        var produced: UInt64 = 0
        while !stream.isFinished {
            if input.isEmpty, position < end {
                let count = Int(min(UInt64(Self.streamWindow), end - position))
                input = try read(count, at: position)[...]
                position += UInt64(count)
            }
            let step = try inflate(&input, stream, output, entry)
            produced += UInt64(step)
            guard produced <= entry.header.size else {
                throw fault(entry.offset, ParseError("object is longer than declared", at: 0))
            }
            do { try sink(UnsafeRawBufferPointer(rebasing: output[..<step])) } catch {
                throw (error as? StoreError) ?? StoreError(.system, "\(error)", cause: error)
            }
        }
        guard produced == entry.header.size else {
            throw fault(entry.offset, ParseError("object is shorter than declared", at: 0))
        }
    }

    /// One step of an inflation; says how many bytes it made.
    private func inflate(
        _ input: inout ArraySlice<UInt8>, _ stream: InflateStream,
        _ output: UnsafeMutableRawBufferPointer, _ entry: Entry
    ) throws(StoreError) -> Int {
        let result = input.withUnsafeBytes { bytes in
            Result { () throws(ParseError) in try stream.inflate(bytes, into: output) }
        }
        do throws(ParseError) {
            let step = try result.get()
            guard step != (0, 0) || stream.isFinished else {
                throw ParseError("corrupt zlib stream", at: 0)
            }
            input = input.dropFirst(step.consumed)
            return step.produced
        } catch {
            throw fault(entry.offset, error)
        }
    }

    private static let streamWindow = 1 << 18

    /// Hands over the content of the object at `offset`: an object in full piece by piece.
    func streamObject(
        at offset: UInt64, _ sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws(StoreError) {
        let entry = try entry(at: offset)
        if case .none = entry.header.base { return try stream(entry, sink) }
        let content = try object(at: offset).content
        let result = content.withUnsafeBytes { bytes in Result { try sink(bytes) } }
        do { try result.get() } catch {
            throw (error as? StoreError) ?? StoreError(.system, "\(error)", cause: error)
        }
    }

    /// Kind and size of the object at `offset`, found without rebuilding it.
    func header(at offset: UInt64) throws(StoreError) -> (kind: ObjectKind, size: UInt64) {
        var entry = try self.entry(at: offset)
        let size = try resultSize(entry)
        var steps = 0
        while true {
            if case .none(let kind) = entry.header.base { return (kind, size) }
            guard let base = try base(of: entry), steps <= index.count else {
                throw fault(offset, ParseError("delta is based on itself", at: 0))
            }
            steps += 1
            entry = base
        }
    }

    /// The size that a delta declares for its result stands in its first bytes.
    private func resultSize(_ entry: Entry) throws(StoreError) -> UInt64 {
        if case .none = entry.header.base { return entry.header.size }
        var front = [UInt8](repeating: 0, count: Int(min(entry.header.size, 20)))
        let start = try stream(of: entry, Self.frontLength)
        do throws(ParseError) {
            let result = front.withUnsafeMutableBytes { output in
                start.withUnsafeBytes { input in
                    Result { () throws(ParseError) in
                        try InflateStream().inflate(input, into: output)
                    }
                }
            }
            if try result.get().produced == front.count { return try front.deltaResultSize() }
        } catch {
            throw fault(entry.offset, error)
        }
        // They come late in the stream.
        let delta = try inflate(entry)
        do throws(ParseError) { return try delta.deltaResultSize() } catch {
            throw fault(entry.offset, error)
        }
    }

    private func fault(_ offset: UInt64, _ error: ParseError) -> StoreError {
        StoreError("pack '\(path)', entry at byte \(offset)", error)
    }
}

extension [UInt8] {
    /// The result of the delta that these bytes are.
    fileprivate func applied(to base: [UInt8], limit: UInt64) throws(ParseError) -> [UInt8] {
        let result = withUnsafeBytes { bytes in
            Result { () throws(ParseError) -> [UInt8] in
                let delta = try Delta(parsing: bytes)
                guard delta.resultSize <= limit else {
                    throw ParseError("delta makes \(delta.resultSize) bytes, over the limit", at: 0)
                }
                var failure: ParseError?
                let content = [UInt8](unsafeUninitializedCapacity: Int(delta.resultSize)) {
                    out, count in
                    let output = UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(out)[..<Int(delta.resultSize)])
                    base.withUnsafeBytes { base in
                        do throws(ParseError) { try delta.apply(to: base, into: output) } catch {
                            failure = error
                        }
                    }
                    count = failure == nil ? Int(delta.resultSize) : 0
                }
                if let failure { throw failure }
                return content
            }
        }
        return try result.get()
    }

    fileprivate func deltaResultSize() throws(ParseError) -> UInt64 {
        let result = withUnsafeBytes { bytes in
            Result { () throws(ParseError) in try Delta(parsing: bytes).resultSize }
        }
        return try result.get()
    }
}
