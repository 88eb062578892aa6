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
    }
}
