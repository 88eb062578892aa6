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
            appliesFilters: !skipsFilters, output: invocation.output)
        do { try takeAll(&hashing, invocation.output) } catch {
            // What came before has its answers.
            try hashing.finish()
            throw error
        }
        try hashing.finish()
    }

    private func takeAll(_ hashing: inout ContentHashing, _ output: Output) throws {
        var input = try Input.standard()
        if readsStdin { try hashing.take(try input.readAll(), as: path) }
        for file in files { try hashing.take(file: file, as: path ?? file) }
        guard readsPaths else { return }
        while let line = try input.nextLine(endedBy: 0x0a) {
            guard let file = line.unquoted else { throw Failure("line is badly quoted") }
            try hashing.take(file: file, as: file)
            if input.hasLine(endedBy: 0x0a) { continue }
            // Whoever writes the paths may wait for the ids before going on.
            try hashing.finish()
            try output.flush()
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

/// Computes the ids of files and other content, many at a time, and prints them in turn.
private struct ContentHashing: ~Copyable {
    private let kind: ObjectKind
    private let workspace: Workspace?
    private let isChecked: Bool
    private let answers: Answers
    private let hasher: BatchHasher
    private let format: ObjectFormat
    private let index: Index
    /// Turns what the work tree has into what the repository gets; nil where nothing is to be turned.
    private var filters: RepositoryContent?

    init(
        kind: ObjectKind, workspace: Workspace?, writes: Bool, isChecked: Bool,
        appliesFilters: Bool, output: Output
    ) throws {
        let format = workspace?.format ?? .sha1
        let filtered = appliesFilters && kind == .blob ? workspace : nil
        let index = try filtered?.readIndex() ?? Index(format: format)
        filters = try Self.filters(filtered, index)
        self.kind = kind
        self.workspace = workspace
        self.isChecked = isChecked
        answers = Answers(objects: writes ? workspace?.objects : nil, output: output)
        hasher = BatchHasher(format)
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

    mutating func take(file path: ByteString, as name: ByteString) throws {
        try take(try fileContent(path), as: name)
    }

    /// - Parameter name: the path whose attributes say what is to be turned; nil for nothing.
    mutating func take(_ content: [UInt8], as name: ByteString?) throws {
        var content = content
        if let name, let path = workspace?.pathFromTop(name) {
            let converted = try filters?.converted(content, at: path, index: index)
            if let converted { content = converted }
        }
        if isChecked { try check(content) }
        try hasher.add(kind, content, number: 0, done: answers.give)
    }

    /// Answers all that was taken.
    func finish() throws { try hasher.finish(answers.give) }

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

/// What becomes of an object that has its id.
private struct Answers {
    /// Where it is written; nil for nowhere.
    let objects: ObjectDatabase?
    let output: Output

    func give(_ object: BatchHasher.Named) throws {
        let oid = try object.oid()
        try objects?.write(oid, object.kind, object.content)
        output.line(oid.hex)
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
