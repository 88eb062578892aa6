internal import GitCore

/// What a repository must not lose: what refs, HEADs and reflogs lead to, those of linked work trees too.
struct RepackRoots {
    private(set) var wants: [ObjectID] = []
    /// Objects behind tags that refs are at, and what other refs are at.
    private(set) var tips: [ObjectID] = []
    private let objects: ObjectDatabase

    /// - Throws: where any of it cannot be read: then nothing may be removed.
    init(_ repository: Repository) throws(StoreError) {
        objects = repository.objects
        var broken: BrokenRef?
        for entry in try repository.refs.list(prefix: "refs/", reporting: { broken = $0 }) {
            wants.append(entry.oid)
            tips.append(entry.peeled ?? entry.oid)
        }
        if let broken { throw StoreError(.corrupt, broken.reason) }
        try add(repository)
        let linked = repository.commonDirectory / "worktrees"
        guard FileSystem.isDirectory(linked) else { return }
        for name in try FileSystem.list(linked) {
            let directory = linked / name
            guard directory != repository.gitDirectory,
                Repository.isRepository(gitDirectory: directory)
            else { continue }
            let other = try Repository.open(gitDirectory: directory)
            for entry in try other.refs.list(prefix: "refs/", peeling: false) {
                wants.append(entry.oid)
            }
            try add(other)
        }
    }

    /// HEAD, and the reflogs.
    private mutating func add(_ repository: Repository) throws(StoreError) {
        if let head = try repository.refs.resolve(.head) {
            wants.append(head.oid)
            tips.append(head.oid)
        }
        var seen = Set(wants)
        for name in try reflogs(repository.gitDirectory) + reflogs(repository.commonDirectory) {
            for entry in try repository.refs.reflog(name) {
                for oid in [entry.old, entry.new] where !oid.isZero && seen.insert(oid).inserted {
                    // What was pruned is no loss any more.
                    if try objects.contains(oid) { wants.append(oid) }
                }
            }
        }
    }

    /// The names of all reflogs, those of refs that are gone too.
    private func reflogs(_ directory: ByteString) throws(StoreError) -> [RefName] {
        var names: [RefName] = [.head]
        var folders: [ByteString] = ["refs"]
        while let folder = folders.popLast() {
            let path = directory / "logs" / folder
            guard FileSystem.isDirectory(path) else { continue }
            for name in try FileSystem.list(path) {
                folders.append(folder / name)
                if !FileSystem.isDirectory(path / name), let name = RefName(folder / name) {
                    names.append(name)
                }
            }
        }
        return names
    }
}
