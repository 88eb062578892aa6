import GitClient
import GitCore

struct CloneCommand: Command {
    static let name = "clone"
    static let summary = "Clone a repository into a new directory"
    static let usage = ["clone [<options>] [--] <url> [<directory>]"]
    static let options: [Option<CloneCommand>] = [
        .flag("-v, --verbose", \.isVerbose, "be more verbose"),
        .flag("-q, --quiet", \.isQuiet, "be more quiet"),
        .toggle("--[no-]progress", \.progress, "force progress reporting, or forbid it"),
        .flag("-n, --no-checkout", \.options.noCheckout, "create no files in the work tree"),
        .flag("--[no-]bare", \.options.bare, "create a bare repository"),
        .flag("--[no-]mirror", \.options.mirror, "create a mirror of all refs (implies --bare)"),
        .value("-o, --origin <name>", \.options.origin, "use <name> in place of 'origin'"),
        .value(
            "-b, --branch <branch>", \.options.branch,
            "check out <branch>, or a tag, in place of the remote's HEAD"),
        .flag(
            "--[no-]single-branch", \.options.singleBranch,
            "clone the history of one branch only: HEAD's, or that of --branch"),
        .flag("--[no-]tags", \.options.tags, "clone tags, and let later fetches follow them"),
        .action("-c, --config <key=value>", "set a value in the new repository's config") {
            command, setting in
            guard case .value(let text) = setting else { return }
            let (key, value) = try TopLevel.override(text)
            command.options.settings.append((key, value))
        },
        .number("-j, --jobs <n>", \.jobs, "accepted for compatibility: submodules are not cloned"),
    ]

    private var isVerbose = false
    private var isQuiet = false
    private var progress: Bool?
    private var jobs: Int?
    private var options = CloneOptions()
    private var operands: [ByteString] = []

    mutating func take(_ operand: ByteString) throws {
        guard operands.count < 2 else { throw UsageError("Too many arguments.") }
        operands.append(operand)
    }

    func run(_ invocation: Invocation) async throws {
        guard let url = operands.first else {
            throw UsageError("You must specify a repository to clone.")
        }
        let showsProgress = progress ?? (Terminal.isWatched && !isQuiet)
        var options = options
        options.overrides = invocation.overrides
        options.wantsServerProgress = showsProgress
        let clone = try Clone(url, to: operands.dropFirst().first, options: options)
        try clone.checkDirectory()
        if !isQuiet {
            let kind = options.bare || options.mirror ? "bare repository " : ""
            writeError("Cloning into \(kind)'\(clone.directory)'...\n")
        }
        let result = try await Self.run(clone, CloneDisplay(showsProgress: showsProgress))
        if case .detached(let oid) = result.head, result.workTree != nil, !options.noCheckout {
            try advise(oid, result, invocation)
        }
    }

    /// Runs the clone; a signal ends it, and then this process, once all is cleaned up.
    private static func run(
        _ clone: Clone, _ display: CloneDisplay
    ) async throws -> CloneResult {
        let showing = Task { await display.show(clone.progress) }
        let cloning = Task { try await clone.run() }
        let signals = SignalWatch { _ in cloning.cancel() }
        let result = await cloning.result
        await showing.value
        if let number = signals.caught { dieBySignal(number) }
        return try result.get()
    }

    /// What Git says of a HEAD that is on no branch (advice.detachedHead).
    private func advise(
        _ oid: ObjectID, _ result: CloneResult, _ invocation: Invocation
    ) throws {
        guard !isQuiet, try result.advisesOnDetachedHead(invocation.overrides) else { return }
        writeError(
            """
            Note: switching to '\(oid)'.

            HEAD is detached: it is at a commit and on no branch. Commits made now belong to no
            branch; 'git switch -c <new-branch-name>' makes one for them, 'git switch -' goes back.
            The setting advice.detachedHead, false, keeps this quiet.\n
            """)
    }
}
