import GitClient
import GitCore
import GitStore

struct LsRemoteCommand: Command {
    static let name = "ls-remote"
    static let summary = "List the refs of a remote repository"
    static let usage = [
        "ls-remote [--heads] [--tags] [--refs] [--symref] [-q | --quiet] [--exit-code]\n"
            + "                      [--get-url] [<repository> [<patterns>...]]"
    ]
    static let options: [Option<LsRemoteCommand>] = [
        .flag("-q, --[no-]quiet", \.isQuiet, "do not print the remote's URL"),
        .flag("-h, --heads", \.selection.heads, "list branches only"),
        .flag("-t, --tags", \.selection.tags, "list tags only"),
        .flag("--refs", \.selection.refsOnly, "list neither HEAD nor what tags lead to"),
        .flag("--symref", \.showsTargets, "show what symbolic refs point to, too"),
        .flag("--exit-code", \.tellsByStatus, "exit with 2 where nothing is found"),
        .flag("--get-url", \.printsURL, "print the URL, with url.<base>.insteadOf applied"),
    ]

    private var isQuiet = false
    private var selection = RefSelection()
    private var showsTargets = false
    private var tellsByStatus = false
    private var printsURL = false
    private var repository: ByteString?

    mutating func take(_ operand: ByteString) {
        if repository == nil { repository = operand } else { selection.patterns.append(operand) }
    }

    func run(_ invocation: Invocation) async throws {
        let (config, url) = try remote(invocation)
        guard !printsURL else {
            return invocation.output.write(config.rewriting(url: url) + "\n")
        }
        let listing = try LsRemote(url, config: config) { notice in
            switch notice {
            case .warning(let text): writeError("warning: \(text)\n")
            case .remote(let line): writeError("remote: \(line)\n")
            }
        }
        if repository == nil, !isQuiet { writeError("From \(listing.url.redacted)\n") }
        let lines = selection.lines(of: try await listing.refs(prefixes: selection.prefixes))
        for line in lines {
            if showsTargets, let target = line.symrefTarget {
                invocation.output.write("ref: " + target.bytes + "\t" + line.name + "\n")
            }
            invocation.output.write(ByteString(line.oid.hexBytes) + "\t" + line.name + "\n")
        }
        if tellsByStatus, lines.isEmpty { throw Failure(status: 2) }
    }

    /// The settings that hold here, and the URL: that of a remote of this repository, or the operand
    /// itself.
    private func remote(_ invocation: Invocation) throws -> (Config, ByteString) {
        let here = try invocation.repositoryIfAny()
        let config =
            try here?.config ?? Config.load(gitDirectory: nil, overrides: invocation.overrides)
        let name = try repository ?? here?.defaultRemote()
        guard let name else { throw Failure("No remote configured to list refs from.") }
        if let url = config.strings("remote.\(name.printable).url").first { return (config, url) }
        guard repository != nil else { throw Failure("No remote configured to list refs from.") }
        return (config, name)
    }
}

extension Invocation {
    /// The repository that the options, the environment or the current directory give; nil where there
    /// is none.
    func repositoryIfAny() throws -> Repository? {
        do {
            guard let gitDirectory else {
                return try Repository.discover(from: ".", overrides: overrides)
            }
            return try Repository.open(gitDirectory: gitDirectory, overrides: overrides)
        } catch  where error.code == .notFound { return nil }
    }
}
