public import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

extension Config {
    /// Reads the configuration as `git` does (git-config, "FILES" and "ENVIRONMENT"): the system's
    /// file, the user's two, the repository's, `GIT_CONFIG_COUNT` with its keys and values, then
    /// `overrides`. Files that are not there are passed over; `include.path` and `includeIf` with
    /// `gitdir:`, `gitdir/i:` and `onbranch:` are followed.
    ///
    /// - Parameters:
    ///   - gitDirectory: the repository; nil for what holds outside of any.
    ///   - overrides: as given by `-c`; a nil value means true.
    /// - Throws: ``StoreError`` that names the file and line, or the variable.
    public static func load(
        gitDirectory: ByteString?, overrides: [(String, ByteString?)] = [],
        environment: Environment = .process
    ) throws(StoreError) -> Config {
        var loader = ConfigLoader(gitDirectory: gitDirectory, environment: environment)
        try loader.readSystemAndUser()
        if let gitDirectory { try loader.readRepository(gitDirectory) }
        try loader.readEnvironment()
        for (name, value) in overrides { try loader.addOverride(ByteString(name), value) }
        return Config(entries: loader.entries, home: environment["HOME"])
    }
}

/// Collects variables from the places where they are, weakest first.
struct ConfigLoader {
    /// As deep as included files may include others.
    static let maximumIncludeDepth = 10
    /// As many files as all includes together may name.
    static let maximumIncludedFiles = 1_000
    /// As many variables as `GIT_CONFIG_COUNT` may announce.
    static let maximumEnvironmentCount = 10_000

    private(set) var entries: [Config.Entry] = []
    let gitDirectory: ByteString?
    let environment: Environment
    private var includedFiles = 0

    init(gitDirectory: ByteString?, environment: Environment) {
        self.gitDirectory = gitDirectory
        self.environment = environment
    }

    mutating func readSystemAndUser() throws(StoreError) {
        if try environment.bool("GIT_CONFIG_NOSYSTEM") != true {
            try read(environment["GIT_CONFIG_SYSTEM"] ?? "/etc/gitconfig", .system)
        }
        for path in userFiles {
            // Another user's home, after a change of user, is no reason to stop.
            do throws(StoreError) {
                try read(path, .global)
            } catch {
                guard error.systemError == EACCES else { throw error }
            }
        }
    }

    private var userFiles: [ByteString] {
        if let global = environment["GIT_CONFIG_GLOBAL"] { return global.isEmpty ? [] : [global] }
        let home = environment["HOME"]
        let base = environment["XDG_CONFIG_HOME"] ?? ""
        let general = base.isEmpty ? home.map { $0 / ".config" } : base
        return [general.map { $0 / "git/config" }, home.map { $0 / ".gitconfig" }].compactMap { $0 }
    }

    mutating func readRepository(_ gitDirectory: ByteString) throws(StoreError) {
        let common = try RepositoryLayout.commonDirectory(of: gitDirectory)
        try read(common / "config", .repository)
        let hasWorktreeConfig = entries.last {
            $0.scope == .repository && $0.key.bytes == "extensions.worktreeconfig"
        }
        if let entry = hasWorktreeConfig, entry.value.map(ConfigValue.bool) ?? true == true {
            try read(gitDirectory / "config.worktree", .worktree)
        }
    }

    mutating func readEnvironment() throws(StoreError) {
        guard let text = environment["GIT_CONFIG_COUNT"], !text.isEmpty else { return }
        guard let count = Int(String(decoding: text.bytes, as: UTF8.self)), count >= 0 else {
            throw StoreError(.invalid, "bogus count in GIT_CONFIG_COUNT")
        }
        guard count <= Self.maximumEnvironmentCount else {
            throw StoreError(.limit, "too many entries in GIT_CONFIG_COUNT")
        }
        for index in 0 ..< count {
            guard let name = environment["GIT_CONFIG_KEY_\(index)"] else {
                throw StoreError(.invalid, "missing config key GIT_CONFIG_KEY_\(index)")
            }
            guard let value = environment["GIT_CONFIG_VALUE_\(index)"] else {
                throw StoreError(.invalid, "missing config value GIT_CONFIG_VALUE_\(index)")
            }
            try addOverride(name, value)
        }
    }

    mutating func addOverride(_ name: ByteString, _ value: ByteString?) throws(StoreError) {
        guard let key = ConfigKey(name) else {
            throw StoreError(.invalid, "invalid config key '\(name)'")
        }
        try add(key, value, .command, from: nil, depth: 0)
    }

    // MARK: Files

    private mutating func read(
        _ path: ByteString, _ scope: Config.Scope, depth: Int = 0
    ) throws(StoreError) {
        guard let file = try ConfigFile(path: path) else { return }
        for (key, value) in file.entries {
            try add(key, value, scope, from: path, depth: depth)
        }
    }

    /// Adds the variable, and what it includes.
    private mutating func add(
        _ key: ConfigKey, _ value: ByteString?, _ scope: Config.Scope, from file: ByteString?,
        depth: Int
    ) throws(StoreError) {
        entries.append(Config.Entry(key: key, value: value, scope: scope))
        guard key.name == "path", try holds(key, from: file) else { return }
        guard let value else { throw StoreError(.invalid, "missing value for '\(key)'") }
        guard depth < Self.maximumIncludeDepth else {
            throw StoreError(
                .limit,
                "exceeded maximum include depth (\(Self.maximumIncludeDepth)) while including"
                    + " '\(value)' from '\(file ?? "the command line")'")
        }
        includedFiles += 1
        guard includedFiles <= Self.maximumIncludedFiles else {
            throw StoreError(.limit, "more than \(Self.maximumIncludedFiles) files included")
        }
        try read(includedPath(value, from: file), scope, depth: depth + 1)
    }

    private func includedPath(
        _ value: ByteString, from file: ByteString?
    ) throws(StoreError) -> ByteString {
        guard let path = ConfigValue.path(value, home: environment["HOME"]) else {
            throw StoreError(.invalid, "could not expand include path '\(value)'")
        }
        if path.hasPrefix("/") { return path }
        guard let file else {
            throw StoreError(.invalid, "relative config includes must come from files: '\(value)'")
        }
        return directory(of: file) / path
    }

    private func directory(of file: ByteString) -> ByteString {
        guard let slash = file.bytes.lastIndex(of: 0x2f) else { return "." }
        return slash == 0 ? "/" : ByteString(file.bytes[..<slash])
    }

    // MARK: Conditions

    /// Whether the variable is one that includes a file, here and now.
    private func holds(_ key: ConfigKey, from file: ByteString?) throws(StoreError) -> Bool {
        if key.bytes == "include.path" { return true }
        guard key.section == "includeif", let condition = key.subsection else { return false }
        if condition.hasPrefix("gitdir:") {
            return try gitDirectoryMatches(condition.dropFirst(7), from: file, ignoringCase: false)
        }
        if condition.hasPrefix("gitdir/i:") {
            return try gitDirectoryMatches(condition.dropFirst(9), from: file, ignoringCase: true)
        }
        if condition.hasPrefix("onbranch:") {
            return try branchMatches(condition.dropFirst(9))
        }
        return false
    }

    private func gitDirectoryMatches(
        _ text: ByteString, from file: ByteString?, ignoringCase: Bool
    ) throws(StoreError) -> Bool {
        guard let gitDirectory,
            var pattern = ConfigValue.path(text, home: environment["HOME"])
        else { return false }
        if pattern.hasPrefix("./") {
            guard let file, let base = FileSystem.realPath(directory(of: file)) else {
                return false
            }
            pattern = WildPattern.escaping(base) / pattern.dropFirst(2)
        } else if !pattern.hasPrefix("/") {
            pattern = "**/" + pattern
        }
        if pattern.hasSuffix("/") { pattern = pattern + "**" }
        let wild = WildPattern(pattern, ignoringCase ? .ignoringCase : [])
        let real = FileSystem.realPath(gitDirectory)
        return wild.matches(gitDirectory) || real.map(wild.matches) ?? false
    }

    private func branchMatches(_ text: ByteString) throws(StoreError) -> Bool {
        // A HEAD that is detached, or broken, is on no branch.
        guard let gitDirectory,
            let head = try? LooseRef.read(gitDirectory / "HEAD", .sha1),
            case .symbolic(let name) = head, name.bytes.hasPrefix("refs/heads/")
        else { return false }
        let pattern = text.hasSuffix("/") ? text + "**" : text
        return WildPattern(pattern).matches(name.bytes.dropFirst(11))
    }
}
