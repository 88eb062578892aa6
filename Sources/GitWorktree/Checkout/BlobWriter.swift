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
        return try Self.withBlob(entry, objects) { blob throws(WorktreeError) in
            try write(blob, entry, conversion)
        }
    }

    private mutating func write(
        _ blob: StoredContent, _ entry: IndexEntry, _ conversion: Conversion
    ) throws(WorktreeError) -> IndexStat {
        var stats = TextStats()
        if conversion.dependsOnContent { try feed(blob, entry.path) { stats.update($0) } }
        stats.finish()
        let file = try writer.createFile(entry.path, executable: entry.mode == .executable)
        guard conversion.mayChangeCheckout else {
            try feed(blob, entry.path) { bytes throws(StoreError) in try file.write(bytes) }
            return try finish(file, [], entry.path)
        }
        var converter = conversion.converter(entry.oid, stats)
        try feed(blob, entry.path) { bytes throws(StoreError) in
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = rest.prefix(WorktreeLimits.conversionPiece)
                try file.write(converter.convert(UnsafeRawBufferPointer(rebasing: piece)))
                rest = rest.dropFirst(piece.count)
            }
        }
        return try finish(file, converter.finish(), entry.path)
    }

    /// Makes a symbolic link, or where they are not wanted a file that holds its target.
    mutating func writeLink(_ entry: IndexEntry) throws(WorktreeError) -> IndexStat {
        let target = try Self.withBlob(entry, objects) { blob throws(WorktreeError) in
            guard blob.size <= UInt64(WorktreeLimits.linkTargetLength) else {
                throw WorktreeError(
                    .limit, "'\(entry.path)': the target of the symbolic link is too long")
            }
            var target: [UInt8] = []
            try feed(blob, entry.path) { target += $0 }
            return target
        }
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

    /// Gives `body` the content of the entry's object, which must be a blob.
    private static func withBlob<Value>(
        _ entry: IndexEntry, _ objects: ObjectDatabase,
        _ body: (StoredContent) throws(WorktreeError) -> Value
    ) throws(WorktreeError) -> Value {
        // As long as nothing has come.
        var result = Result<Value, WorktreeError>.failure(.cancelled)
        try storing(entry.path) { () throws(StoreError) in
            try StoredObject(entry.oid, in: objects).content { content in
                result = Result { () throws(WorktreeError) in
                    guard content.kind == .blob else { throw .notBlob(entry, content.kind) }
                    return try body(content)
                }
            }
        }
        return try result.get()
    }

    /// Hands the blob to `sink`: in one piece, if it is small.
    private func feed(
        _ blob: StoredContent, _ path: ByteString,
        _ sink: (UnsafeRawBufferPointer) throws(StoreError) -> Void
    ) throws(WorktreeError) {
        do throws(StoreError) {
            try blob.forEachPiece { bytes in
                if shouldStop() { throw StoreError(.cancelled, "checkout was cancelled") }
                try sink(bytes)
            }
        } catch {
            // A failure to write names its file.
            throw WorktreeError(error, path: error.code == .system ? nil : path)
        }
    }
}

extension WorktreeError {
    fileprivate static func notBlob(_ entry: IndexEntry, _ kind: ObjectKind) -> WorktreeError {
        WorktreeError(
            .corrupt, "'\(entry.path)': object \(entry.oid) is a \(kind.name), not a blob")
    }
}
