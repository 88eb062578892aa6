import GitCore

struct Version: Command {
    static let name = "version"
    static let summary = "Print the version"
    static let usage = ["version"]
    static let options: [Option<Version>] = []
    static let number = "0.1.0"

    func run(_ invocation: Invocation) {
        invocation.output.line("apus version \(Self.number)")
    }
}
