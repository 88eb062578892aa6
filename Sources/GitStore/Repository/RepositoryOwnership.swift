import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// Whether a repository that was found, not named, is this user's own: another user's may hold
/// configuration that runs programs (CVE-2022-24765).
enum RepositoryOwnership {
    /// - Parameter trusted: the configuration without the repository's.
    /// - Throws: ``StoreError/Code/invalid`` where the work tree, its `.git` file or the git directory
    ///   belongs to another user and `safe.directory` does not name it.
    static func check(
        _ layout: RepositoryLayout, workTree: ByteString?, trusted: Config,
        environment: Environment
    ) throws(StoreError) {
        let paths = [layout.gitFile, workTree, layout.gitDirectory].compactMap { $0 }
        if paths.allSatisfy({ isOwned($0, environment) }) { return }
        let place = workTree ?? layout.gitDirectory
        if try isListed(place, trusted, environment) { return }
        throw StoreError(
            .invalid,
            "detected dubious ownership in repository at '\(place)'; if you trust it, call:"
                + " git config --global --add safe.directory \(place)")
    }

    private static func isOwned(_ path: ByteString, _ environment: Environment) -> Bool {
        guard let owner = FileSystem.status(path, followLinks: false)?.st_uid else { return false }
        let user = geteuid()
        if owner == user { return true }
        // Through sudo, what is the caller's own is trusted too.
        guard user == 0, let text = environment["SUDO_UID"] else { return false }
        return UInt32(String(decoding: text.bytes, as: UTF8.self)) == owner
    }

    /// `safe.directory`: `*` for all, a directory, or one with `/*` for all below it.
    private static func isListed(
        _ place: ByteString, _ trusted: Config, _ environment: Environment
    ) throws(StoreError) -> Bool {
        let place = FileSystem.realPath(place) ?? place
        for entry in trusted.list("safe.directory") {
            if entry == "*" { return true }
            guard let path = ConfigValue.path(entry, home: environment["HOME"]) else { continue }
            if path.hasSuffix("/*") {
                let base = path.dropLast(2)
                if place.hasPrefix((FileSystem.realPath(base) ?? base) + "/") { return true }
            } else if path == place || FileSystem.realPath(path) == place {
                return true
            }
        }
        return false
    }
}
