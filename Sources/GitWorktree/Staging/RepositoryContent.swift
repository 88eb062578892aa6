public import GitCore
public import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Makes of a work tree's content what the repository holds: CRLF to LF, `$Id: … $` to `$Id$`, as the
/// attributes and the configuration say (`git add`, `git hash-object`).
///
/// Attributes are read from the work tree; where a directory has no `.gitattributes` there, from the
/// index.
public struct RepositoryContent: ~Copyable {
    /// What is to be told (`core.safecrlf`): each a line, safe to print.
    public private(set) var warnings: [String] = []

    private let objects: ObjectDatabase
    private let settings: WorktreeSettings
    private var sources: AttributeSources
    private var knownDirectories: Set<ByteString> = [""]
    private let root: File
    private var reader: GuardedReader

    public init(
        objects: ObjectDatabase, workTree: ByteString, gitDirectory: ByteString,
        settings: WorktreeSettings, index: Index
    ) throws(WorktreeError) {
        let root = try storing { () throws(StoreError) in
            try File(workTree, O_RDONLY | O_DIRECTORY)
        }
        var reader = GuardedReader(root: root.descriptor)
        var general: [AttributesFile] = []
        for path in settings.attributesFiles {
            if let file = try AttributesFile.read(path) { general.append(file) }
        }
        sources = try AttributeSources(
            information: AttributesFile.read(gitDirectory / "info/attributes"),
            top: Self.attributesFile(in: "", &reader, objects, index), general: general)
        self.objects = objects
        self.settings = settings
        self.root = root
        self.reader = reader
    }

    /// What the repository gets of `content`, which is that of the file at `path`.
    ///
    /// - Parameter index: where `.gitattributes` may be, and what `path` was so far.
    public mutating func converted(
        _ content: [UInt8], at path: ByteString, index: Index
    ) throws(WorktreeError) -> [UInt8] {
        try learnAttributes(for: path, index)
        var resolver = AttributeResolver(sources)
        let conversion = Conversion(resolver.attributes(of: path), settings)
        if let encoding = conversion.missingEncoding {
            warn(
                "working-tree-encoding '\(encoding)' is not supported: '\(path)' is taken as it is")
        }
        let objects = objects
        let staged = try conversion.staged(content) { () throws(WorktreeError) in
            guard let entry = index[path], entry.mode != .gitlink else { return nil }
            return try storing(path) { () throws(StoreError) in try objects.read(entry.oid).content
            }
        }
        try tell(of: staged.loss, path)
        return staged.content ?? content
    }

    mutating func item(_ path: ByteString) throws(WorktreeError) -> WorktreeItem {
        try reader.item(path)
    }

    private mutating func tell(
        of loss: Conversion.LineEndLoss?, _ path: ByteString
    ) throws(WorktreeError) {
        guard let loss, settings.safeCRLF != .off else { return }
        let (before, after) = loss == .crlfBecomesLF ? ("CRLF", "LF") : ("LF", "CRLF")
        if settings.safeCRLF == .fail {
            throw WorktreeError(.conflict, "\(before) would be replaced by \(after) in \(path)")
        }
        warn(
            "in the working copy of '\(path)', \(before) will be replaced by \(after) the next time "
                + "Git touches it")
    }

    private mutating func warn(_ text: String) { warnings.append(text) }

    private mutating func learnAttributes(
        for path: ByteString, _ index: Index
    ) throws(WorktreeError) {
        for slash in path.bytes.indices where path.bytes[slash] == 0x2f {
            let directory = ByteString(path.bytes[..<slash])
            guard knownDirectories.insert(directory).inserted else { continue }
            if let file = try Self.attributesFile(in: directory, &reader, objects, index) {
                try sources.add(file, of: directory)
            }
        }
    }

    private static func attributesFile(
        in directory: ByteString, _ reader: inout GuardedReader, _ objects: ObjectDatabase,
        _ index: Index
    ) throws(WorktreeError) -> AttributesFile? {
        let path = directory / attributesFileName
        var content = try fileContent(path, &reader)
        if content == nil { content = try indexedContent(path, objects, index) }
        return try content.map { content throws(WorktreeError) in
            try AttributesFile(parsing: content, allowMacros: directory.isEmpty)
        }
    }

    /// nil where there is no such file, or only through a symbolic link.
    private static func fileContent(
        _ path: ByteString, _ reader: inout GuardedReader
    ) throws(WorktreeError) -> [UInt8]? {
        do throws(WorktreeError) {
            guard case .file(let file, let status) = try reader.item(path),
                status.st_size < WorktreeLimits.attributesFileSize
            else { return nil }
            return try storing(path) { () throws(StoreError) in
                try file.readToEnd(limit: WorktreeLimits.attributesFileSize)
            }
        } catch {
            if error.systemError == ENOTDIR { return nil }
            throw error
        }
    }

    private static func indexedContent(
        _ path: ByteString, _ objects: ObjectDatabase, _ index: Index
    ) throws(WorktreeError) -> [UInt8]? {
        guard let entry = index[path], entry.mode == .regular || entry.mode == .executable else {
            return nil
        }
        return try storing(path) { () throws(StoreError) in try objects.read(entry.oid).content }
    }
}
