import GitCore
import GitStore

struct CommitTree: Command {
    static let name = "commit-tree"
    static let summary = "Make a commit of a tree"
    static let usage = [
        "commit-tree <tree> [(-p <parent>)...]",
        "commit-tree [(-p <parent>)...] [(-m <message>)...] [(-F <file>)...] <tree>",
    ]
    static let options: [Option<CommitTree>] = [
        .values("-p <parent>", \.parents, "id of a parent commit object"),
        .action("-m <message>", "commit message") { command, setting in
            if case .value(let text) = setting { command.messages.append(.text(text)) }
        },
        .action("-F <file>", "read commit log message from file") { command, setting in
            if case .value(let path) = setting { command.messages.append(.file(path)) }
        },
    ]

    private enum Message { case text(ByteString), file(ByteString) }

    /// Largest message taken, in bytes.
    private static let largestMessage = 64 << 20

    private var parents: [ByteString] = []
    private var messages: [Message] = []
    private var trees: [ByteString] = []

    mutating func take(_ operand: ByteString) { trees.append(operand) }

    func run(_ invocation: Invocation) throws {
        guard trees.count == 1 else { throw Failure("must give exactly one tree") }
        let workspace = try invocation.workspace()
        let config = workspace.repository.config
        let tree = try object(trees[0], .tree, workspace)
        let parents = try distinctParents(workspace)
        let message = try message()
        let commit = CommitContent(
            tree: tree, parents: parents,
            author: try Identity.current(.author, config: config, strict: true),
            committer: try Identity.current(.committer, config: config, strict: true),
            encoding: encoding(config), message: message)
        let oid = try workspace.objects.write(.commit, try commit.encoded())
        invocation.output.line(oid.hex)
    }

    private func object(
        _ name: ByteString, _ kind: ObjectKind, _ workspace: Workspace
    ) throws -> ObjectID {
        guard let oid = try workspace.find(name) else {
            throw Failure("not a valid object name \(name)")
        }
        guard let found = try workspace.peel(oid, to: kind == .commit ? kind : .tree) else {
            throw Failure("\(oid) is not a valid '\(kind.name)' object")
        }
        // A commit stands for its tree nowhere in a commit.
        guard kind != .tree || found == oid else {
            throw Failure("\(oid) is not a valid '\(kind.name)' object")
        }
        return found
    }

    private func distinctParents(_ workspace: Workspace) throws -> [ObjectID] {
        var found: [ObjectID] = []
        for name in parents {
            let oid = try object(name, .commit, workspace)
            if found.contains(oid) {
                writeError("error: duplicate parent \(oid) ignored\n")
            } else {
                found.append(oid)
            }
        }
        return found
    }

    /// The paragraphs that were given, each with its line ended; without any, standard input as it is.
    private func message() throws -> ByteString {
        var text: [UInt8] = []
        for message in messages {
            if !text.isEmpty { text.append(0x0a) }
            switch message {
            case .text(let given): text += given.bytes
            case .file("-"): text += try standardInput()
            case .file(let path): text += try FileSystem.read(path, limit: Self.largestMessage)
            }
            if let last = text.last, last != 0x0a { text.append(0x0a) }
        }
        return ByteString(text.isEmpty ? try standardInput() : text)
    }

    private func standardInput() throws -> [UInt8] {
        var input = try Input.standard()
        return try input.readAll()
    }

    private func encoding(_ config: Config) -> ByteString? {
        guard let name = config.string("i18n.commitencoding") else { return nil }
        let lower = String(decoding: name.bytes, as: UTF8.self).lowercased()
        return lower == "utf-8" || lower == "utf8" ? nil : name
    }
}
