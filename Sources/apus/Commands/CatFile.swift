import GitCore
import GitStore

struct CatFile: Command {
    static let name = "cat-file"
    static let summary = "Show an object's content, type or size"
    static let usage = [
        "cat-file <type> <object>",
        "cat-file (-e | -p | -t | -s) <object>",
        """
        cat-file (--batch | --batch-check)[=<format>] [--batch-all-objects]
                             [--buffer] [--unordered]
        """,
    ]
    static let options: [Option<CatFile>] = [
        .action("-e", "check if <object> exists") { command, _ in try command.ask(.exists) },
        .action("-p", "pretty-print <object> content") { command, _ in try command.ask(.pretty) },
        .action("-t", "show object type (one of 'blob', 'tree', 'commit', 'tag')") { command, _ in
            try command.ask(.type)
        },
        .action("-s", "show object size") { command, _ in try command.ask(.size) },
        .action("--batch[=<format>]", "show full <object> contents") {
            try $0.askBatch($1, showsContent: true)
        },
        .action("--batch-check[=<format>]", "like --batch, but don't emit <contents>") {
            try $0.askBatch($1, showsContent: false)
        },
        .flag(
            "--[no-]batch-all-objects", \.isAllObjects,
            "with --batch[-check]: ignores stdin, batches all known objects"),
        .toggle("--[no-]buffer", \.isBuffered, "buffer --batch output"),
        .flag(
            "--[no-]unordered", \.isUnordered, "do not order objects before emitting them"),
    ]

    private enum Query { case exists, pretty, type, size }

    private var query: Query?
    private var batch: (format: ByteString, showsContent: Bool)?
    private var isAllObjects = false
    private var isBuffered: Bool?
    private var isUnordered = false
    private var operands: [ByteString] = []

    private mutating func ask(_ query: Query) throws {
        guard self.query == nil || self.query == query else {
            throw UsageError("-e, -p, -t and -s exclude each other", showsUsage: false)
        }
        self.query = query
    }

    private mutating func askBatch(_ setting: OptionSetting, showsContent: Bool) throws {
        guard batch == nil else {
            throw UsageError("only one batch option may be specified", showsUsage: false)
        }
        var format = ObjectFields.standard
        if case .value(let text) = setting { format = text }
        batch = (format, showsContent)
    }

    mutating func take(_ operand: ByteString) { operands.append(operand) }

    func run(_ invocation: Invocation) throws {
        if let batch {
            guard operands.isEmpty else { throw UsageError("batch modes take no arguments") }
            guard query == nil else { throw UsageError("-e, -p, -t and -s are no batch modes") }
            let workspace = try invocation.workspace()
            let printer = BatchPrinter(
                workspace.repository, try ObjectFields(batch.format),
                showsContent: batch.showsContent, invocation.output)
            if !isAllObjects { return try printer.printNamed(isBuffered: isBuffered ?? false) }
            return isUnordered ? try printer.printUnordered() : try printer.printAll()
        }
        guard !isAllObjects, !isUnordered, isBuffered == nil else {
            throw UsageError("--batch-all-objects, --buffer and --unordered require a batch mode")
        }
        guard operands.count == (query == nil ? 2 : 1) else { throw UsageError(nil) }
        let workspace = try invocation.workspace()
        if let query {
            try answer(query, operands[0], workspace, invocation.output)
        } else {
            try show(operands[1], as: operands[0], workspace, invocation.output)
        }
    }

    // MARK: One object

    private func answer(
        _ query: Query, _ name: ByteString, _ workspace: Workspace, _ output: Output
    ) throws {
        let oid = try workspace.object(name)
        if query == .exists {
            guard try workspace.objects.contains(oid) else {
                throw Failure(status: ExitStatus.failure)
            }
            return
        }
        guard let header = try workspace.objects.headerIfAny(oid) else {
            throw query == .pretty
                ? Failure("Not a valid object name \(name)")
                : Failure("apus cat-file: could not get object info")
        }
        switch query {
        case .type: output.line(header.kind.name)
        case .size: output.line("\(header.size)")
        case .pretty where header.kind == .tree:
            let line = try ListTree.TreeLine(workspace)
            try TreeListing().walk(oid, in: workspace.objects) { path, entry in
                output.write(try line.text(path, entry))
            }
        case .pretty, .exists: try workspace.objects.stream(oid) { output.write($0) }
        }
    }

    private func show(
        _ name: ByteString, as type: ByteString, _ workspace: Workspace, _ output: Output
    ) throws {
        guard let kind = ObjectKind(name: type.bytes) else {
            throw Failure("invalid object type \"\(type)\"")
        }
        let oid = try workspace.object(name)
        guard let found = try workspace.peel(oid, to: kind) else {
            throw Failure("apus cat-file \(name): bad file")
        }
        try workspace.objects.stream(found) { output.write($0) }
    }
}

extension ObjectDatabase {
    /// nil where the object is not there.
    fileprivate func headerIfAny(
        _ oid: ObjectID
    ) throws(StoreError) -> (kind: ObjectKind, size: UInt64)? {
        do {
            return try header(oid)
        } catch  where error.code == .notFound { return nil }
    }
}
