import GitCore
import GitStore

struct CommitGraphCommand: Command {
    static let name = "commit-graph"
    static let summary = "Write or verify the commit-graph file"
    static let usage = [
        "commit-graph verify [--object-dir <dir>] [--shallow] [--[no-]progress]",
        "commit-graph write [--object-dir <dir>] [--append]"
            + " [--reachable | --stdin-packs | --stdin-commits] [--[no-]progress]",
    ]
    static let options: [Option<CommitGraphCommand>] = [
        .value("--object-dir <dir>", \.objectDirectory, "the object directory of the graph"),
        .flag("--[no-]reachable", \.takesRefs, "start walk at all refs"),
        .flag("--[no-]stdin-commits", \.readsCommits, "start walk at commits listed by stdin"),
        .flag("--[no-]append", \.appends, "include all commits already in the commit-graph file"),
        .flag("--[no-]shallow", \.isShallow, "verify only the tip of a split commit-graph"),
        .toggle("--[no-]progress", \.progress, "accepted for compatibility: none is shown"),
    ]

    private var objectDirectory: ByteString?
    private var takesRefs = false
    private var readsCommits = false
    private var appends = false
    private var isShallow = false
    private var progress: Bool?
    private var action: ByteString?

    mutating func take(_ operand: ByteString) throws {
        guard action == nil, ["write", "verify"].contains(operand) else { throw UsageError(nil) }
        action = operand
    }

    func run(_ invocation: Invocation) throws {
        guard let action else { throw UsageError("need a subcommand") }
        let workspace = try invocation.workspace()
        let objects = try store(workspace)
        if action == "verify" {
            try verify(objects)
        } else {
            try write(workspace, objects)
        }
    }

    private func store(_ workspace: Workspace) throws -> ObjectDatabase {
        guard let objectDirectory else { return workspace.objects }
        return try ObjectDatabase(objectsDirectory: objectDirectory, format: workspace.format)
    }

    private func verify(_ objects: ObjectDatabase) throws {
        var isFaulty = false
        do {
            try objects.checkCommitGraph(isShallow: isShallow) { fault in
                writeError("\(fault)\n")
                isFaulty = true
            }
        } catch  where error.code == .corrupt {
            throw Failure(error: error.message)
        }
        if isFaulty { throw Failure(status: ExitStatus.failure) }
    }

    private func write(_ workspace: Workspace, _ objects: ObjectDatabase) throws {
        guard !(takesRefs && readsCommits) else {
            throw Failure("use at most one of --reachable, --stdin-commits, or --stdin-packs")
        }
        let repository = workspace.repository
        // Other parents than those that commits have: a graph would be wrong.
        if try !repository.shallowCommits().isEmpty { return }
        if try !repository.refs.list(prefix: "refs/replace/", peeling: false).isEmpty { return }
        if try repository.config.bool("core.commitgraph") == false {
            writeError(
                "warning: attempting to write a commit-graph, but 'core.commitGraph' is disabled\n")
            return
        }
        var tips = try tips(workspace, objects)
        if appends { tips += try objects.commitsOfGraph() }
        var writer = try CommitGraphWriter(objects)
        try writer.write(tips: tips)
    }

    private func tips(_ workspace: Workspace, _ objects: ObjectDatabase) throws -> [ObjectID] {
        if takesRefs {
            return try workspace.repository.refs.list(prefix: "refs/").map { $0.peeled ?? $0.oid }
        }
        guard readsCommits else { return try objects.packedCommits() }
        var tips: [ObjectID] = []
        var input = try Input.standard()
        while let line = try input.nextLine() {
            guard let oid = ObjectID(hex: line), oid.format == workspace.format else {
                throw Failure(error: "unexpected non-hex object ID: \(line)")
            }
            guard let peeled = try workspace.peel(oid, to: .commit) else {
                throw Failure(error: "invalid object: \(oid)")
            }
            tips.append(peeled)
        }
        return tips
    }
}
