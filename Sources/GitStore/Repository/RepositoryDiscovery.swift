package import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Looks for the repository that a directory belongs to (git, "GIT_DIR"; gitrepository-layout).
package struct RepositoryDiscovery {
    let environment: Environment

    /// The nearest repository: `<directory>/.git`, the directory itself if it is a git directory, then
    /// the same one directory further up, to the root of the file system or a directory that
    /// `GIT_CEILING_DIRECTORIES` names.
    ///
    /// - Throws: ``StoreError/Code/notFound`` where there is none.
    func find(from directory: ByteString) throws(StoreError) -> RepositoryLayout {
        guard let start = FileSystem.realPath(directory), FileSystem.isDirectory(start) else {
            throw StoreError(.notFound, "'\(directory)' is not a directory")
        }
        let device = FileSystem.status(start)?.st_dev
        let ceiling = ceiling(above: start)
        let crosses = try environment.bool("GIT_DISCOVERY_ACROSS_FILESYSTEM") ?? false
        var current = start
        while true {
            if let found = try repository(at: current) { return found }
            let parent = RepositoryLayout.parent(current)
            guard current != "/", parent != ceiling else {
                throw StoreError(
                    .notFound, "not a git repository (or any of the parent directories): .git")
            }
            guard crosses || FileSystem.status(parent)?.st_dev == device else {
                throw StoreError(
                    .notFound,
                    "not a git repository (or any parent up to mount point \(parent)); set"
                        + " GIT_DISCOVERY_ACROSS_FILESYSTEM to look further")
            }
            current = parent
        }
    }

    private func repository(at directory: ByteString) throws(StoreError) -> RepositoryLayout? {
        let path = directory / ".git"
        if let target = try RepositoryLayout.followGitFile(path) {
            return try RepositoryLayout(gitDirectory: target, gitFile: path, holder: directory)
        }
        if RepositoryLayout.isGitDirectory(path) {
            return try RepositoryLayout(gitDirectory: path, holder: directory)
        }
        guard RepositoryLayout.isGitDirectory(directory) else { return nil }
        return try RepositoryLayout(gitDirectory: directory)
    }

    /// The deepest of the directories in `GIT_CEILING_DIRECTORIES` that `start` lies in.
    private func ceiling(above start: ByteString) -> ByteString? {
        (environment["GIT_CEILING_DIRECTORIES"] ?? "").split(0x3a)
            .filter { $0.hasPrefix("/") }
            .compactMap { FileSystem.realPath($0) ?? $0 }
            .filter { start.hasPrefix($0 == "/" ? $0 : $0 + "/") }
            .max { $0.count < $1.count }
    }

    /// The repository that a path given by a person means: the git directory itself, `.git` in it, or
    /// the same with `.git` added to the name.
    package static func locate(_ path: ByteString) throws(StoreError) -> RepositoryLayout? {
        let base = RepositoryLayout.absolute(path)
        for suffix: ByteString in ["/.git", "", ".git/.git", ".git"] {
            let candidate = base + suffix
            let holder = suffix.hasSuffix("/.git") ? candidate.dropLast(5) : nil
            if RepositoryLayout.isGitDirectory(candidate) {
                return try RepositoryLayout(gitDirectory: candidate, holder: holder)
            }
            if let target = try RepositoryLayout.followGitFile(candidate) {
                return try RepositoryLayout(
                    gitDirectory: target, gitFile: candidate, holder: holder)
            }
        }
        return nil
    }
}
