import GitCore
import GitStore
import GitWorktree

/// The repository that a command works on, and where in its work tree it was started.
struct Workspace {
    let repository: Repository
    /// Absolute; nil in a bare repository.
    let workTree: ByteString?
    /// The current directory, relative to the work tree, with a `/` at its end; empty at the top and
    /// outside.
    let prefix: ByteString

    var objects: ObjectDatabase { repository.objects }
    var format: ObjectFormat { repository.format }

    /// The object that `name` stands for.
    ///
    /// Throws Git's `fatal: Not a valid object name`.
    func object(_ name: ByteString) throws -> ObjectID {
        guard let oid = try find(name) else { throw Failure("Not a valid object name \(name)") }
        return oid
    }

    /// The object that `name` stands for; nil where there is none.
    func find(_ name: ByteString) throws -> ObjectID? {
        do {
            return try repository.resolve(revision: name).oid
        } catch  where error.code == .notFound { return nil }
    }

    /// The object of `kind` that `oid` leads to: a tag to what it tags, a commit to its tree.
    func peel(_ oid: ObjectID, to kind: ObjectKind) throws -> ObjectID? {
        do {
            return try objects.peel(oid, to: kind)
        } catch  where error.code == .notFound { return nil }
    }

    /// Whether core.quotePath asks for bytes from 0x80 to be quoted; it does unless told otherwise.
    func quotesHighBytes() throws -> Bool {
        try repository.config.bool("core.quotepath") ?? true
    }

    /// GIT_INDEX_FILE, or the repository's own.
    var indexPath: ByteString { environment("GIT_INDEX_FILE") ?? repository.gitDirectory / "index" }

    func readIndex() throws -> Index { try Index.read(path: indexPath, format: format) }

    /// Takes the index's lock, to change it.
    func beginIndexUpdate() throws -> IndexUpdate {
        try IndexUpdate(
            indexPath: indexPath, objects: objects, workTree: workTree,
            gitDirectory: repository.gitDirectory,
            settings: WorktreeSettings(config: repository.config))
    }

    /// `path`, given from the current directory, from the top of the work tree; nil where that is
    /// outside.
    func pathFromTop(_ path: ByteString) -> ByteString? {
        var whole = path
        if path.hasPrefix("/") {
            guard let workTree, path.hasPrefix(workTree / "") else { return nil }
            whole = path.dropFirst(workTree.count + 1)
        } else {
            whole = prefix + path
        }
        var parts: [ByteString] = []
        for part in whole.split(UInt8(ascii: "/")) {
            switch part {
            case "", ".": continue
            case "..":
                guard parts.popLast() != nil else { return nil }
            default: parts.append(part)
            }
        }
        return parts.reduce(ByteString()) { $0 / $1 }
    }
}

extension Invocation {
    /// Opens the repository that the options, the environment or the current directory give.
    func workspace() throws -> Workspace {
        let repository: Repository
        if let gitDirectory {
            repository = try Repository.open(gitDirectory: gitDirectory, overrides: overrides)
        } else {
            repository = try Repository.discover(from: ".", overrides: overrides)
        }
        repository.objects.tellOfFaults { writeError("error: \($0)\n") }
        let top = try workTree(of: repository)
        return Workspace(repository: repository, workTree: top, prefix: Self.prefix(in: top))
    }

    /// As ``workspace()``, but nil where there is no repository.
    func workspaceIfAny() throws -> Workspace? {
        do {
            return try workspace()
        } catch let error as StoreError where error.code == .notFound { return nil }
    }

    /// What `--work-tree` says; else what the repository says; else, where a git directory was named,
    /// the current directory.
    private func workTree(of repository: Repository) throws -> ByteString? {
        if let workTree {
            guard let path = FileSystem.realPath(workTree) else {
                throw Failure("Invalid path '\(workTree)': No such file or directory")
            }
            return path
        }
        if let top = repository.workTree { return top }
        let isNamed = gitDirectory != nil && !isBare && !repository.isBare
        return isNamed ? FileSystem.realPath(".") : nil
    }

    private static func prefix(in workTree: ByteString?) -> ByteString {
        guard let workTree, let top = FileSystem.realPath(workTree),
            let here = FileSystem.realPath("."), here.hasPrefix(top / "")
        else { return "" }
        let path = here.dropFirst((top / "").count)
        return path.isEmpty ? "" : path + "/"
    }
}
