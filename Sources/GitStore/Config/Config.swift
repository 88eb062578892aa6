public import GitCore

/// The configuration that holds for a repository, or for none: the variables of all the files and
/// other places it comes from, in the order in which Git reads them, so that the last one counts.
///
/// Keys are written `section.name` or `section.subsection.name`, as for `git config`.
public struct Config: Sendable {
    /// Where a variable comes from, from the weakest to the strongest.
    public enum Scope: Int, Sendable, Comparable {
        case system, global, repository, worktree, command

        public static func < (a: Scope, b: Scope) -> Bool { a.rawValue < b.rawValue }
    }

    public struct Entry: Sendable {
        public let key: ConfigKey
        /// nil for a variable without `=`, which means true.
        public let value: ByteString?
        public let scope: Scope
    }

    /// Every variable, weakest first.
    public let entries: [Entry]
    private let positions: [ConfigKey: [Int]]
    private let home: ByteString?

    init(entries: [Entry], home: ByteString?) {
        self.entries = entries
        self.home = home
        positions = Dictionary(grouping: entries.indices) { entries[$0].key }
    }

    /// One file's variables, with nothing included: what a file of someone else's, such as
    /// `.gitmodules`, may say.
    public init(_ file: ConfigFile) {
        self.init(
            entries: file.entries.map { Entry(key: $0.key, value: $0.value, scope: .repository) },
            home: nil)
    }

    /// The variable's last value. Empty, where it has no `=`; nil, where it is not set.
    public func string(_ key: String) -> ByteString? { last(key).map { $0.value ?? "" } }

    /// All values, weakest first.
    public func strings(_ key: String) -> [ByteString] {
        all(key).map { $0.value ?? "" }
    }

    /// The values after the last empty one, which empties the list: how Git reads
    /// `credential.helper`, `safe.directory` and some more.
    public func list(_ key: String) -> [ByteString] {
        let values = strings(key)
        guard let reset = values.lastIndex(where: \.isEmpty) else { return values }
        return Array(values[(reset + 1)...])
    }

    /// - Throws: ``StoreError/Code/invalid`` for a value that says neither yes nor no.
    public func bool(_ key: String) throws(StoreError) -> Bool? {
        guard let entry = last(key) else { return nil }
        guard let text = entry.value else { return true }
        guard let value = ConfigValue.bool(text) else {
            throw StoreError(.invalid, "bad boolean config value '\(text)' for '\(entry.key)'")
        }
        return value
    }

    /// A number, its unit `k`, `m` or `g` worked in.
    ///
    /// - Throws: ``StoreError/Code/invalid`` for a value that is no number of 64 bits.
    public func int(_ key: String) throws(StoreError) -> Int? {
        guard let entry = last(key) else { return nil }
        guard let text = entry.value, let value = ConfigValue.int(text) else {
            throw StoreError(
                .invalid, "bad numeric config value '\(entry.value ?? "")' for '\(entry.key)'")
        }
        return value
    }

    /// A path, `~/` and `~user/` worked in.
    ///
    /// - Throws: ``StoreError/Code/invalid`` where the home directory is not known.
    public func path(_ key: String) throws(StoreError) -> ByteString? {
        guard let text = string(key) else { return nil }
        guard let path = ConfigValue.path(text, home: home) else {
            throw StoreError(.invalid, "failed to expand user dir in: '\(text)'")
        }
        return path
    }

    /// The subsections of a section that hold any variable, each once, in the order of their first:
    /// the remotes, for `remote`.
    public func subsections(_ section: String) -> [ByteString] {
        let section = ByteString(section)
        var seen: Set<ByteString> = []
        return entries.compactMap { entry in
            guard entry.key.bytes.hasPrefix(section + "."), entry.key.section == section,
                let name = entry.key.subsection, seen.insert(name).inserted
            else { return nil }
            return name
        }
    }

    /// Only what comes from these scopes: of a repository that is not trusted yet, nothing.
    func limited(to scopes: Set<Scope>) -> Config {
        Config(entries: entries.filter { scopes.contains($0.scope) }, home: home)
    }

    private func all(_ key: String) -> [Entry] {
        guard let key = ConfigKey(ByteString(key)) else { return [] }
        return (positions[key] ?? []).map { entries[$0] }
    }

    private func last(_ key: String) -> Entry? {
        guard let key = ConfigKey(ByteString(key)) else { return nil }
        return positions[key]?.last.map { entries[$0] }
    }
}
