import GitCore
import GitStore

/// Writes blobs to files, each converted as its path's attributes and the configuration say.
struct BlobWriter: ~Copyable {
    private let objects: ObjectDatabase
    private let settings: WorktreeSettings
    private var attributes: AttributeResolver
    private var writer: GuardedWriter
    /// Polled within large blobs.
    private let shouldStop: () -> Bool
    /// Encodings that files should have had.
    private(set) var missingEncodings: Set<ByteString> = []

    init(
        _ objects: ObjectDatabase, _ settings: WorktreeSettings, _ attributes: AttributeSources,
        _ writer: consuming GuardedWriter, shouldStop: @escaping () -> Bool
    ) {
        self.objects = objects
        self.settings = settings
        self.attributes = AttributeResolver(attributes)
        self.writer = writer
        self.shouldStop = shouldStop
    }

    /// Writes a regular file; the stat data is that of what was written.
    mutating func writeFile(_ entry: IndexEntry) throws(WorktreeError) -> IndexStat {
        let conversion = Conversion(attributes.attributes(of: entry.path), settings)
        if let encoding = conversion.missingEncoding { missingEncodings.insert(encoding) }
        let isHeld = try blobSize(entry) <= WorktreeLimits.convertedInMemory
        let blob = isHeld ? try content(entry) : nil
        var stats = TextStats()
        if conversion.dependsOnContent { try feed(blob, entry) { stats.update($0) } }
        stats.finish()
        let file = try writer.createFile(entry.path, executable: entry.mode == .executable)
        if conversion.mayChangeCheckout {
            var converter = conversion.converter(entry.oid, stats)
            try feed(blob, entry) { bytes throws(StoreError) in
                try file.write(converter.convert(bytes))
            }
            return try finish(file, converter.finish(), entry.path)
        }
        try feed(blob, entry) { bytes throws(StoreError) in try file.write(bytes) }
        return try finish(file, [], entry.path)
    }

    /// Makes a symbolic link, or where they are not wanted a file that holds its target.
    mutating func writeLink(_ entry: IndexEntry) throws(WorktreeError) -> IndexStat {
        guard try blobSize(entry) <= UInt64(WorktreeLimits.linkTargetLength) else {
            throw WorktreeError(
                .limit, "'\(entry.path)': the target of the symbolic link is too long")
        }
        let target = try content(entry)
        guard settings.hasSymbolicLinks else {
            let file = try writer.createFile(entry.path, executable: false)
            return try finish(file, target, entry.path)
        }
        guard !target.isEmpty, !target.contains(0) else {
            throw WorktreeError(
                .unsafePath,
                "'\(entry.path)': the target of the symbolic link is empty or has a NUL")
        }
        return try writer.createLink(entry.path, to: target)
    }

    /// Makes the directory of a submodule.
    mutating func makeDirectory(_ entry: IndexEntry) throws(WorktreeError) -> IndexStat {
        try writer.createDirectory(entry.path)
    }

    private func finish(
        _ file: consuming File, _ content: [UInt8], _ path: ByteString
    ) throws(WorktreeError) -> IndexStat {
        do throws(StoreError) {
            if !content.isEmpty { try file.write(content) }
            return IndexStat(try file.status())
        } catch {
            throw WorktreeError(error)
        }
    }

    private func blobSize(_ entry: IndexEntry) throws(WorktreeError) -> UInt64 {
        let (kind, size) = try storing(entry.path) { () throws(StoreError) in
            try objects.header(entry.oid)
        }
        guard kind == .blob else {
            throw WorktreeError(
                .corrupt, "'\(entry.path)': object \(entry.oid) is a \(kind.name), not a blob")
        }
        return size
    }

    private func content(_ entry: IndexEntry) throws(WorktreeError) -> [UInt8] {
        try storing(entry.path) { () throws(StoreError) in try objects.read(entry.oid).content }
    }

    /// Hands `blob` to `sink`, or where it is too large to be held, its pieces from the store.
    private func feed(
        _ blob: [UInt8]?, _ entry: IndexEntry,
        _ sink: (UnsafeRawBufferPointer) throws(StoreError) -> Void
    ) throws(WorktreeError) {
        do throws(StoreError) {
            guard let blob else {
                return try objects.stream(entry.oid) { bytes in
                    if shouldStop() { throw StoreError(.cancelled, "checkout was cancelled") }
                    try sink(bytes)
                }
            }
            try blob.span.withUnsafeBytes { bytes throws(StoreError) in try sink(bytes) }
        } catch {
            // A failure to write names its file.
            throw WorktreeError(error, path: error.code == .system ? nil : entry.path)
        }
    }
}
