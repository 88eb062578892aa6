import GitCore

/// A subcommand: a table of options, and what it does with them.
///
/// A value of the type is the command line, read; the work is done by the modules of the library.
protocol Command: Sendable {
    static var name: String { get }
    /// A few words for the list of commands.
    static var summary: String { get }
    /// Its forms, each without the leading `apus `.
    static var usage: [String] { get }
    static var options: [Option<Self>] { get }
    /// Whether options end at the first operand, as those of `apus` itself do.
    static var stopsAtOperand: Bool { get }

    init()

    /// Takes the next operand, in the order of the command line.
    mutating func take(_ operand: ByteString) throws

    /// Does the work. What it throws becomes the message and the exit status.
    ///
    /// On the thread of the caller, which is the main one: only a command that waits for a server needs
    /// those of Swift's pool, and they take time to start.
    nonisolated(nonsending) func run(_ invocation: Invocation) async throws
}

extension Command {
    static var stopsAtOperand: Bool { false }

    mutating func take(_ operand: ByteString) throws { throw UsageError(nil) }

    /// Reads `arguments` and does the work.
    nonisolated(nonsending) static func execute(
        _ arguments: [ByteString], _ invocation: Invocation
    ) async throws {
        let command: Self
        do {
            command = try OptionParser<Self>().parse(arguments)
        } catch let error as UsageError {
            throw Failure(usage: error, usageText(of: Self.self))
        } catch is HelpRequest {
            invocation.output.write(usageText(of: Self.self))
            throw Failure(status: ExitStatus.usage)
        }
        var invocation = invocation
        invocation.arguments = arguments
        do {
            try await command.run(invocation)
        } catch let error as UsageError {
            throw Failure(usage: error, usageText(of: Self.self))
        }
    }
}
