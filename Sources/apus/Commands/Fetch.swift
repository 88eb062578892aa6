import GitClient
import GitCore
import GitStore

struct FetchCommand: Command {
    static let name = "fetch"
    static let summary = "Download objects and refs from another repository"
    static let usage = [
        "fetch [<options>] [<repository> [<refspec>...]]",
        "fetch --all [<options>]",
    ]
    static let options: [Option<FetchCommand>] = [
        .flag("-v, --[no-]verbose", \.isVerbose, "show refs that did not change, too"),
        .flag("-q, --[no-]quiet", \.isQuiet, "be more quiet"),
        .flag("--[no-]all", \.fetchesAll, "fetch from all remotes"),
        .flag("-a, --[no-]append", \.options.appends, "append to FETCH_HEAD, do not overwrite it"),
        .flag("--[no-]atomic", \.options.isAtomic, "write all refs or none"),
        .flag("-f, --[no-]force", \.options.isForced, "write refs that are no fast-forward, too"),
        .flag(
            "-u, --[no-]update-head-ok", \.options.updatesHead, "allow to write the current branch"),
        .action("-t, --[no-]tags", "fetch all tags and what they point to, or follow none") {
            command, setting in
            if case .off = setting {
                command.options.tags = FetchTags.none
            } else {
                command.options.tags = .all
            }
        },
        .choice("-n", \.options.tags, FetchTags.none, "as --no-tags"),
        .toggle("-p, --[no-]prune", \.options.prunes, "remove refs that the remote has no more"),
        .flag("--[no-]dry-run", \.options.isDryRun, "write neither refs nor FETCH_HEAD"),
        .flag("--[no-]write-fetch-head", \.options.writesFetchHead, "write FETCH_HEAD"),
        .toggle("--[no-]progress", \.progress, "force progress reporting, or forbid it"),
        .number("-j, --jobs <n>", \.jobs, "accepted for compatibility: submodules are not fetched"),
    ]

    private var isVerbose = false
    private var isQuiet = false
    private var fetchesAll = false
    private var progress: Bool?
    private var jobs: Int?
    private var options = RemoteFetchOptions()
    private var operands: [ByteString] = []

    mutating func take(_ operand: ByteString) { operands.append(operand) }

    func run(_ invocation: Invocation) async throws {
        let repository = try invocation.workspace().repository
        var options = options
        options.action = action(invocation)
        options.wantsServerProgress = showsProgress
        guard fetchesAll else {
            let remote = try remote(of: repository)
            return try await fetch(repository, remote, try refspecs(), options)
        }
        guard operands.count <= 1 else {
            throw Failure("fetch --all does not make sense with refspecs")
        }
        guard operands.isEmpty else {
            throw Failure("fetch --all does not take a repository argument")
        }
        try await fetchAll(repository, options, invocation.output)
    }

    private var showsProgress: Bool { progress ?? (Terminal.isWatched && !isQuiet) }

    /// What the reflogs say: the command line, or what a program that calls this one wants there.
    private func action(_ invocation: Invocation) -> ByteString {
        if let given = environment("GIT_REFLOG_ACTION") { return given }
        return invocation.arguments.reduce("fetch") { line, argument in
            let shown = (try? GitURL(argument)).map {
                $0.isHTTP ? ByteString($0.redacted) : argument
            }
            return line + " " + (shown ?? argument)
        }
    }

    private func remote(of repository: Repository) throws -> ByteString {
        if let named = operands.first { return named }
        let name = try repository.defaultRemote()
        guard repository.config.string("remote.\(name.printable).url") != nil else {
            throw Failure(
                "No remote repository specified.  Please, specify either a URL or a\n"
                    + "remote name from which new revisions should be fetched.")
        }
        return name
    }

    /// The refspecs of the command line; `tag <name>` stands for one.
    private func refspecs() throws -> [ByteString] {
        var refspecs: [ByteString] = []
        var rest = operands.dropFirst()
        while let operand = rest.popFirst() {
            guard operand == "tag" else {
                refspecs.append(operand)
                continue
            }
            guard let tag = rest.popFirst() else {
                throw Failure("you need to specify a tag name")
            }
            refspecs.append("refs/tags/" + tag + ":refs/tags/" + tag)
        }
        return refspecs
    }

    nonisolated(nonsending) private func fetchAll(
        _ repository: Repository, _ options: RemoteFetchOptions, _ output: Output
    ) async throws {
        var options = options
        var hasFailed = false
        for remote in repository.config.subsections("remote") {
            let key = "remote.\(remote.printable)."
            let isSkipped =
                try repository.config.bool(key + "skipfetchall")
                ?? repository.config.bool(key + "skipdefaultupdate")
            if isSkipped ?? false { continue }
            if !isQuiet {
                output.line("Fetching \(remote)")
                try output.flush()
            }
            do {
                try await fetch(repository, remote, [], options)
            } catch {
                writeError(Failure(error).text)
                writeError("error: could not fetch \(remote)\n")
                hasFailed = true
            }
            // Each adds to what the one before wrote.
            options.appends = true
        }
        if hasFailed { throw Failure(status: ExitStatus.failure) }
    }

    private func fetch(
        _ repository: Repository, _ remote: ByteString, _ refspecs: [ByteString],
        _ options: RemoteFetchOptions
    ) async throws {
        let fetch = try RemoteFetch(
            into: repository, from: remote, refspecs: refspecs, options: options)
        let display = CloneDisplay(showsProgress: showsProgress)
        let showing = Task { await display.show(fetch.progress) }
        let fetching = Task { try await fetch.run() }
        let signals = SignalWatch { _ in fetching.cancel() }
        let result = await fetching.result
        await showing.value
        if let number = signals.caught { dieBySignal(number) }
        let done = try result.get()
        for complaint in done.complaints { writeError("error: \(complaint)\n") }
        if !isQuiet {
            let table = try FetchTable(done, repository, isVerbose: isVerbose)
            writeError(table.text)
        }
        if done.changes.contains(where: \.hasFailed) {
            writeError(
                "error: some local refs could not be updated; try running\n"
                    + " 'git remote prune \(remote)' to remove any old, conflicting branches\n")
        }
        if done.changes.contains(where: \.isError) { throw Failure(status: ExitStatus.failure) }
    }
}
