/// Everything about a clone that must be as `git clone` leaves it, each as named text, read by stock
/// git where git can read it.
public struct RepositorySnapshot: Sendable {
    private let aspects: [(name: String, value: String)]
    private let workTree: TreeListing?

    /// `directory` is the work tree, or the repository when it is bare.
    public init(of directory: String) throws {
        let bare = !exists("\(directory)/.git")
        let gitDirectory = bare ? directory : "\(directory)/.git"
        workTree = bare ? nil : try TreeListing(of: directory)

        func git(_ arguments: String...) throws -> String {
            let result = try Git.attempt(arguments, in: directory)
            return printable(result.stdout + result.stderr) + " \(result.exit)"
        }
        func file(_ name: String) -> String {
            readFile("\(gitDirectory)/\(name)").map { printable($0) } ?? "none"
        }
        var aspects = [
            ("HEAD", file("HEAD")),
            (
                "refs",
                try git(
                    "for-each-ref", "--format=%(refname) %(objectname) %(symref) %(*objectname)")
            ),
            ("packed-refs", file("packed-refs")),
            ("files of refs", try Self.files(in: gitDirectory, below: "refs")),
            ("config", try Self.sortedConfig(directory)),
            ("reflogs", try Self.reflogs(in: gitDirectory)),
            ("objects", try git("cat-file", "--batch-all-objects", "--batch-check")),
            ("fsck", try git("fsck", "--strict", "--no-progress")),
            ("git directory", try Self.topLevel(of: gitDirectory)),
            ("shallow", file("shallow")),
        ]
        if !bare {
            aspects += [
                ("index", try git("ls-files", "--stage", "-v", "-z")),
                // Plumbing, which takes a file whose stat data is not the index's as changed.
                ("files whose stat data is off", try git("diff-files", "--raw", "-z")),
                ("status", try git("status", "--porcelain=v2", "--branch", "-z")),
            ]
        }
        self.aspects = aspects.map { (name: $0.0, value: $0.1) }
    }

    /// What differs, one line for each; none when all is equal.
    public func differences(from expected: RepositorySnapshot) -> [String] {
        var lines: [String] = []
        for (mine, other) in zip(aspects, expected.aspects) where mine.value != other.value {
            lines.append(
                "\(mine.name): \(around(mine.value, other.value)), not "
                    + around(other.value, mine.value))
        }
        if aspects.count != expected.aspects.count { lines.append("one is bare") }
        if let workTree, let other = expected.workTree {
            lines += workTree.differences(from: other)
        }
        return lines
    }

    /// The part of `text` from shortly before where it leaves `other`.
    private func around(_ text: String, _ other: String) -> String {
        let (mine, theirs) = (Array(text.utf8), Array(other.utf8))
        let same = zip(mine, theirs).prefix { $0 == $1 }.count
        let start = max(same - 60, 0)
        return "'\(printable(mine[start...].prefix(160)))'"
    }

    private static func sortedConfig(_ directory: String) throws -> String {
        let list = try Git.run(["config", "--list", "--local", "-z"], in: directory)
        return list.stdout.split(separator: 0).map { printable($0) }.sorted().joined(separator: "|")
    }

    private static func files(in gitDirectory: String, below folder: String) throws -> String {
        try TreeListing(of: "\(gitDirectory)/\(folder)").entries
            .filter { $0.value != .directory }.keys.sorted().joined(separator: " ")
    }

    /// All reflogs, with the time of each entry taken out.
    private static func reflogs(in gitDirectory: String) throws -> String {
        guard exists("\(gitDirectory)/logs") else { return "none" }
        let listing = try TreeListing(of: "\(gitDirectory)/logs")
        return listing.entries.sorted { $0.key < $1.key }.compactMap { path, entry in
            guard case .file(_, let content) = entry else { return nil }
            let text = String(decoding: content, as: UTF8.self)
                .replacing(/> [0-9]+ [-+][0-9]{4}\t/, with: "> TIME\t")
            return "\(path): \(printable(text.utf8))"
        }.joined(separator: "|")
    }

    /// What lies in the git directory, but for what git copies from its template.
    private static func topLevel(of gitDirectory: String) throws -> String {
        let template: Set<String> = ["branches", "hooks", "description"]
        return try TreeListing(of: gitDirectory, ignoring: template.union(["objects"])).entries.keys
            .filter { !$0.contains("/") }.sorted().joined(separator: " ")
    }
}
