import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// `apus` itself: options before the subcommand's name, and the choice of the subcommand.
struct TopLevel: Command {
    static let name = "apus"
    static let summary = "Git's smart protocol: clone, and the plumbing of a repository"
    static let usage = [
        """
        [-v | --version] [-h | --help] [-C <path>] [-c <name>=<value>]
                    [--git-dir=<path>] [--work-tree=<path>] [--bare]
                    <command> [<args>]
        """
    ]
    static let stopsAtOperand = true
    static let options: [Option<TopLevel>] = [
        .flag("-v, --version", \.asksVersion, "print the version"),
        .flag("-h, --help", \.asksHelp, "list the commands"),
        .action("-C <path>", "run as if started in <path>") { _, setting in
            if case .value(let path) = setting { try changeDirectory(path) }
        },
        .action("-c <name>=<value>", "set a configuration value for this command") {
            command, setting in
            if case .value(let text) = setting { command.overrides.append(try override(text)) }
        },
        .value("--git-dir <path>", \.gitDirectory, "the repository"),
        .value("--work-tree <path>", \.workTree, "the work tree"),
        .flag("--bare", \.isBare, "take the repository for a bare one"),
    ]

    private var asksVersion = false
    private var asksHelp = false
    private var overrides: [(String, ByteString?)] = []
    private var gitDirectory: ByteString?
    private var workTree: ByteString?
    private var isBare = false
    private var words: [ByteString] = []

    mutating func take(_ operand: ByteString) { words.append(operand) }

    nonisolated(nonsending) func run(_ invocation: Invocation) async throws {
        let asked: [ByteString] = asksVersion ? ["version"] : asksHelp ? ["help"] : []
        guard let name = (asked + words).first else {
            invocation.output.write(Help.overview)
            throw Failure(status: ExitStatus.failure)
        }
        guard let (command, rest) = Commands.find(asked + words) else {
            throw Failure(
                status: ExitStatus.failure,
                text: "apus: '\(name)' is not an apus command. See 'apus help'.\n")
        }
        var invocation = invocation
        invocation.overrides = overrides
        invocation.gitDirectory = gitDirectory ?? environment("GIT_DIR")
        invocation.workTree = workTree ?? environment("GIT_WORK_TREE")
        invocation.isBare = isBare
        try await command.execute(rest, invocation)
    }

    /// `section.key=value`; without `=value` it is true, as a key alone is in a file.
    static func override(_ text: ByteString) throws -> (String, ByteString?) {
        let parts = text.bytes.split(
            separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        let key = String(decoding: parts[0], as: UTF8.self)
        guard let dot = key.firstIndex(of: "."), dot != key.startIndex, key.last != "." else {
            throw Failure(
                status: ExitStatus.fatal,
                text: """
                    error: key does not contain a section: \(ByteString(key))
                    fatal: unable to parse command-line config\n
                    """)
        }
        return (key, parts.count > 1 ? ByteString(parts[1]) : nil)
    }

    private static func changeDirectory(_ path: ByteString) throws {
        // Git leaves the directory alone for an empty path.
        guard !path.isEmpty, path.withCString({ chdir($0) }) != 0 else { return }
        let reason = String(cString: strerror(errno))
        throw Failure("cannot change to '\(path)': \(reason)")
    }
}

/// A variable of the environment; nil where it is not set.
func environment(_ name: String) -> ByteString? {
    getenv(name).map { ByteString(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
}
