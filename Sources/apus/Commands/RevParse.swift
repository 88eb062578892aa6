import GitCore
import GitStore

struct RevParse: Command {
    static let name = "rev-parse"
    static let summary = "Turn names into object ids, and tell where the repository is"
    static let usage = ["rev-parse [<options>] [<name>...]"]
    static let options: [Option<RevParse>] = [
        .flag("--verify", \.isVerifying, "there must be one name, of one object"),
        .flag("-q, --quiet", \.isQuiet, "with --verify: say nothing where there is none"),
        .action("--short[=<n>]", "print ids shortened, to <n> digits at least") {
            $0.isVerifying = true
            $0.style = .short(try Abbreviation(option: $1))
        },
        .choice("--symbolic-full-name", \.style, .fullName, "print refs by their full names"),
        .action("--abbrev-ref[=<mode>]", "print refs by their short names") { command, _ in
            command.style = .shortName
        },
        .action("--git-dir", "print the path of the repository") { $0.ask(.gitDirectory, $1) },
        .action("--absolute-git-dir", "print the absolute path of the repository") {
            $0.ask(.absoluteGitDirectory, $1)
        },
        .action("--show-toplevel", "print the path of the work tree") { $0.ask(.top, $1) },
        .action("--show-prefix", "print the current directory from the top") {
            $0.ask(.prefix, $1)
        },
        .action("--show-object-format", "print the hash algorithm") {
            $0.ask(.objectFormat, $1)
        },
        .action("--is-bare-repository", "print whether the repository is bare") {
            $0.ask(.isBare, $1)
        },
        .action("--is-inside-work-tree", "print whether this is in the work tree") {
            $0.ask(.isInsideWorkTree, $1)
        },
        .action("--is-inside-git-dir", "print whether this is in the repository") {
            $0.ask(.isInsideGitDirectory, $1)
        },
    ]

    private enum Style { case id, short(Abbreviation), fullName, shortName }

    private enum Question {
        case gitDirectory, absoluteGitDirectory, top, prefix, objectFormat
        case isBare, isInsideWorkTree, isInsideGitDirectory
    }

    private enum Step {
        case question(Question)
        case name(ByteString, Style)
    }

    private var isVerifying = false
    private var isQuiet = false
    private var style = Style.id
    private var steps: [Step] = []

    private mutating func ask(_ question: Question, _: OptionSetting) {
        steps.append(.question(question))
    }

    mutating func take(_ operand: ByteString) { steps.append(.name(operand, style)) }

    func run(_ invocation: Invocation) throws {
        let workspace = try invocation.workspace()
        let location = Location(workspace, invocation)
        let nameCount = steps.count { if case .name = $0 { true } else { false } }
        for step in steps {
            switch step {
            case .question(let question):
                invocation.output.write(try answer(question, location) + "\n")
            case .name(let name, let style):
                if isVerifying, nameCount != 1 { throw noSingleRevision }
                try write(name, style, workspace, invocation.output)
            }
        }
        if isVerifying, nameCount == 0 { throw noSingleRevision }
    }

    private var noSingleRevision: Failure {
        isQuiet ? Failure(status: ExitStatus.failure) : Failure("Needed a single revision")
    }

    // MARK: Names

    private func write(
        _ name: ByteString, _ style: Style, _ workspace: Workspace, _ output: Output
    ) throws {
        do {
            for line in try lines(name, style, workspace) { output.write(line + "\n") }
        } catch {
            // What is no revision may be a file: Git prints it before it finds out.
            if !isVerifying { output.write(name + "\n") }
            throw error
        }
    }

    private func lines(
        _ name: ByteString, _ style: Style, _ workspace: Workspace
    ) throws -> [ByteString] {
        if !isVerifying, let dots = name.rangeSeparator {
            let (from, to) = (ByteString(name.bytes[..<dots]), name.dropFirst(dots + 2))
            return try line(to.isEmpty ? "HEAD" : to, "", style, workspace)
                + line(from.isEmpty ? "HEAD" : from, "^", style, workspace)
        }
        if name.hasPrefix("^") { return try line(name.dropFirst(1), "^", style, workspace) }
        return try line(name, "", style, workspace)
    }

    /// The line for one object; none where a ref's name is asked for and `name` is no ref.
    private func line(
        _ name: ByteString, _ sign: ByteString, _ style: Style, _ workspace: Workspace
    ) throws -> [ByteString] {
        let revision = try resolve(name, workspace)
        let refs = workspace.repository.refs
        switch style {
        case .id: return [sign + ByteString(revision.oid.hexBytes)]
        case .short(let abbreviation):
            return [sign + (try abbreviation.text(revision.oid, workspace))]
        case .fullName, .shortName:
            guard let ref = revision.ref, let target = try refs.resolve(ref)?.name else {
                return []
            }
            if case .fullName = style { return [sign + target.bytes] }
            return [sign + (try refs.unambiguousShortName(target))]
        }
    }

    private func resolve(_ name: ByteString, _ workspace: Workspace) throws -> Revision {
        do {
            let revision = try workspace.repository.resolve(revision: name)
            if !revision.alternatives.isEmpty {
                writeError("warning: refname '\(name)' is ambiguous.\n")
            }
            return revision
        } catch {
            tellOfOtherKind(name, workspace)
            if isVerifying { throw noSingleRevision }
            throw Failure(
                "ambiguous argument '\(name)': unknown revision or path not in the working tree.")
        }
    }

    /// Says so where `name` asks for a kind of object that its base does not lead to.
    private func tellOfOtherKind(_ name: ByteString, _ workspace: Workspace) {
        for kind in ObjectKind.allCases {
            let step = ByteString("^{\(kind.name)}")
            guard name.hasSuffix(step),
                let base = try? workspace.repository.resolve(revision: name.dropLast(step.count)),
                let end = try? workspace.objects.peeled(base.oid),
                let found = try? workspace.objects.header(end).kind
            else { continue }
            // From a commit the way leads on to its tree, and no further.
            let last = found == .commit && kind != .tag ? ObjectKind.tree : found
            writeError(
                "error: \(name): expected \(kind.name) type, but the object dereferences to"
                    + " \(last.name) type\n")
        }
    }

    // MARK: The repository

    private func answer(_ question: Question, _ location: Location) throws -> ByteString {
        switch question {
        case .gitDirectory: return location.gitDirectory
        case .absoluteGitDirectory: return location.workspace.repository.gitDirectory
        case .top:
            guard let top = location.workspace.workTree, location.isInsideWorkTree else {
                throw Failure("this operation must be run in a work tree")
            }
            return top
        case .prefix: return location.workspace.prefix
        case .objectFormat: return ByteString(location.workspace.format.name)
        case .isBare: return location.workspace.repository.isBare ? "true" : "false"
        case .isInsideWorkTree: return location.isInsideWorkTree ? "true" : "false"
        case .isInsideGitDirectory: return location.isInsideGitDirectory ? "true" : "false"
        }
    }
}

/// Where the current directory is, seen from the repository.
private struct Location {
    let workspace: Workspace
    private let invocation: Invocation
    private let here: ByteString

    init(_ workspace: Workspace, _ invocation: Invocation) {
        self.workspace = workspace
        self.invocation = invocation
        here = FileSystem.realPath(".") ?? "/"
    }

    var isInsideGitDirectory: Bool { here.isIn(workspace.repository.gitDirectory) }

    var isInsideWorkTree: Bool {
        workspace.workTree.map { here.isIn($0) } ?? false && !isInsideGitDirectory
    }

    /// As short as Git gives it: as it was named, else relative where that leads nowhere up.
    var gitDirectory: ByteString {
        let path = workspace.repository.gitDirectory
        if let named = invocation.gitDirectory { return named }
        if path == here { return "." }
        return path == here / ".git" ? ".git" : path
    }
}

extension ByteString {
    /// Whether this path is `directory` or lies in it; both absolute.
    fileprivate func isIn(_ directory: ByteString) -> Bool {
        self == directory || hasPrefix(directory / "")
    }

    /// Where the `..` of `a..b` stands.
    fileprivate var rangeSeparator: Int? {
        guard count > 2 else { return nil }
        return (0 ..< count - 1).first {
            bytes[$0] == 0x2e && bytes[$0 + 1] == 0x2e
                && (bytes.count == $0 + 2 || bytes[$0 + 2] != 0x2e)
        }
    }
}
