import GitCore

struct Help: Command {
    static let name = "help"
    static let summary = "List the commands, or show how one is used"
    static let usage = ["help [<command>]"]
    static let options: [Option<Help>] = []

    private var command: ByteString?

    mutating func take(_ operand: ByteString) throws {
        guard command == nil else { throw UsageError(nil) }
        command = operand
    }

    func run(_ invocation: Invocation) throws {
        guard let command else { return invocation.output.write(Self.overview) }
        guard let found = Commands.named(command) else {
            throw Failure(error: "no help for '\(command)'", status: ExitStatus.failure)
        }
        invocation.output.write(found.help)
    }

    /// The commands, each with its summary.
    static var overview: String {
        var text = TopLevel.help
        for group in Commands.groups {
            text += group.title + "\n"
            for command in group.commands {
                let gap = String(repeating: " ", count: max(1, 16 - command.name.count))
                text += "   " + command.name + gap + command.summary + "\n"
            }
            text += "\n"
        }
        return text + "See 'apus help <command>' for one of them.\n"
    }
}

extension Command {
    static var help: String { usageText(of: Self.self) }
}
