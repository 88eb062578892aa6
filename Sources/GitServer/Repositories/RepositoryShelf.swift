internal import GitCore
internal import GitStore
import Synchronization

/// The repositories under one directory, by their paths in URLs; those asked for lately are kept open.
final class RepositoryShelf: Sendable {
    /// Why a path has no repository for a client.
    enum Refusal: Error {
        case notFound
        /// It is there, but cannot be used; the text is for the log alone.
        case unusable(String)
    }

    private let root: ByteString
    private let exportsAll: Bool
    private let open = Mutex<[ByteString: Kept]>([:])

    private struct Kept {
        let served: ServedRepository
        let stamps: [FileStamp?]
        var lastUse: ContinuousClock.Instant
    }

    /// Repositories that are kept open.
    private static let capacity = 256

    /// - Parameter exportsAll: whether repositories without a file `git-daemon-export-ok` are served too.
    init(root: ByteString, exportsAll: Bool) throws(ServerError) {
        guard let real = FileSystem.realPath(root), FileSystem.isDirectory(real) else {
            throw ServerError(.invalid, "'\(root)' is not a directory")
        }
        self.root = real
        self.exportsAll = exportsAll
    }

    /// - Parameter path: components that ``RequestTarget`` has found good.
    /// - Returns: the repository, and its path under the root, without `.git`.
    func repository(_ path: [ByteString]) throws(Refusal) -> (ServedRepository, name: ByteString) {
        do throws(StoreError) {
            let place = path.reduce(root) { $0 / $1 }
            guard let directory = try locate(place) else { throw StoreError(.notFound, "") }
            return (try repository(at: directory), name(of: directory))
        } catch {
            throw error.code == .notFound ? .notFound : .unusable(error.message)
        }
    }

    private func repository(at directory: ByteString) throws(StoreError) -> ServedRepository {
        let stamps = Self.stamps(directory)
        let known = open.withLock { open in
            open[directory]?.lastUse = .now
            return open[directory]
        }
        if let known, known.stamps == stamps {
            try known.served.repository.objects.refresh()
            return known.served
        }
        let served = try ServedRepository(Repository.open(sourceAt: directory))
        keep(Kept(served: served, stamps: stamps, lastUse: .now), directory)
        return served
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

    /// Whether everybody may fetch from it.
    func isExported(_ served: ServedRepository) -> Bool {
        exportsAll || FileSystem.exists(served.repository.gitDirectory / "git-daemon-export-ok")
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
