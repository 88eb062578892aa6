import GitCore
import GitStore
import GitWorktree

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

struct HashObject: Command {
    static let name = "hash-object"
    static let summary = "Compute an object's id, and perhaps store the object"
    static let usage = [
        """
        hash-object [-t <type>] [-w] [--path=<file> | --no-filters]
                                [--stdin [--literally]] [--] <file>...
        """,
        "hash-object [-t <type>] [-w] --stdin-paths [--no-filters]",
    ]
    static let options: [Option<HashObject>] = [
        .value("-t <type>", \.type, "object type"),
        .flag("-w", \.writes, "write the object into the object database"),
        .action("--stdin", "read the object from stdin") { command, _ in
            guard !command.readsStdin else {
                throw UsageError("Multiple --stdin arguments are not supported")
            }
            command.readsStdin = true
        },
        .flag("--stdin-paths", \.readsPaths, "read file names from stdin"),
        .flag("--no-filters", \.skipsFilters, "store file as is without filters"),
        .flag("--literally", \.isLiteral, "take the content unchecked"),
        .value("--path <file>", \.path, "process file as it were from this path"),
    ]

    private var type: ByteString?
    private var writes = false
    private var readsStdin = false
    private var readsPaths = false
    private var skipsFilters = false
    private var isLiteral = false
    private var path: ByteString?
    private var files: [ByteString] = []

    mutating func take(_ operand: ByteString) { files.append(operand) }

    func run(_ invocation: Invocation) throws {
        try checkOptions()
        let kindName = type ?? "blob"
        guard let kind = ObjectKind(name: kindName.bytes) else {
            throw Failure("invalid object type \"\(kindName)\"")
        }
        let workspace = writes ? try invocation.workspace() : try invocation.workspaceIfAny()
        var hashing = try ContentHashing(
            kind: kind, workspace: workspace, writes: writes, isChecked: !isLiteral,
            appliesFilters: !skipsFilters)
        var input = try Input.standard()
        if readsStdin {
            invocation.output.line(try hashing.hash(try input.readAll(), as: path).hex)
        }
        for file in files { invocation.output.line(try hashing.file(file, as: path ?? file).hex) }
        guard readsPaths else { return }
        while let line = try input.nextLine(endedBy: 0x0a) {
            guard let file = line.unquoted else { throw Failure("line is badly quoted") }
            invocation.output.line(try hashing.file(file, as: file).hex)
            try invocation.output.flush()
        }
    }

    private func checkOptions() throws {
        if readsPaths {
            if readsStdin { throw UsageError("Can't use --stdin-paths with --stdin") }
            if !files.isEmpty { throw UsageError("Can't specify files with --stdin-paths") }
            if path != nil { throw UsageError("Can't use --stdin-paths with --path") }
        }
        if skipsFilters, path != nil { throw UsageError("Can't use --path with --no-filters") }
    }
}

/// Computes the ids of files and other content.
private struct ContentHashing: ~Copyable {
    private let kind: ObjectKind
    private let workspace: Workspace?
    private let writes: Bool
    private let isChecked: Bool
    private let format: ObjectFormat
    private let index: Index
    /// Turns what the work tree has into what the repository gets; nil where nothing is to be turned.
    private var filters: RepositoryContent?

    init(
        kind: ObjectKind, workspace: Workspace?, writes: Bool, isChecked: Bool,
        appliesFilters: Bool
    ) throws {
        let format = workspace?.format ?? .sha1
        let filtered = appliesFilters && kind == .blob ? workspace : nil
        let index = try filtered?.readIndex() ?? Index(format: format)
        filters = try Self.filters(filtered, index)
        self.kind = kind
        self.workspace = workspace
        self.writes = writes
        self.isChecked = isChecked
        self.format = format
        self.index = index
    }

    private static func filters(
        _ workspace: Workspace?, _ index: Index
    ) throws -> RepositoryContent? {
        guard let workspace, let workTree = workspace.workTree else { return nil }
        return try RepositoryContent(
            objects: workspace.objects, workTree: workTree,
            gitDirectory: workspace.repository.gitDirectory,
            settings: WorktreeSettings(config: workspace.repository.config), index: index)
    }

    mutating func file(_ path: ByteString, as name: ByteString) throws -> ObjectID {
        try hash(try fileContent(path), as: name)
    }

    /// - Parameter name: the path whose attributes say what is to be turned; nil for nothing.
    mutating func hash(_ content: [UInt8], as name: ByteString?) throws -> ObjectID {
        var content = content
        if let name, let path = workspace?.pathFromTop(name) {
            let converted = try filters?.converted(content, at: path, index: index)
            if let converted { content = converted }
        }
        if isChecked { try check(content) }
        if writes, let workspace { return try workspace.objects.write(kind, content) }
        return try ObjectHasher.hash(kind, content, format)
    }

    private func check(_ content: [UInt8]) throws {
        let faults = ObjectChecker(format, strict: true).check(
            GitObject(kind: kind, content: content))
        guard let fault = faults.first(where: { $0.isError(strict: true) }) else { return }
        throw Failure(
            status: ExitStatus.fatal,
            text: """
                error: object fails fsck: \(fault.id): \(fault.message)
                fatal: refusing to create malformed object

                """)
    }
}

/// Largest file taken, in bytes.
private let largestFile = 1 << 32

private func fileContent(_ path: ByteString) throws -> [UInt8] {
    do {
        return try FileSystem.read(path, limit: largestFile)
    } catch {
        guard error.systemError != 0 else { throw error }
        let reason = String(cString: strerror(error.systemError))
        throw Failure("could not open '\(path)' for reading: \(reason)")
    }
}
