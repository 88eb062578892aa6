import GitCache
import GitCore

/// What the commands for the operator of a store have in common: they fail with 1, and say why.
enum StoreCommand {
    static func run(
        _ store: ByteString?, _ body: (StoreControl) throws(CacheError) -> Void
    ) throws {
        guard let store else { throw UsageError("--store is needed.") }
        do throws(CacheError) { try body(try StoreControl(store)) } catch {
            throw Failure(error: error.message)
        }
    }
}

struct CacheStatusCommand: Command {
    static let name = "cache status"
    static let summary = "Tell what a cache has and does"
    static let usage = ["cache status --store <directory> [--json]"]
    static let options: [Option<CacheStatusCommand>] = [
        .value("--store <directory>", \.store, "the directory of the cache"),
        .flag("--json", \.asJSON, "write a JSON document"),
    ]

    private var store: ByteString?
    private var asJSON = false

    func run(_ invocation: Invocation) throws {
        try StoreCommand.run(store) { control throws(CacheError) in
            try control.status(asJSON: asJSON) { invocation.output.line($0) }
        }
    }
}

struct CachePurgeCommand: Command {
    static let name = "cache purge"
    static let summary = "Have a cache forget repositories"
    static let usage = ["cache purge --store <directory> <repository>..."]
    static let options: [Option<CachePurgeCommand>] = [
        .value("--store <directory>", \.store, "the directory of the cache")
    ]

    private var store: ByteString?
    private var repositories: [ByteString] = []

    mutating func take(_ operand: ByteString) { repositories.append(operand) }

    func run(_ invocation: Invocation) throws {
        guard !repositories.isEmpty else { throw UsageError("Which repository?") }
        var failures = ""
        for repository in repositories {
            do {
                try StoreCommand.run(store) { control throws(CacheError) in
                    try control.purge(repository) { invocation.output.line($0) }
                }
            } catch let failure as Failure { failures += failure.text }
        }
        if !failures.isEmpty { throw Failure(status: ExitStatus.failure, text: failures) }
    }
}

struct CacheVerifyCommand: Command {
    static let name = "cache verify"
    static let summary = "Hold what a cache keeps against what was written"
    static let usage = ["cache verify --store <directory>"]
    static let options: [Option<CacheVerifyCommand>] = [
        .value("--store <directory>", \.store, "the directory of the cache")
    ]

    private var store: ByteString?

    func run(_ invocation: Invocation) throws {
        try StoreCommand.run(store) { control throws(CacheError) in
            try control.verify { invocation.output.line($0) }
        }
    }
}
