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
//     mirrors/<SHA-256 of the name>-<16 hex digits>.git   a bare repository; `description` has the name, and
//                                                         was modified when the mirror was used last
//     mirrors/tmp_*                                       one that is being made, or removed
//
// The digits are drawn anew for each: what still writes to one that was removed cannot hit its successor.

/// The mirrors of a cache, one for each repository of an upstream that somebody asked for.
final class MirrorFolder: Sendable {
    /// One of them.
    struct Place {
        let directory: ByteString
        /// nil until somebody asks for it.
        var mirror: Mirror?
        /// Milliseconds since 1970.
        var lastUse: UInt64
        /// What of that is on the disk.
        var notedUse: UInt64
        /// What it takes on the disk, and when that was looked at; nil for not yet.
        var measured: (bytes: UInt64, at: UInt64)?
    }

    let path: ByteString
    /// Bytes that all may take on the disk together.
    var budget: UInt64 { limit.load(ordering: .relaxed) }
    private let limit: Atomic<UInt64>
    /// By name.
    let places: Mutex<[ByteString: Place]>
    let note: @Sendable (String) -> Void
    private let upkeep: MirrorUpkeep
    let limits: MirrorLimits

    /// - Parameter note: is told of what fails while nobody waits for it.
    /// - Throws: ``CacheError/Code/store``.
    init(
        _ path: ByteString, budget: UInt64, limits: MirrorLimits = MirrorLimits(),
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(CacheError) {
        self.path = path
        self.limits = limits
        limit = Atomic(budget)
        self.note = note
        do throws(StoreError) {
            try FileSystem.createDirectory(path)
            // What a process left unfinished that was killed.
            for name in try FileSystem.list(path) where name.hasPrefix(Self.temporary) {
                try FileSystem.removeTree(path / name)
            }
            let found = try Self.find(in: path)
            let known = Set(found.values.map(\.directory))
            for name in try FileSystem.list(path)
            where name.hasSuffix(Self.suffix) && !known.contains(path / name) {
                try FileSystem.removeTree(path / name)
            }
            places = Mutex(found)
        } catch { throw CacheError(error) }
        upkeep = try MirrorUpkeep(note: note)
    }

    private static let temporary: ByteString = "tmp_"
    private static let suffix: ByteString = ".git"
    private static let longestName = 64 << 10
    /// Last uses are written no more often, in milliseconds.
    private static let noteInterval: UInt64 = 60_000
    /// Nothing of the configuration of who runs the cache.
    private static let environment = Environment([
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    ])

    /// What is beyond it goes when it is looked at next.
    func setBudget(_ budget: UInt64) { limit.store(budget, ordering: .relaxed) }

    /// Ends what is done to mirrors while nobody waits for it. What is being fetched is given up, and leaves
    /// nothing if that is soon done.
    func stop() {
        let mirrors = places.withLock { $0.values.compactMap(\.mirror) }
        for mirror in mirrors { mirror.endFetching() }
        let deadline = ContinuousClock.now + Self.lastMoment
        while mirrors.contains(where: \.isFetching), ContinuousClock.now < deadline {
            usleep(10_000)
        }
        upkeep.stop()
    }

    private static let lastMoment: Duration = .seconds(2)

    /// The mirrors in a folder, by name; nothing is changed.
    static func find(in path: ByteString) throws(StoreError) -> [ByteString: Place] {
        var places: [ByteString: Place] = [:]
        for file in try FileSystem.list(path)
        where file.hasSuffix(suffix) && !file.hasPrefix(temporary) {
            let directory = path / file
            guard let status = FileSystem.status(directory / "description", followLinks: false),
                let line = try? FileSystem.read(directory / "description", limit: longestName),
                line.last == 0x0a
            else { continue }
            let name = ByteString(line.dropLast())
            guard file.hasPrefix(digest(name)) else { continue }
            let used = UInt64(clamping: status.st_mtim.tv_sec).multipliedReportingOverflow(
                by: 1_000
            )
            .partialValue
            places[name] = Place(directory: directory, lastUse: used, notedUse: used)
        }
        return places
    }

    static func repository(at directory: ByteString) throws(StoreError) -> Repository {
        try Repository.open(sourceAt: directory, environment: environment)
    }

    /// Of all there are.
    var names: [ByteString] { places.withLock { Array($0.keys) } }

    // MARK: Use

    /// The mirror of that name; made where there is none. As long as anybody has it, it is not removed to make
    /// room.
    func mirror(_ name: ByteString, _ format: ObjectFormat) throws(CacheError) -> Mirror {
        var outdated: ByteString?
        defer { if let outdated { try? FileSystem.removeTree(outdated) } }
        do throws(StoreError) {
            return try places.withLock { places throws(StoreError) in
                if let known = try open(name, &places) {
                    if known.repository.format == format { return known }
                    // Upstream was made anew.
                    outdated = try takeOut(name, &places)?.directory
                }
                let directory = try make(name, format)
                let now = millisecondsSince1970()
                places[name] = Place(directory: directory, lastUse: now, notedUse: now)
                guard let mirror = try open(name, &places) else {
                    throw StoreError(.notFound, "'\(directory)' is gone")
                }
                return mirror
            }
        } catch { throw CacheError(error) }
    }

    /// The mirror of that name; nil where there is none. It counts as no use.
    func existing(_ name: ByteString) throws(CacheError) -> Mirror? {
        do throws(StoreError) {
            return try places.withLock { places throws(StoreError) in
                try open(name, &places, asUse: false)
            }
        } catch { throw CacheError(error) }
    }

    /// Whether it was not removed meanwhile.
    func has(_ mirror: Mirror) -> Bool {
        places.withLock { $0[mirror.name]?.mirror === mirror }
    }

    private func open(
        _ name: ByteString, _ places: inout [ByteString: Place], asUse: Bool = true
    ) throws(StoreError) -> Mirror? {
        guard var place = places[name] else { return nil }
        if place.mirror == nil {
            try Self.removeLeftovers(place.directory)
            place.mirror = try Mirror(
                name, try Self.repository(at: place.directory), upkeep, limits,
                note: note)
        }
        if asUse { place.lastUse = max(place.lastUse, millisecondsSince1970()) }
        // The system's clock may be set back.
        if place.lastUse > place.notedUse, place.lastUse - place.notedUse >= Self.noteInterval {
            place.notedUse = place.lastUse
            // What is lost here is an order.
            _ = (place.directory / "description").withCString { utimensat(AT_FDCWD, $0, nil, 0) }
        }
        places[name] = place
        return place.mirror
    }

    // MARK: Removing

    /// Has a mirror not used again, if the error says that it is damaged. The next who asks for it has it
    /// fetched anew.
    ///
    /// - Returns: whether it was set aside now.
    @discardableResult
    func suspect(_ mirror: Mirror, _ error: StoreError) -> Bool {
        guard [.corrupt, .notFound].contains(error.code),
            let place = try? take(mirror.name, if: mirror)
        else { return false }
        note("the mirror of \(mirror.name) is damaged: \(error.message)")
        // What cannot be removed goes when the cache is started next.
        try? discard(place)
        return true
    }

    /// Takes the mirror of that name from its place: who reads from it fails at some time, what is still
    /// fetched into it is lost, and who asks for it gets a new one.
    ///
    /// - Parameter mirror: this one and no other.
    /// - Returns: what is to be given to ``discard(_:)``; nil where there was nothing.
    func take(_ name: ByteString, if mirror: Mirror? = nil) throws(CacheError) -> Place? {
        do throws(StoreError) {
            return try places.withLock { places throws(StoreError) -> Place? in
                if let mirror, places[name]?.mirror !== mirror { return nil }
                return try takeOut(name, &places)
            }
        } catch { throw CacheError(error) }
    }

    /// Removes the files of what was taken, not to come back after a loss of power either.
    func discard(_ place: Place) throws(CacheError) {
        do throws(StoreError) {
            if FileSystem.exists(place.directory) { try FileSystem.removeTree(place.directory) }
            try File(path, O_RDONLY | O_DIRECTORY).sync()
        } catch { throw CacheError(error) }
    }

    /// Takes it from its place, at once; its files are still to be removed.
    func takeOut(
        _ name: ByteString, _ places: inout [ByteString: Place]
    ) throws(StoreError) -> Place? {
        guard let place = places[name] else { return nil }
        let temporary = newTemporary()
        do throws(StoreError) {
            try FileSystem.rename(place.directory, to: temporary)
        } catch {
            // Somebody else has removed it.
            if error.code != .notFound { throw error }
        }
        places[name] = nil
        return Place(
            directory: temporary, mirror: place.mirror, lastUse: place.lastUse,
            notedUse: place.notedUse, measured: place.measured)
    }

    private func newTemporary() -> ByteString { path / (Self.temporary + Self.random()) }

    private static func random() -> ByteString {
        let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
        return ByteString(String(repeating: "0", count: 16 - digits.count) + digits)
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

    private static func digest(_ name: ByteString) -> ByteString {
        var hasher = PlainHasher(.sha256)
        name.bytes.withUnsafeBytes { hasher.update($0) }
        return ByteString(hasher.finalize().hex)
    }

    /// Whatever moment the process is killed at, there is a whole repository or none.
    private func make(
        _ name: ByteString, _ format: ObjectFormat
    ) throws(StoreError) -> ByteString {
        let directory = path / (Self.digest(name) + "-" + Self.random() + Self.suffix)
        let temporary = newTemporary()
        guard let branch = RefName("refs/heads/main") else {
            throw StoreError(.invalid, "refs/heads/main is no name of a ref")
        }
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
        return directory
    }

    /// What a client may ask for is what upstreams mostly have: a request may have to be passed on.
    private static let settings: [(ByteString, ByteString, ByteString)] = [
        ("uploadpack", "allowfilter", "true"), ("transfer", "advertiseobjectinfo", "true"),
        ("fetch", "unpacklimit", "1"), ("fetch", "fsckobjects", "false"),
        ("repack", "writebitmaps", "true"),
    ]
}
