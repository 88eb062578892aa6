import GitCore
import GitStore

/// The branches that the work trees of a repository are on (git-worktree).
struct CheckedOutBranches: Sendable {
    /// Each with its work tree.
    private var trees: [RefName: ByteString] = [:]

    init(_ repository: Repository) throws(StoreError) {
        if repository.config.string("core.bare").map({ $0 != "true" }) ?? !repository.isBare {
            let main = repository.commonDirectory
            note(main, main.hasSuffix("/.git") ? main.dropLast(5) : main)
        }
        let folder = repository.commonDirectory / "worktrees"
        guard FileSystem.isDirectory(folder) else { return }
        for name in try FileSystem.list(folder) {
            let file = Self.line(of: folder / name / "gitdir") ?? folder / name
            note(folder / name, file.hasSuffix("/.git") ? file.dropLast(5) : file)
        }
    }

    private mutating func note(_ gitDirectory: ByteString, _ tree: ByteString) {
        guard let line = Self.line(of: gitDirectory / "HEAD"), line.hasPrefix("ref: "),
            let name = RefName(line.dropFirst(5))
        else { return }
        trees[name] = tree
    }

    private static func line(of path: ByteString) -> ByteString? {
        guard let bytes = try? FileSystem.read(path, limit: 1 << 16) else { return nil }
        return ByteString(bytes).split(0x0a).first
    }

    func contains(_ name: RefName) -> Bool { trees[name] != nil }

    /// - Throws: ``ClientError/Code/invalid`` where one of `refs` would be written to such a branch.
    func refuse(_ refs: [FetchedRef]) throws(ClientError) {
        for name in refs.compactMap(\.destination) where name.bytes.hasPrefix("refs/heads/") {
            guard let tree = trees[name] else { continue }
            throw ClientError(
                .invalid, "refusing to fetch into branch '\(name)' checked out at '\(tree)'")
        }
    }
}
