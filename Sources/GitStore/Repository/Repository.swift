public import GitCore

/// A repository on disk: its configuration, its refs, its objects.
///
/// What its configuration says is read once, when it is opened.
public final class Repository: Sendable {
    /// Absolute: HEAD and what belongs to this work tree alone.
    public let gitDirectory: ByteString
    /// Absolute: objects, refs and configuration. The same as ``gitDirectory`` but in a linked work
    /// tree (git-worktree).
    public let commonDirectory: ByteString
    /// Absolute; nil where there is none.
    public let workTree: ByteString?
    public let isBare: Bool
    public let format: ObjectFormat
    /// As read at opening: the system's, the user's, the repository's, then overrides (`-c`).
    public let config: Config
    public let refs: RefStore
    public let objects: ObjectDatabase

    private init(
        _ layout: RepositoryLayout, _ format: RepositoryFormat, workTree: ByteString?,
        _ config: Config
    ) throws(StoreError) {
        let objects = try ObjectDatabase(
            objectsDirectory: layout.commonDirectory / "objects", format: format.objectFormat,
            settings: ObjectDatabase.Settings(config))
        gitDirectory = layout.gitDirectory
        commonDirectory = layout.commonDirectory
        self.workTree = workTree
        let isBare = format.isBare ?? (workTree == nil)
        self.isBare = isBare
        self.format = format.objectFormat
        self.config = config
        self.objects = objects
        refs = RefStore(
            gitDirectory: layout.gitDirectory, commonDirectory: layout.commonDirectory,
            format: format.objectFormat, reflogPolicy: try ReflogPolicy(config, isBare: isBare)
        ) { oid throws(StoreError) in try objects.refTarget(oid) }
    }

    // MARK: Opening

    /// Makes a repository, as `git init` does: in `directory` if it is bare, else in `.git` there.
    /// Where there is one already, what it has stays and what is missing is added; `initialBranch` is
    /// then not looked at.
    ///
    /// - Throws: ``StoreError/Code/invalid`` where there is one of another object format.
    public static func create(
        at directory: ByteString, bare: Bool, initialBranch: RefName, format: ObjectFormat = .sha1,
        overrides: [(String, ByteString?)] = [], environment: Environment = .process
    ) throws(StoreError) -> Repository {
        guard initialBranch.bytes.hasPrefix("refs/heads/") else {
            throw StoreError(.invalid, "invalid initial branch name: '\(initialBranch)'")
        }
        try FileSystem.createDirectories(directory)
        let base = RepositoryLayout.absolute(directory)
        let gitDirectory = bare ? base : base / ".git"
        // `.git` may be a file that leads to it.
        let target = try RepositoryLayout.followGitFile(gitDirectory) ?? gitDirectory
        if isRepository(gitDirectory: target) {
            let found = try RepositoryFormat(RepositoryLayout(gitDirectory: target))
            guard found.objectFormat == format else {
                throw StoreError(
                    .invalid, "attempt to reinitialize repository with different hash")
            }
        }
        try RepositoryCreation(
            gitDirectory: target, isBare: bare, initialBranch: initialBranch, format: format
        ).run()
        return try open(
            RepositoryLayout(gitDirectory: target, holder: bare ? nil : base),
            overrides, environment)
    }

    /// Whether `gitDirectory` is one: with a valid HEAD, `objects` and `refs`.
    public static func isRepository(gitDirectory: ByteString) -> Bool {
        RepositoryLayout.isGitDirectory(gitDirectory)
    }

    /// Opens the repository that `directory` belongs to, looking in it and then further up.
    ///
    /// - Throws: ``StoreError/Code/notFound`` where there is none; ``StoreError/Code/invalid`` where it
    ///   belongs to another user and `safe.directory` does not name it;
    ///   ``StoreError/Code/unsupported`` where its format is one that this version does not know.
    public static func discover(
        from directory: ByteString, overrides: [(String, ByteString?)] = [],
        environment: Environment = .process
    ) throws(StoreError) -> Repository {
        let layout = try RepositoryDiscovery(environment: environment).find(from: directory)
        let trusted = try Config.load(
            gitDirectory: nil, overrides: overrides, environment: environment)
        try RepositoryOwnership.check(
            layout, workTree: layout.holder, trusted: trusted, environment: environment)
        if layout.holder == nil, trusted.string("safe.barerepository") == "explicit" {
            throw StoreError(
                .invalid,
                "cannot use bare repository '\(layout.gitDirectory)'"
                    + " (safe.bareRepository is 'explicit')")
        }
        return try open(layout, overrides, environment)
    }

    /// Opens the repository whose git directory this is: one that the user named, whoever owns it.
    ///
    /// - Parameter workTree: used in place of the one that is configured or found, as `GIT_WORK_TREE`
    ///   asks for.
    public static func open(
        gitDirectory: ByteString, workTree: ByteString? = nil,
        overrides: [(String, ByteString?)] = [],
        environment: Environment = .process
    ) throws(StoreError) -> Repository {
        let path = RepositoryLayout.absolute(gitDirectory)
        let target = try RepositoryLayout.followGitFile(path) ?? path
        guard isRepository(gitDirectory: target) else {
            throw StoreError(.notFound, "not a git repository: '\(gitDirectory)'")
        }
        let isNamedGit = RepositoryLayout.lastComponent(path) == ".git"
        return try open(
            RepositoryLayout(
                gitDirectory: target, gitFile: target == path ? nil : path,
                holder: isNamedGit ? RepositoryLayout.parent(path) : nil),
            workTree: workTree.map(RepositoryLayout.absolute), overrides, environment)
    }

    /// Opens what a path means as the source of a clone: a git directory, a work tree, or either's
    /// name without `.git`. It has to belong to this user, or be named by `safe.directory`.
    public static func open(
        sourceAt path: ByteString, overrides: [(String, ByteString?)] = [],
        environment: Environment = .process
    ) throws(StoreError) -> Repository {
        guard let layout = try RepositoryDiscovery.locate(path) else {
            throw StoreError(
                .notFound, "'\(path)' does not appear to be a git repository")
        }
        let trusted = try Config.load(
            gitDirectory: nil, overrides: overrides, environment: environment)
        try RepositoryOwnership.check(
            layout, workTree: nil, trusted: trusted, environment: environment)
        return try open(layout, overrides, environment)
    }

    private static func open(
        _ layout: RepositoryLayout, workTree: ByteString? = nil,
        _ overrides: [(String, ByteString?)], _ environment: Environment
    ) throws(StoreError) -> Repository {
        let format = try RepositoryFormat(layout)
        let config = try Config.load(
            gitDirectory: layout.gitDirectory, overrides: overrides, environment: environment)
        let place = if let workTree { workTree } else { try layout.workTree(format) }
        return try Repository(layout, format, workTree: place, config)
    }

    // MARK: Changing the configuration

    /// Changes the repository's configuration file, under its lock. ``config`` stays as read at
    /// opening.
    public func editConfig(
        _ body: (inout ConfigFile) throws(StoreError) -> Void
    ) throws(StoreError) {
        let name = commonDirectory / "config"
        // A link is followed, so that it stays one.
        let path = FileSystem.realPath(name) ?? name
        var lock = try LockFile(path, patience: Self.configPatience)
        var file = try ConfigFile(path: path) ?? ConfigFile()
        try body(&file)
        // It may hold what is not for everybody's eyes.
        if let status = FileSystem.status(path) {
            try lock.setPermissions(status.st_mode & 0o777)
        }
        try lock.write(file.bytes)
        try lock.finish()
        try lock.commit()
    }

    /// How long another holder of config.lock is waited for, in milliseconds.
    private static let configPatience = 1_000
}

extension RepositoryLayout {
    /// The work tree: what core.worktree says, none if the repository is bare, else where `.git` is.
    func workTree(_ format: RepositoryFormat) throws(StoreError) -> ByteString? {
        if let linked = try linkedWorkTree() { return linked }
        if let path = format.workTree, format.isBare != true {
            return Self.absolute(path.hasPrefix("/") ? path : gitDirectory / path)
        }
        return format.isBare == true ? nil : holder
    }

    /// Where the `.git` file of a linked work tree is.
    private func linkedWorkTree() throws(StoreError) -> ByteString? {
        guard gitDirectory != commonDirectory,
            let file = try Self.pointer(gitDirectory / "gitdir", prefix: "")
        else { return nil }
        return Self.parent(file)
    }
}
