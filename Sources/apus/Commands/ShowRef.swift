import GitCore
import GitStore

struct ShowRef: Command {
    static let name = "show-ref"
    static let summary = "List the refs of the repository"
    static let usage = [
        """
        show-ref [-q | --quiet] [--verify] [--head] [-d | --dereference]
                             [-s | --hash[=<n>]] [--abbrev[=<n>]] [--tags]
                             [--heads] [--] [<pattern>...]
        """
    ]
    static let options: [Option<ShowRef>] = [
        .flag("--[no-]tags", \.showsTags, "only show tags (can be combined with heads)"),
        .flag("--[no-]heads", \.showsHeads, "only show heads (can be combined with tags)"),
        .flag(
            "--[no-]verify", \.isExact, "stricter reference checking, requires exact ref path"),
        .flag(
            "--[no-]head", \.showsHead,
            "show the HEAD reference, even if it would be filtered out"),
        .flag("-d, --[no-]dereference", \.peels, "dereference tags into object IDs"),
        .action("-s, --hash[=<n>]", "only show object id, using <n> digits") {
            $0.showsOnlyID = true
            if case .value = $1 { $0.abbreviation = try Abbreviation(option: $1) }
        },
        .action("--abbrev[=<n>]", "use <n> digits to display object names") {
            $0.abbreviation = try Abbreviation(option: $1)
        },
        .flag(
            "-q, --[no-]quiet", \.isQuiet,
            "do not print results to stdout (useful with --verify)"),
    ]

    private var showsTags = false
    private var showsHeads = false
    private var isExact = false
    private var showsHead = false
    private var peels = false
    private var showsOnlyID = false
    private var abbreviation = Abbreviation.none
    private var isQuiet = false
    private var patterns: [ByteString] = []

    mutating func take(_ operand: ByteString) { patterns.append(operand) }

    func run(_ invocation: Invocation) throws {
        let workspace = try invocation.workspace()
        if isExact { return try verify(workspace, invocation.output) }
        var isFound = false
        if showsHead, let head = try workspace.repository.refs.resolve(.head) {
            isFound = true
            let peeled = peels ? try workspace.tagTarget(head.oid) : nil
            try show(.head, head.oid, peeled, workspace, invocation.output)
        }
        for entry in try workspace.repository.refs.list(prefix: "refs/", reporting: warn)
        where isWanted(entry.name.bytes) {
            isFound = true
            try show(entry.name, entry.oid, entry.peeled, workspace, invocation.output)
        }
        if !isFound { throw Failure(status: ExitStatus.failure) }
    }

    private func verify(_ workspace: Workspace, _ output: Output) throws {
        guard !patterns.isEmpty else { throw Failure("--verify requires a reference") }
        for pattern in patterns {
            let isPlausible = pattern.hasPrefix("refs/") || pattern == "HEAD"
            guard isPlausible, let name = RefName(pattern),
                let found = try workspace.repository.refs.resolve(name)
            else {
                throw isQuiet
                    ? Failure(status: ExitStatus.failure)
                    : Failure("'\(pattern)' - not a valid ref")
            }
            let peeled = peels ? try workspace.tagTarget(found.oid) : nil
            try show(name, found.oid, peeled, workspace, output)
        }
    }

    private func isWanted(_ name: ByteString) -> Bool {
        if showsTags || showsHeads {
            let isTag = showsTags && name.hasPrefix("refs/tags/")
            let isHead = showsHeads && name.hasPrefix("refs/heads/")
            guard isTag || isHead else { return false }
        }
        // A pattern is the last components of a name.
        return patterns.isEmpty
            || patterns.contains { name == $0 || name.hasSuffix("/" + $0) }
    }

    private func show(
        _ name: RefName, _ oid: ObjectID, _ peeled: ObjectID?, _ workspace: Workspace,
        _ output: Output
    ) throws {
        guard !isQuiet else { return }
        let text = try abbreviation.text(oid, workspace)
        output.write(showsOnlyID ? text + "\n" : text + " " + name.bytes + "\n")
        guard peels, let peeled else { return }
        output.write(try abbreviation.text(peeled, workspace) + " " + name.bytes + "^{}\n")
    }
}

/// Tells of a ref that a listing leaves out.
func warn(_ ref: BrokenRef) { writeError("warning: \(ref.reason)\n") }

extension Workspace {
    /// What a tag leads to; nil for what is no tag.
    func tagTarget(_ oid: ObjectID) throws -> ObjectID? {
        let target = try objects.peeled(oid)
        return target == oid ? nil : target
    }
}
