import TestSupport

/// The same clone twice, by apus and by git, each in an empty folder of its own.
struct ClonePair {
    let apus: RunResult
    let git: RunResult
    private let apusFolder: TemporaryDirectory
    private let gitFolder: TemporaryDirectory
    private let directory: String

    /// Runs `clone ARGUMENTS copy` for both; without `directory` the program chooses the name,
    /// which then must be `expecting`.
    init(
        _ arguments: [String], directory: String? = "copy", expecting: String = "copy",
        environment: [String: String] = [:], before: (TemporaryDirectory) throws -> Void = { _ in }
    ) throws {
        let all = ["clone"] + arguments + (directory.map { [$0] } ?? [])
        self.directory = directory ?? expecting
        apusFolder = try TemporaryDirectory()
        gitFolder = try TemporaryDirectory()
        try before(apusFolder)
        try before(gitFolder)
        apus = try Apus.run(all, in: apusFolder.path, environment: environment)
        git = try Git.attempt(all, in: gitFolder.path, environment: environment)
    }

    /// What differs between the two repositories. The snapshot of git's clone must be possible.
    func differences() throws -> [String] {
        let expected = try RepositorySnapshot(of: gitFolder(directory))
        guard exists(apusFolder(directory)) else { return ["apus left no \(directory)"] }
        return try RepositorySnapshot(of: apusFolder(directory)).differences(from: expected)
    }

    /// The names that lie in apus's folder.
    func leftByApus() throws -> [String] {
        try TreeListing(of: apusFolder.path, ignoring: []).entries.keys.sorted()
    }

    /// The path of something that apus made.
    func byApus(_ name: String) -> String { apusFolder(name) }
}

/// Configuration as `git -c` gives it to what it starts.
func configuration(_ values: [(key: String, value: String)]) -> [String: String] {
    var environment = ["GIT_CONFIG_COUNT": "\(values.count)"]
    for (number, one) in values.enumerated() {
        environment["GIT_CONFIG_KEY_\(number)"] = one.key
        environment["GIT_CONFIG_VALUE_\(number)"] = one.value
    }
    return environment
}

func protocolVersion(_ version: Int) -> [String: String] {
    configuration([("protocol.version", "\(version)")])
}
