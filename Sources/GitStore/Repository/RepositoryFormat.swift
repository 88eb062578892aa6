import GitCore

/// What a repository's own configuration says of its form (gitrepository-layout; git's "repository
/// format version" document): read before anything else of it is believed, nothing included.
struct RepositoryFormat: Equatable {
    let objectFormat: ObjectFormat
    /// core.bare; nil if it is not set.
    let isBare: Bool?
    /// core.worktree, from the git directory.
    let workTree: ByteString?

    /// Extensions that any version may have, those that need version 1, and what they ask of a reader
    /// that this one does in any case.
    private static let anyVersion: Set<ByteString> = [
        "noop", "preciousobjects", "partialclone", "worktreeconfig",
    ]
    private static let version1: Set<ByteString> = [
        "noop-v1", "objectformat", "refstorage", "relativeworktrees",
    ]

    init(_ layout: RepositoryLayout) throws(StoreError) {
        let path = layout.commonDirectory / "config"
        let shared = Config(try ConfigFile(path: path) ?? ConfigFile())
        let version = try shared.int("core.repositoryformatversion") ?? 0
        guard (0 ... 1).contains(version) else {
            throw StoreError(
                .unsupported, "Expected git repo version <= 1, found \(version) in '\(path)'")
        }
        try Self.checkExtensions(shared, version, path)
        objectFormat =
            version == 1 ? try Self.objectFormat(shared.string("extensions.objectformat")) : .sha1
        var own = shared
        if try shared.bool("extensions.worktreeconfig") ?? false,
            let file = try ConfigFile(path: layout.gitDirectory / "config.worktree")
        {
            own = Config(file)
        }
        isBare =
            if let value = try own.bool("core.bare") { value } else { try shared.bool("core.bare") }
        workTree = own.string("core.worktree") ?? shared.string("core.worktree")
    }

    private static func checkExtensions(
        _ config: Config, _ version: Int, _ path: ByteString
    ) throws(StoreError) {
        let names = config.entries.map(\.key).filter { $0.stem == "extensions" }.map(\.name)
        if version == 0 {
            // Others do not count at version 0: older programs would not have heeded them.
            guard let name = names.first(where: version1.contains) else { return }
            throw StoreError(
                .unsupported,
                "repo version is 0, but v1-only extension found in '\(path)': \(name)")
        }
        let unknown = names.filter { !anyVersion.contains($0) && !version1.contains($0) }
        guard unknown.isEmpty else {
            throw StoreError(
                .unsupported,
                "unknown repository extension found in '\(path)': "
                    + unknown.map(\.printable).joined(separator: ", "))
        }
        if let storage = config.string("extensions.refstorage"), storage != "files" {
            throw StoreError(.unsupported, "ref storage format '\(storage)' is not supported")
        }
    }

    private static func objectFormat(_ name: ByteString?) throws(StoreError) -> ObjectFormat {
        guard let name else { return .sha1 }
        guard let format = ObjectFormat.allCases.first(where: { ByteString($0.name) == name })
        else {
            throw StoreError(
                .unsupported, "invalid value for 'extensions.objectformat': '\(name)'")
        }
        return format
    }
}
