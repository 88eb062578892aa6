public import GitCore
internal import GitStore
import Synchronization

/// The repositories under one directory, by their paths in URLs; those asked for lately are kept open.
///
/// Symbolic links and `.git` files that lead out of the directory are not followed. A repository has to
/// belong to the user that serves it, or to be named by `safe.directory`, as for Git.
public final class RepositoryFolder: RepositorySource {
    private let root: ByteString
    private let exportsAll: Bool
    private let open = Mutex<[ByteString: Kept]>([:])

    private struct Kept {
        let repository: Repository
        let stamps: [FileStamp?]
        var lastUse: ContinuousClock.Instant
    }

    /// Repositories that are kept open.
    private static let capacity = 256

    /// - Parameter exportsAll: whether repositories without a file `git-daemon-export-ok` are public, too.
    /// - Throws: ``ServerError`` where `root` is no directory.
    public init(_ root: ByteString, exportsAll: Bool = false) throws(ServerError) {
        guard let real = FileSystem.realPath(root), FileSystem.isDirectory(real) else {
            throw ServerError(.invalid, "'\(root)' is not a directory")
        }
        self.root = real
        self.exportsAll = exportsAll
    }

    public func find(_ path: [ByteString]) throws -> FoundRepository? {
        let place = path.reduce(root) { $0 / $1 }
        let repository: Repository
        let directory: ByteString
        do throws(StoreError) {
            guard let found = try locate(place) else { return nil }
            directory = found
            repository = try self.repository(at: directory)
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
        let isExported = exportsAll || FileSystem.exists(directory / "git-daemon-export-ok")
        return FoundRepository(repository, name: name(of: directory), isPublic: isExported)
    }

    private func repository(at directory: ByteString) throws(StoreError) -> Repository {
        let stamps = Self.stamps(directory)
        let known = open.withLock { open in
            open[directory]?.lastUse = .now
            return open[directory]
        }
        if let known, known.stamps == stamps { return known.repository }
        let repository = try Repository.open(sourceAt: directory)
        keep(Kept(repository: repository, stamps: stamps, lastUse: .now), directory)
        return repository
    }

    /// What a path that was asked for is called where there is no repository at it.
    static func name(_ path: [ByteString]) -> ByteString {
        withoutGit(path.reduce("") { $0 / $1 })
    }

    private func name(of directory: ByteString) -> ByteString {
        let below = directory.dropFirst(root == "/" ? 1 : root.count + 1)
        return Self.withoutGit(below)
    }

    private static func withoutGit(_ path: ByteString) -> ByteString {
        if path.hasSuffix("/.git") { return path.dropLast(5) }
        return path.hasSuffix(".git") ? path.dropLast(4) : path
    }

    /// The git directory that a path means, if it and what it leads to is under the root.
    private func locate(_ place: ByteString) throws(StoreError) -> ByteString? {
        guard let layout = try RepositoryDiscovery.locate(place) else { return nil }
        for directory in [layout.gitDirectory, layout.commonDirectory] {
            guard let real = FileSystem.realPath(directory), isInside(real) else { return nil }
        }
        return FileSystem.realPath(layout.gitDirectory)
    }

    private func isInside(_ path: ByteString) -> Bool {
        path == root || path.hasPrefix(root == "/" ? root : root + "/")
    }

    /// What changes when a repository has to be opened anew.
    private static func stamps(_ directory: ByteString) -> [FileStamp?] {
        ["config", "config.worktree", "objects/info/alternates", "commondir"]
            .map { FileStamp(directory / ByteString($0)) }
    }

    private func keep(_ kept: Kept, _ directory: ByteString) {
        open.withLock { open in
            open[directory] = kept
            guard open.count > Self.capacity else { return }
            if let oldest = open.min(by: { $0.value.lastUse < $1.value.lastUse })?.key {
                open[oldest] = nil
            }
        }
    }
}
