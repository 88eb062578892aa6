import GitCore
import GitStore

struct Init: Command {
    static let name = "init"
    static let summary = "Create an empty repository, or reinitialize one"
    static let usage = [
        "init [-q | --quiet] [--bare] [--object-format=<format>]\n"
            + "                 [-b <branch-name> | --initial-branch=<branch-name>] [<directory>]"
    ]
    static let options: [Option<Init>] = [
        .flag("--[no-]bare", \.isBare, "create a bare repository"),
        .flag("-q, --[no-]quiet", \.isQuiet, "be quiet"),
        .value(
            "-b, --initial-branch <name>", \.branch, "override the name of the initial branch"),
        .value(
            "--object-format <hash>", \.objectFormat, "specify the hash algorithm to use"),
    ]

    private var isBare = false
    private var isQuiet = false
    private var branch: ByteString?
    private var objectFormat: ByteString?
    private var directory: ByteString?

    mutating func take(_ operand: ByteString) throws {
        guard directory == nil else { throw UsageError(nil) }
        directory = operand
    }

    func run(_ invocation: Invocation) throws {
        let config = try Config.load(gitDirectory: nil, overrides: invocation.overrides)
        let isBare = isBare || invocation.isBare
        let place = try place(invocation, isBare: isBare)
        let isThere = Repository.isRepository(gitDirectory: place.gitDirectory)
        let repository = try Repository.create(
            at: place.directory, bare: place.isBare,
            initialBranch: try initialBranch(config), format: try format(place, isThere),
            overrides: invocation.overrides)
        if !isThere, !isQuiet, branch == nil, config.string("init.defaultbranch") == nil {
            writeError(
                """
                hint: The initial branch is called 'master'. To give it another name, here or in
                hint: every new repository, use -b <name> or set init.defaultBranch.

                """)
        }
        if isThere, let branch {
            writeError("warning: re-init: ignored --initial-branch=\(branch)\n")
        }
        if !isQuiet {
            let verb = isThere ? "Reinitialized existing" : "Initialized empty"
            invocation.output.write(
                ByteString("\(verb) Git repository in ") + repository.gitDirectory + "/\n")
        }
    }

    /// The directory to begin in, and what will be the git directory: GIT_DIR, if it is set, decides.
    private func place(
        _ invocation: Invocation, isBare: Bool
    ) throws -> (directory: ByteString, gitDirectory: ByteString, isBare: Bool) {
        if let named = invocation.gitDirectory, directory == nil {
            if named == ".git" { return (".", ".git", false) }
            if named.hasSuffix("/.git") { return (named.dropLast(5), named, false) }
            return (named, named, true)
        }
        let directory = directory ?? "."
        return (directory, isBare ? directory : directory / ".git", isBare)
    }

    /// The branch that HEAD names in a new repository: -b, init.defaultBranch, or master.
    private func initialBranch(_ config: Config) throws -> RefName {
        let short = branch ?? config.string("init.defaultbranch") ?? "master"
        guard let name = RefName.branch(short) else {
            throw Failure("invalid initial branch name: '\(short)'")
        }
        return name
    }

    private func format(
        _ place: (directory: ByteString, gitDirectory: ByteString, isBare: Bool), _ isThere: Bool
    ) throws -> ObjectFormat {
        if let name = objectFormat ?? environment("GIT_DEFAULT_HASH") {
            guard let format = ObjectFormat(name: String(decoding: name.bytes, as: UTF8.self))
            else { throw Failure("unknown hash algorithm '\(name)'") }
            return format
        }
        guard isThere else { return .sha1 }
        return try Repository.open(gitDirectory: place.gitDirectory).format
    }
}
