public import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Takes a pack in as it arrives, verifies every object of it, and makes its index.
///
/// Feed it with ``append(_:)``, then call ``finish()``, then ``IndexedPack/install(in:keep:)``. One
/// thread at a time may call these; ``progress`` and ``cancel()`` are for any. What is not installed is
/// removed when the objects are let go of.
public final class PackIndexer {
    public struct Options: Sendable {
        /// Threads that compute; the caller's own comes on top while the pack arrives.
        public var threads = Workers.processorCount
        public var limits = PackLimits()
        /// Most bytes of memory to work with, besides 64 an object. Half of it is in use with two
        /// threads; with much less it is slower, for fewer deltas are kept to be resolved together.
        public var memory = 256 << 20
        /// Whether to find what objects point to that the pack does not hold.
        public var findsMissingLinks = true
        /// Where the bases of a thin pack are, to be added to it; nil refuses a thin pack.
        public var thinBases: ObjectDatabase?
        /// Where ``PackIndexer/progress`` is noted.
        public var progress = PackProgress()
        /// What stops it, besides ``PackIndexer/cancel()``.
        package var cancellation = CancellationFlag()

        public init() {}
    }

    public let progress: PackProgress

    private let options: Options
    private let format: ObjectFormat
    private let file: PackFile
    private let links: ObjectIDSet?
    private let budget: RebuildBudget
    private let parser: PackStreamParser
    private let isCancelled: CancellationFlag

    /// Begins a pack, which goes to a temporary file in `directory`.
    public convenience init(
        directory: ByteString, format: ObjectFormat, options: Options = Options()
    ) throws(StoreError) {
        try self.init(PackFile(temporaryIn: directory), format, options)
    }

    /// Indexes the pack at `path`, which stays as it is. The caller feeds its bytes all the same.
    package convenience init(
        existing path: ByteString, format: ObjectFormat, options: Options = Options()
    ) throws(StoreError) {
        try self.init(PackFile(existing: path), format, options)
    }

    private init(
        _ file: PackFile, _ format: ObjectFormat, _ options: Options
    ) throws(StoreError) {
        self.file = file
        self.format = format
        self.options = options
        progress = options.progress
        isCancelled = options.cancellation
        let threads = max(1, options.threads)
        links = options.findsMissingLinks ? ObjectIDSet(format) : nil
        budget = RebuildBudget(options.limits)
        let hashes = try HashQueue(
            format, collectors: Self.collectors(threads, format, into: links))
        parser = PackStreamParser(
            format, limits: options.limits, threads: threads,
            deltaBudget: Self.deltaBudget(options.memory, threads: threads),
            hashes: hashes, progress: progress)
    }

    /// What is left of the memory for deltas. With more than the most they are resolved more seldom,
    /// which is not faster.
    private static func deltaBudget(_ memory: Int, threads: Int) -> Int {
        let (perThread, fixed, least, most) = (16 << 20, 50 << 20, 8 << 20, 64 << 20)
        return min(max(memory - fixed - min(threads, 64) * perThread, least), most)
    }

    /// The file that the pack goes to, to be removed should the process end before this object does.
    package var path: ByteString { file.path }

    /// Asks it to stop: what runs throws ``StoreError/Code/cancelled`` soon.
    public func cancel() { isCancelled.set() }

    /// Something that any thread may call to cancel.
    public var canceller: @Sendable () -> Void { { [isCancelled] in isCancelled.set() } }

    /// Takes in the next bytes of the pack.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try isCancelled.check()
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.mostAppended))
            try file.append(piece)
            try parser.append(piece)
            if parser.isFull, !budget.isWasteful {
                try parser.resolveSoFar { table, deltas throws(StoreError) in
                    try resolve(&table, deltas, received: .max)
                }
            }
            rest = rest.dropFirst(piece.count)
        }
    }

    /// Bytes taken in at a time.
    private static let mostAppended = 1 << 20

    /// Takes in the next bytes of the pack.
    public func append(_ bytes: [UInt8]) throws(StoreError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(StoreError) in try append(buffer) }
        }
        try result.get()
    }

    /// Says that all bytes have come; rebuilds all deltas and sorts the index.
    ///
    /// - Throws: ``StoreError/Code/corrupt`` for anything wrong with the pack;
    ///   ``StoreError/Code/limit``; ``StoreError/Code/cancelled``.
    public func finish() throws(StoreError) -> IndexedPack {
        try isCancelled.check()
        try parser.finish()
        guard var trailer = parser.trailer else {
            throw StoreError(.corrupt, "pack has no trailer")
        }
        var (table, deltas) = parser.takeResult()
        let received = table.count
        try resolve(&table, deltas, received: received)
        while let missing = unresolvedBases(table), !missing.isEmpty {
            try complete(&table, with: missing)
            try resolve(&table, deltas, received: received)
        }
        if table.count > received {
            guard let count = UInt32(exactly: table.count) else {
                throw StoreError(.limit, "pack would have \(table.count) objects")
            }
            trailer = try file.rewriteEnds(entryCount: count, format)
        }
        return IndexedPack(
            file: file, table: table, trailer: trailer, addedBases: table.count - received,
            links: links)
    }

    private func resolve(
        _ table: inout PackEntryTable, _ deltas: DeltaStore, received: Int
    ) throws(StoreError) {
        try budget.setInflated(parser.inflatedTotal)
        guard (0 ..< table.count).contains(where: { table.kind(row: $0) == nil }) else { return }
        let resolver = DeltaResolver(
            table, deltas, pack: try PackReader(file.path), limits: options.limits,
            received: received, budget: budget,
            collectors: Self.collectors(max(1, options.threads), format, into: links),
            progress: progress,
            isCancelled: { [isCancelled] in isCancelled.isSet })
        try resolver.run(into: &table)
    }

    private static func collectors(
        _ count: Int, _ format: ObjectFormat, into links: ObjectIDSet?
    ) -> [LinkCollector] {
        (0 ..< count).map { _ in LinkCollector(format, into: links) }
    }

    // MARK: Thin packs

    /// The bases by id that unresolved deltas wait for and the pack does not hold; nil if all is
    /// resolved.
    private func unresolvedBases(_ table: PackEntryTable) -> [ObjectID]? {
        let waiting = table.refBases.filter { table.kind(row: Int($0.row)) == nil }
        guard !waiting.isEmpty else { return nil }
        return Set(waiting.map(\.oid)).sorted()
    }

    private func complete(
        _ table: inout PackEntryTable, with bases: [ObjectID]
    ) throws(StoreError) {
        let deflater = Deflater()
        let hasher = BatchHasher(format)
        var found = 0
        /// Every other object of the pack is named by its bytes; so is this one.
        func add(_ base: BatchHasher.Named) throws(StoreError) {
            let oid = bases[base.number]
            guard try base.oid() == oid else {
                throw StoreError(.corrupt, "object \(oid) in the repository is corrupt")
            }
            found += 1
            let stream = try deflater.deflate(base.content)
            let header = PackEntryHeader.encode(base.kind, size: UInt64(base.content.count))
            try append(oid, base.kind, header + stream, headerLength: header.count, &table)
        }
        table.reopen()
        for (number, oid) in bases.enumerated() {
            guard let base = try externalBase(oid) else { continue }
            try hasher.add(base.kind, base.content, number: number, done: add)
        }
        try hasher.finish(add)
        table.close(at: file.end(format))
        guard found > 0 else {
            throw StoreError(
                .corrupt,
                "pack has unresolved deltas: base \(bases[0]) is neither in it nor in the repository"
            )
        }
    }

    private func externalBase(_ oid: ObjectID) throws(StoreError) -> GitObject? {
        guard let store = options.thinBases else { return nil }
        do throws(StoreError) { return try store.read(oid) } catch
            where error.code == .notFound
        {
            return nil
        }
    }

    private func append(
        _ oid: ObjectID, _ kind: ObjectKind, _ bytes: [UInt8], headerLength: Int,
        _ table: inout PackEntryTable
    ) throws(StoreError) {
        let offset = try file.appendEntry(bytes, format)
        let crc = bytes.withUnsafeBytes { crc32(0, $0) }
        table.append(whole: kind, oid, offset: offset, headerLength: headerLength, crc: crc)
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` for bodies that throw this module's error.
    func withStoreBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        let result = withUnsafeBytes { bytes in
            Swift.Result { () throws(StoreError) in try body(bytes) }
        }
        return try result.get()
    }
}
