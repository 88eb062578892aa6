import GitCore
import GitStore
import GitWorktree

struct Fsck: Command {
    static let name = "fsck"
    static let summary = "Check that the repository is whole"
    static let usage = [
        """
        fsck [--tags] [--root] [--unreachable] [--cache] [--no-reflogs]
                         [--[no-]full] [--strict] [--connectivity-only]
                         [--[no-]dangling] [<object>...]
        """
    ]
    static let options: [Option<Fsck>] = [
        .flag("--[no-]unreachable", \.check.findsUnreachable, "show unreachable objects"),
        .flag("--[no-]dangling", \.check.findsDangling, "show dangling objects"),
        .flag("--[no-]tags", \.check.findsTags, "report tags"),
        .flag("--[no-]root", \.check.findsRoots, "report root nodes"),
        .flag("--[no-]cache", \.usesIndex, "make index objects head nodes"),
        .flag("--[no-]reflogs", \.check.usesReflogs, "make reflogs head nodes (default)"),
        .flag("--[no-]full", \.check.isFull, "also consider packs and alternate objects"),
        .flag(
            "--[no-]connectivity-only", \.check.checksOnlyConnectivity,
            "check only connectivity"),
        .flag("--[no-]strict", \.check.isStrict, "enable more strict checking"),
        .toggle("--[no-]progress", \.progress, "accepted for compatibility: none is shown"),
        .flag("-v, --[no-]verbose", \.isVerbose, "accepted for compatibility"),
    ]

    private var check = RepositoryCheck()
    private var usesIndex = false
    private var progress: Bool?
    private var isVerbose = false
    private var names: [ByteString] = []

    mutating func take(_ operand: ByteString) { names.append(operand) }

    func run(_ invocation: Invocation) throws {
        let workspace = try invocation.workspace()
        var check = check
        var verdict: RepositoryVerdict = []
        if !names.isEmpty {
            var heads: [ObjectID] = []
            for name in names {
                if let oid = try workspace.find(name) {
                    heads.append(oid)
                } else {
                    writeError("error: invalid parameter: expected sha1, got '\(name)'\n")
                    verdict.insert(.objects)
                }
            }
            check.heads = heads
        }
        if usesIndex || names.isEmpty {
            let index = try workspace.readIndex()
            for entry in index.entries where entry.mode != .gitlink {
                check.extraRoots.append((entry.oid, entry.mode.kind))
            }
            check.cachedTrees = index.cacheTree.trees
        }
        let output = invocation.output
        verdict.formUnion(
            try check.run(on: workspace.repository) { show($0, output) })
        if !verdict.isEmpty { throw Failure(status: verdict.rawValue) }
    }

    private func show(_ finding: RepositoryFinding, _ output: Output) {
        switch finding {
        case .fault(let oid, let kind, let fault):
            let severity = fault.isError(strict: check.isStrict) ? "error" : "warning"
            writeError("\(severity) in \(kind.name) \(oid): \(fault.id): \(fault.message)\n")
        case .unusable(let reason): writeError("error: \(reason)\n")
        case .brokenLink(let oid, let kind, let target, let targetKind):
            output.line("broken link from \(padded(kind)) \(oid)")
            output.line("              to \(padded(targetKind)) \(target)")
        case .missing(let oid, let kind): output.line("missing \(kind.name) \(oid)")
        case .dangling(let oid, let kind): output.line("dangling \(kind.name) \(oid)")
        case .unreachable(let oid, let kind): output.line("unreachable \(kind.name) \(oid)")
        case .root(let oid): output.line("root \(oid)")
        case .tagged(let oid, let kind, let name, let tag):
            output.line("tagged \(kind.name) \(oid) (\(name)) in \(tag)")
        case .unbornHead(let branch):
            writeError("notice: HEAD points to an unborn branch (\(branch.short))\n")
        case .noRefs: writeError("notice: No default references\n")
        }
    }

    private func padded(_ kind: ObjectKind) -> String {
        String(repeating: " ", count: max(0, 7 - kind.name.utf8.count)) + kind.name
    }
}
