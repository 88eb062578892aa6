import GitCore
import GitStore

struct ForEachRef: Command {
    static let name = "for-each-ref"
    static let summary = "Print something of each ref"
    static let usage = ["for-each-ref [<options>] [<pattern>...]"]
    static let options: [Option<ForEachRef>] = [
        .number("--count <n>", \.count, "show only <n> matched refs"),
        .value("--format <format>", \.format, "format to use for the output"),
        .values("--sort <key>", \.sortKeys, "refname, or -refname for the reverse order"),
    ]

    private var count: Int?
    private var format: ByteString?
    private var sortKeys: [ByteString] = []
    private var patterns: [ByteString] = []

    mutating func take(_ operand: ByteString) { patterns.append(operand) }

    func run(_ invocation: Invocation) throws {
        if let count, count < 0 { throw UsageError("invalid --count argument: `\(count)'") }
        let format = format ?? RefFields.standard
        guard (try? FormatTemplate(format)) != nil else {
            throw UsageError("malformed format string \(format)")
        }
        let fields = try RefFields(format)
        let workspace = try invocation.workspace()
        let wanted = RefPatterns(patterns)
        var entries = try workspace.repository.refs.list(prefix: "refs/", reporting: warn)
            .filter { wanted.matches($0.name) }
        if try isReversed() { entries.reverse() }
        // 0 means all, as with Git.
        if let count, count > 0 { entries = Array(entries.prefix(count)) }
        for entry in entries {
            invocation.output.write(try fields.text(entry, in: workspace.repository) + "\n")
        }
    }

    private func isReversed() throws -> Bool {
        switch sortKeys.last {
        case nil, "refname": return false
        case "-refname": return true
        case let key?: throw Failure("unknown field name: \(key)")
        }
    }
}
