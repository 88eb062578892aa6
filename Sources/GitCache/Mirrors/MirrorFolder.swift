import GitCore
import GitStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// In the store:
//
//     mirrors/<SHA-256 of the name>.git    a bare repository; `description` has the name
//     mirrors/tmp_*                        one that is being made

/// The mirrors of a cache, one for each repository of an upstream that somebody asked for.
final class MirrorFolder: Sendable {
    private let path: ByteString
    private let note: @Sendable (String) -> Void
    private let upkeep: MirrorUpkeep
    private let open = Mutex<[ByteString: Mirror]>([:])

    /// - Throws: ``CacheError/Code/store``.
    init(
        _ path: ByteString, note: @escaping @Sendable (String) -> Void
    ) throws(CacheError) {
        self.path = path
        self.note = note
        upkeep = try MirrorUpkeep(note: note)
        do throws(StoreError) {
            try FileSystem.createDirectory(path)
            // What a process left unfinished that was killed.
            for name in try FileSystem.list(path) where name.hasPrefix(Self.temporary) {
                try Self.remove(path / name)
            }
        } catch { throw CacheError(error) }
    }

    private static let temporary: ByteString = "tmp_"
    /// Nothing of the configuration of who runs the cache.
    private static let environment = Environment([
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    ])

    /// Ends what is done to mirrors while nobody waits for it.
    func stop() { upkeep.stop() }

    /// The mirror of that name; made where there is none.
    func mirror(_ name: ByteString, _ format: ObjectFormat) throws(CacheError) -> Mirror {
        do throws(StoreError) {
            return try open.withLock { open throws(StoreError) in
                if let known = open[name], known.repository.format == format { return known }
                let directory = path / Self.fileName(name)
                if FileSystem.exists(directory) {
                    try Self.removeLeftovers(directory)
                } else {
                    try make(directory, name, format)
                }
                let repository = try Repository.open(
                    sourceAt: directory, environment: Self.environment)
                guard repository.format == format else {
                    // Upstream was made anew.
                    try Self.remove(directory)
                    try make(directory, name, format)
                    let mirror = try Mirror(
                        name,
                        try Repository.open(sourceAt: directory, environment: Self.environment),
                        upkeep)
                    open[name] = mirror
                    return mirror
                }
                let mirror = try Mirror(name, repository, upkeep)
                open[name] = mirror
                return mirror
            }
        } catch { throw CacheError(error) }
    }

    /// Has a mirror not used again, if the error says that it is damaged. The next who asks for it has it
    /// fetched anew.
    func suspect(_ mirror: Mirror, _ error: StoreError) {
        guard [.corrupt, .notFound].contains(error.code) else { return }
        let isMine = open.withLock { open in
            guard open[mirror.name] === mirror else { return false }
            open[mirror.name] = nil
            let aside = path / (Self.temporary + ByteString("\(UInt64.random(in: 0 ... .max))"))
            do throws(StoreError) {
                try FileSystem.rename(path / Self.fileName(mirror.name), to: aside)
                try Self.remove(aside)
            } catch {
                // It goes when the cache is started next.
            }
            return true
        }
        if isMine { note("the mirror of \(mirror.name) is damaged: \(error.message)") }
    }

    /// Removes the mirror of that name; who reads from it may fail.
    func remove(_ name: ByteString) throws(CacheError) {
        do throws(StoreError) {
            try open.withLock { open throws(StoreError) in
                open[name] = nil
                let directory = path / Self.fileName(name)
                if FileSystem.exists(directory) { try Self.remove(directory) }
            }
        } catch { throw CacheError(error) }
    }

    private static func remove(_ directory: ByteString) throws(StoreError) {
        try RemovableDirectory(directory).removeContents()
        try FileSystem.removeEmptyDirectory(directory)
    }

    /// Removes what a killed process left in a mirror, of which nothing is needed and some is in the way: the
    /// folder is this process's alone, and nobody has the mirror open yet.
    private static func removeLeftovers(_ directory: ByteString) throws(StoreError) {
        let objects = directory / "objects"
        for name in try FileSystem.list(objects) where name.hasPrefix("tmp_") {
            try FileSystem.removeTree(objects / name)
        }
        for name in try FileSystem.list(objects / "pack")
        where name.hasPrefix("tmp_") || name.hasSuffix(".keep") {
            try FileSystem.remove(objects / "pack" / name)
        }
        for name in try FileSystem.list(directory) where name.hasSuffix(".lock") {
            try FileSystem.remove(directory / name)
        }
    }

    private static func fileName(_ name: ByteString) -> ByteString {
        var hasher = PlainHasher(.sha256)
        name.bytes.withUnsafeBytes { hasher.update($0) }
        return ByteString(hasher.finalize().hex) + ".git"
    }

    /// Whatever moment the process is killed at, there is a whole repository or none.
    private func make(
        _ directory: ByteString, _ name: ByteString, _ format: ObjectFormat
    ) throws(StoreError) {
        let random = ByteString("\(UInt64.random(in: 0 ... .max))")
        let temporary = path / (Self.temporary + random)
        guard let branch = RefName("refs/heads/main") else { return }
        let repository = try Repository.create(
            at: temporary, bare: true, initialBranch: branch, format: format,
            environment: Self.environment)
        try repository.editConfig { file throws(StoreError) in
            for (section, key, value) in Self.settings {
                if let key = ConfigKey(section: section, subsection: nil, name: key) {
                    try file.set(key, value)
                }
            }
        }
        try FileSystem.remove(temporary / "description")
        try File(temporary / "description", O_WRONLY | O_CREAT | O_EXCL).write(name.bytes + [0x0a])
        try FileSystem.rename(temporary, to: directory)
    }

    /// What a client may ask for is what Git's own server has, with all that can be turned on.
    private static let settings: [(ByteString, ByteString, ByteString)] = [
        ("uploadpack", "allowfilter", "true"),
        ("uploadpack", "allowsidebandall", "true"), ("transfer", "advertiseobjectinfo", "true"),
        ("fetch", "unpacklimit", "1"), ("fetch", "fsckobjects", "false"),
        ("repack", "writebitmaps", "true"),
    ]
}
