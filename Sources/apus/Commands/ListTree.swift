import GitCore
import GitStore

struct ListTree: Command {
    static let name = "ls-tree"
    static let summary = "List the contents of a tree"
    static let usage = ["ls-tree [<options>] <tree-ish> [<path>...]"]
    static let options: [Option<ListTree>] = [
        .flag("-d", \.listing.showsOnlyTrees, "only show trees"),
        .flag("-r", \.listing.isRecursive, "recurse into subtrees"),
        .flag("-t", \.listing.showsTrees, "show trees when recursing"),
        .flag("-z", \.endsWithNUL, "terminate entries with NUL byte"),
        .action("-l, --long", "include object size") { try $0.choose(.long, $1) },
        .action("--name-only", "list only filenames") { try $0.choose(.names, $1) },
        .action("--name-status", "list only filenames") { try $0.choose(.names, $1) },
        .action("--object-only", "list only objects") { try $0.choose(.objects, $1) },
        .flag("--[no-]full-name", \.usesFullNames, "use full path names"),
        .flag(
            "--[no-]full-tree", \.isFullTree,
            "list entire tree; not just current directory (implies --full-name)"),
        .action("--abbrev[=<n>]", "use <n> digits to display object names") {
            $0.abbreviation = try Abbreviation(option: $1)
        },
    ]

    fileprivate enum Columns { case all, long, names, objects }

    private var listing = TreeListing()
    private var columns = Columns.all
    private var endsWithNUL = false
    private var usesFullNames = false
    private var isFullTree = false
    private var abbreviation = Abbreviation.none
    private var operands: [ByteString] = []

    private mutating func choose(_ columns: Columns, _ setting: OptionSetting) throws {
        guard self.columns == .all || self.columns == columns else {
            throw UsageError(
                "--long, --name-only, --name-status and --object-only exclude each other")
        }
        self.columns = columns
    }

    mutating func take(_ operand: ByteString) { operands.append(operand) }

    func run(_ invocation: Invocation) throws {
        guard let name = operands.first else { throw UsageError(nil) }
        let workspace = try invocation.workspace()
        let object = try workspace.object(name)
        guard let tree = try workspace.peel(object, to: .tree) else {
            throw Failure("not a tree object")
        }
        let base = isFullTree ? "" : workspace.prefix
        var listing = listing
        if listing.isRecursive, listing.showsOnlyTrees { listing.showsTrees = true }
        listing.paths = try paths(workspace, base)
        let line = try TreeLine(
            workspace, columns: columns, abbreviation: abbreviation,
            relativeTo: usesFullNames ? "" : base, endsWithNUL: endsWithNUL)
        try listing.walk(tree, in: workspace.objects) { path, entry in
            invocation.output.write(try line.text(path, entry))
        }
    }

    private func paths(_ workspace: Workspace, _ base: ByteString) throws -> [ByteString] {
        if operands.count == 1 { return base.isEmpty ? [] : [base] }
        let start = Workspace(repository: workspace.repository, workTree: nil, prefix: base)
        return try operands.dropFirst().map { path in
            guard let whole = start.pathFromTop(path) else {
                throw Failure("\(path): '\(path)' is outside repository")
            }
            // What is in a directory is meant where its name ends so, and where it is not named.
            let last = path.split(UInt8(ascii: "/")).last
            return ["", ".", ".."].contains(last) && !whole.isEmpty ? whole + "/" : whole
        }
    }

    /// How one entry is printed.
    struct TreeLine {
        private let workspace: Workspace
        private let columns: Columns
        private let abbreviation: Abbreviation
        private let base: ByteString
        private let endsWithNUL: Bool
        private let quotesHighBytes: Bool

        fileprivate init(
            _ workspace: Workspace, columns: Columns, abbreviation: Abbreviation,
            relativeTo base: ByteString, endsWithNUL: Bool
        ) throws {
            self.workspace = workspace
            self.columns = columns
            self.abbreviation = abbreviation
            self.base = base
            self.endsWithNUL = endsWithNUL
            quotesHighBytes = try workspace.quotesHighBytes()
        }

        /// As `ls-tree` prints without options, and `cat-file -p`.
        init(_ workspace: Workspace) throws {
            try self.init(
                workspace, columns: .all, abbreviation: .none, relativeTo: "", endsWithNUL: false)
        }

        func text(_ path: ByteString, _ entry: TreeEntry) throws -> ByteString {
            let end = ByteString([endsWithNUL ? 0 : 0x0a])
            let oid = try abbreviation.text(entry.oid, workspace)
            if columns == .objects { return oid + end }
            let relative = path.relative(to: base)
            let name = endsWithNUL ? relative : relative.quoted(isHighQuoted: quotesHighBytes)
            if columns == .names { return name + end }
            // As Git, which reads the mode of old trees as the one that it writes.
            let mode = (entry.mode == .groupWritable ? FileMode.regular : entry.mode).octal
            let size = columns == .long ? " " + (try sizeText(entry)) : ""
            let front = (mode.count < 6 ? "0" : "") + mode + " \(entry.mode.kind.name) "
            return ByteString(front) + oid + ByteString(size) + "\t" + name + end
        }

        private func sizeText(_ entry: TreeEntry) throws -> String {
            let text =
                entry.mode.kind == .blob ? "\(try workspace.objects.header(entry.oid).size)" : "-"
            return String(repeating: " ", count: max(0, 7 - text.count)) + text
        }
    }
}
