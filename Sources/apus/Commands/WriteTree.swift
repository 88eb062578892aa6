import GitCore
import GitStore
import GitWorktree

struct WriteTree: Command {
    static let name = "write-tree"
    static let summary = "Write the index as a tree object"
    static let usage = ["write-tree [--missing-ok] [--prefix=<prefix>/]"]
    static let options: [Option<WriteTree>] = [
        .flag("--[no-]missing-ok", \.allowsMissing, "allow missing objects"),
        .value("--prefix <prefix>/", \.prefix, "write tree object for a subdirectory <prefix>"),
    ]

    private var allowsMissing = false
    private var prefix: ByteString?

    func run(_ invocation: Invocation) throws {
        let workspace = try invocation.workspace()
        var update = try workspace.beginIndexUpdate()
        let oid: ObjectID
        do {
            oid = try update.writeTree(allowMissing: allowsMissing, prefix: prefix ?? "")
        } catch {
            throw failure(error)
        }
        try update.commit()
        invocation.output.line(oid.hex)
    }

    private func failure(_ error: WorktreeError) -> Failure {
        switch error.code {
        case .notFound where prefix != nil: Failure("apus write-tree: \(error)")
        case .conflict, .notFound:
            Failure(
                status: ExitStatus.fatal,
                text: "error: \(error)\nfatal: apus write-tree: error building trees\n")
        default: Failure(error)
        }
    }
}
