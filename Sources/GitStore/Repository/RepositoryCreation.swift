public import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Makes the files of a new repository (git-init; gitrepository-layout). What is there already stays.
struct RepositoryCreation {
    let gitDirectory: ByteString
    let isBare: Bool
    let initialBranch: RefName
    let format: ObjectFormat

    func run() throws(StoreError) {
        for directory: ByteString in [
            "", "hooks", "info", "objects", "objects/info", "objects/pack", "refs", "refs/heads",
            "refs/tags",
        ] {
            let path = directory.isEmpty ? gitDirectory : gitDirectory / directory
            try FileSystem.createDirectories(path)
        }
        try write(
            "description",
            "Unnamed repository; edit this file 'description' to name the repository.\n")
        try write(
            "info/exclude",
            "# Files that this clone alone ignores: a pattern a line, as in .gitignore.\n")
        try write("config", ByteString(try config().bytes))
        // Last, so that it is a repository only when the rest is there.
        try write("HEAD", ByteString(LooseRef.encode(.symbolic(initialBranch))))
    }

    /// Writes a file that is not there yet.
    private func write(_ name: ByteString, _ content: ByteString) throws(StoreError) {
        let path = gitDirectory / name
        guard !FileSystem.exists(path) else { return }
        try File(path, O_WRONLY | O_CREAT | O_EXCL).write(content.bytes)
    }

    // MARK: Configuration

    private func config() throws(StoreError) -> ConfigFile {
        var file = ConfigFile()
        func set(_ section: ByteString, _ name: ByteString, _ value: ByteString) throws(StoreError)
        {
            guard let key = ConfigKey(section: section, subsection: nil, name: name) else { return }
            try file.set(key, value)
        }
        try set("core", "repositoryformatversion", format == .sha1 ? "0" : "1")
        try set("core", "filemode", keepsExecutableBit() ? "true" : "false")
        try set("core", "bare", isBare ? "true" : "false")
        if !isBare { try set("core", "logallrefupdates", "true") }
        if try !keepsSymbolicLinks() { try set("core", "symlinks", "false") }
        if ignoresCase() { try set("core", "ignorecase", "true") }
        if format != .sha1 { try set("extensions", "objectformat", ByteString(format.name)) }
        return file
    }

    /// Whether the file system keeps a change of a file's executable bit.
    private func keepsExecutableBit() throws(StoreError) -> Bool {
        let file = try FileSystem.createTemporary(in: gitDirectory, prefix: "tmp_probe_")
        defer { _ = file.path.withCString { unlink($0) } }
        let before = try file.status().st_mode & 0o777
        guard before & S_IXUSR == 0, fchmod(file.descriptor, before ^ S_IXUSR) == 0 else {
            return false
        }
        return FileSystem.status(file.path).map { $0.st_mode & 0o777 == before ^ S_IXUSR } ?? false
    }

    private func keepsSymbolicLinks() throws(StoreError) -> Bool {
        let path = try FileSystem.createTemporary(in: gitDirectory, prefix: "tmp_probe_").path
        defer { _ = path.withCString { unlink($0) } }
        try FileSystem.remove(path)
        guard path.withCString({ symlink("testing", $0) }) == 0 else { return false }
        return FileSystem.status(path, followLinks: false)
            .map { $0.st_mode & S_IFMT == S_IFLNK } ?? false
    }

    private func ignoresCase() -> Bool { FileSystem.exists(gitDirectory / "DeScRiPtIoN") }
}

extension Config {
    /// The branch that HEAD is on in a new repository: `init.defaultBranch`, else `master`.
    public func initialBranch() throws(StoreError) -> RefName {
        let short = string("init.defaultbranch") ?? "master"
        guard let name = RefName.branch(short) else {
            throw StoreError(.invalid, "invalid branch name: init.defaultBranch = \(short)")
        }
        return name
    }
}
