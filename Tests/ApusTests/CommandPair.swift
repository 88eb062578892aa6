import TestSupport
import Testing

/// Two folders made alike, one where apus runs and one where git runs.
final class CommandPair {
    private let apusFolder: TemporaryDirectory
    private let gitFolder: TemporaryDirectory

    init() throws {
        apusFolder = try TemporaryDirectory()
        gitFolder = try TemporaryDirectory()
    }

    func setUp(_ body: (TemporaryDirectory) throws -> Void) throws {
        try body(apusFolder)
        try body(gitFolder)
    }

    /// Runs the command with both and expects equal output and exit code; apus's result.
    @discardableResult
    func compare(
        _ arguments: [String], input: String = "", bytes: [UInt8]? = nil,
        environment: [String: String] = [:], standardErrorToo: Bool = true,
        location: SourceLocation = #_sourceLocation
    ) throws -> RunResult {
        let input = bytes ?? Array(input.utf8)
        let apus = try Apus.run(
            arguments, in: apusFolder.path, input: input, environment: environment)
        let git = try Git.attempt(
            arguments, in: gitFolder.path, input: input, environment: environment)
        #expect(apus.exit == git.exit, "\(arguments): \(apus.err)", sourceLocation: location)
        #expect(
            plain(apus.out, apusFolder) == plain(git.out, gitFolder), "\(arguments): \(apus.err)",
            sourceLocation: location)
        if standardErrorToo {
            #expect(
                apus.stderr.isEmpty == git.stderr.isEmpty, "\(arguments): \(apus.err)",
                sourceLocation: location)
        }
        return apus
    }

    /// The paths of a file in the two folders, apus's first.
    func paths(_ name: String) -> (String, String) { (apusFolder(name), gitFolder(name)) }

    /// All files, but for what git copies from its template.
    func expectSameFiles(location: SourceLocation = #_sourceLocation) throws {
        let script = """
            find . -type d '(' -name hooks -o -name branches ')' -exec rm -rf {} + ;
            find . -type f '(' -name description -o -path '*/info/exclude' ')' -exec rm {} +
            """
        for folder in [apusFolder, gitFolder] {
            try run("/bin/sh", ["-c", script], directory: folder.path).required()
        }
        let apus = try TreeListing(of: apusFolder.path, ignoring: [])
        let git = try TreeListing(of: gitFolder.path, ignoring: [])
        #expect(apus.differences(from: git) == [], sourceLocation: location)
    }

    /// Both have the file, with the same bytes.
    func expectSameFile(_ name: String, location: SourceLocation = #_sourceLocation) throws {
        let (apus, git) = (readFile(apusFolder(name)), readFile(gitFolder(name)))
        #expect(git != nil, "git wrote no \(name)", sourceLocation: location)
        // Not in #expect itself, which would print megabytes.
        let isSame = apus == git
        #expect(isSame, "\(name)", sourceLocation: location)
    }

    func expectSameFolder(_ name: String, location: SourceLocation = #_sourceLocation) throws {
        let apus = try TreeListing(of: apusFolder(name), ignoring: [])
        let git = try TreeListing(of: gitFolder(name), ignoring: [])
        #expect(apus.differences(from: git) == [], sourceLocation: location)
    }

    func expectSameIndex(location: SourceLocation = #_sourceLocation) throws {
        try expectSame(["ls-files", "--stage", "-v", "-z"], location)
        try expectSame(["diff-files", "--raw", "-z"], location)
    }

    func expectSameObjects(
        in folder: String = ".", location: SourceLocation = #_sourceLocation
    ) throws {
        try expectSame(
            ["-C", folder, "cat-file", "--batch-all-objects", "--batch-check"], location)
        try expectSame(
            ["-C", folder, "count-objects", "-v"], location,
            keeping: ["count", "in-pack", "packs", "garbage"])
    }

    /// What stock git prints in both folders is equal.
    private func expectSame(
        _ arguments: [String], _ location: SourceLocation, keeping keys: [String]? = nil
    ) throws {
        func output(_ folder: TemporaryDirectory) throws -> String {
            let lines = printable(try Git.run(arguments, in: folder.path).stdout)
            guard let keys else { return lines }
            return lines.split(separator: "\\x0a").filter { line in
                keys.contains { line.hasPrefix("\($0):") }
            }.joined(separator: ", ")
        }
        #expect(
            try output(apusFolder) == output(gitFolder), "\(arguments)", sourceLocation: location)
    }

    /// Output without the path of the folder that it came from.
    private func plain(_ text: String, _ folder: TemporaryDirectory) -> String {
        text.split(separator: folder.path, omittingEmptySubsequences: false).joined(
            separator: "HERE")
    }
}
