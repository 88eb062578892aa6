package import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// The files that tie directories together (gitrepository-layout):
//
//     <work tree>/.git     a file: `gitdir: <path>` LF, instead of a directory
//     <git>/commondir      the path of the directory that holds what linked work trees share
//     <git>/gitdir         of a linked work tree: the path of its `.git` file
//
// A path in them that is not absolute starts at the file's directory.

/// Where the parts of a repository lie.
package struct RepositoryLayout: Equatable {
    /// Absolute. What belongs to this work tree alone: HEAD, its index, its reflog.
    package let gitDirectory: ByteString
    /// Absolute. Objects, refs and configuration: the git directory, unless the work tree is linked.
    package let commonDirectory: ByteString
    /// The `.git` file that led here, if one did.
    let gitFile: ByteString?
    /// The directory that was found to hold `.git`; nil where the git directory itself was found.
    let holder: ByteString?

    init(
        gitDirectory: ByteString, gitFile: ByteString? = nil, holder: ByteString? = nil
    ) throws(StoreError) {
        self.gitDirectory = gitDirectory
        commonDirectory = try Self.commonDirectory(of: gitDirectory)
        self.gitFile = gitFile
        self.holder = holder
    }

    /// Longest `.git`, `commondir` or `gitdir` file, in bytes.
    private static let maximumPointerSize = 65_536

    static func commonDirectory(of gitDirectory: ByteString) throws(StoreError) -> ByteString {
        try pointer(gitDirectory / "commondir", prefix: "") ?? gitDirectory
    }

    /// Whether `path` is a directory with a valid HEAD, `objects` and `refs`.
    static func isGitDirectory(_ path: ByteString) -> Bool {
        guard FileSystem.isDirectory(path), hasValidHead(path),
            let common = try? commonDirectory(of: path)
        else { return false }
        return FileSystem.isDirectory(common / "objects") && FileSystem.isDirectory(common / "refs")
    }

    private static func hasValidHead(_ path: ByteString) -> Bool {
        ObjectFormat.allCases.contains { format in
            ((try? LooseRef.read(path / "HEAD", format)) ?? nil) != nil
        }
    }

    /// The git directory that a `.git` file names; nil where there is no such file.
    ///
    /// - Throws: ``StoreError/Code/corrupt`` for a file of another content, or one that names what is
    ///   no git directory.
    static func followGitFile(_ path: ByteString) throws(StoreError) -> ByteString? {
        guard let status = FileSystem.status(path), status.st_mode & S_IFMT == S_IFREG,
            let target = try pointer(path, prefix: "gitdir: ")
        else { return nil }
        guard isGitDirectory(target) else {
            throw StoreError(.corrupt, "'\(path)' names '\(target)', which is not a git repository")
        }
        return target
    }

    /// The path in such a file, absolute; nil where there is no file.
    static func pointer(
        _ path: ByteString, prefix: ByteString
    ) throws(StoreError) -> ByteString? {
        var content: [UInt8]
        do {
            content = try FileSystem.read(path, limit: maximumPointerSize)
        } catch  where error.code == .notFound { return nil }
        while let last = content.last, last == 0x0a || last == 0x0d { content.removeLast() }
        let text = ByteString(content)
        guard text.hasPrefix(prefix), text.count > prefix.count, !content.contains(0) else {
            throw StoreError(.corrupt, "invalid file format: '\(path)'")
        }
        let target = text.dropFirst(prefix.count)
        return absolute(target.hasPrefix("/") ? target : parent(path) / target)
    }

    // MARK: Paths

    /// All before the last component.
    static func parent(_ path: ByteString) -> ByteString {
        guard let slash = path.bytes.lastIndex(of: 0x2f) else { return "." }
        return slash == 0 ? "/" : ByteString(path.bytes[..<slash])
    }

    static func lastComponent(_ path: ByteString) -> ByteString {
        ByteString(path.bytes[(path.bytes.lastIndex(of: 0x2f).map { $0 + 1 } ?? 0)...])
    }

    /// The path from the root. Symbolic links on the way are resolved; one at its end stays as it is.
    static func absolute(_ path: ByteString) -> ByteString {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path = path.dropLast(1) }
        let last = lastComponent(path)
        if last.isEmpty || last == "." || last == ".." { return FileSystem.realPath(path) ?? path }
        return FileSystem.realPath(parent(path)).map { $0 / last } ?? path
    }
}
