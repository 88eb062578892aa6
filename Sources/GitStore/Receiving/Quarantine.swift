public import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// A quarantine is a directory in `objects`, laid out as that is, which nothing reads but who knows of it
// (git-receive-pack, "QUARANTINE ENVIRONMENT"):
//
//     objects/tmp_objdir-incoming-XXXXXX/pack/pack-….{keep,pack,rev,idx}
//     objects/tmp_objdir-incoming-XXXXXX/ab/cdef…
//
// A crash leaves the directory and nothing else; by its name Git's own maintenance removes it when it
// is old.

/// A place for objects that are not trusted yet, beside those of a repository.
///
/// What is in it is seen through ``database`` alone. ``migrate()`` gives it to the repository;
/// ``discard()``, or letting go of the value, removes it.
public final class Quarantine: Sendable {
    /// An `objects` directory.
    public let directory: ByteString
    /// The objects in here, and those of the repository.
    public let database: ObjectDatabase
    /// The repository's own objects.
    let destination: ObjectDatabase
    let cancellation = CancellationFlag()
    private let state = Mutex(State())

    private struct State {
        var isGone = false
        /// Files that keep packs from being repacked, and are to go.
        var keeps: [ByteString] = []
    }

    /// Makes one in the repository's `objects` directory, so that a rename is enough to move a file
    /// there.
    public convenience init(_ repository: Repository) throws(StoreError) {
        try self.init(beside: repository.objects)
    }

    package init(beside objects: ObjectDatabase) throws(StoreError) {
        var template = (objects.directory / "tmp_objdir-incoming-XXXXXX").bytes + [0]
        let isMade = template.withUnsafeMutableBytes { buffer in
            // SAFETY: the template has at least its six X and the NUL, so it has a base address.
            mkdtemp(buffer.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped) != nil
        }
        let directory = ByteString(template.dropLast())
        guard isMade else { throw .system("create temporary directory", directory) }
        do throws(StoreError) {
            try FileSystem.createDirectory(directory / "pack")
            database = try ObjectDatabase(objectsDirectory: directory, borrowingFrom: objects)
        } catch {
            try? FileSystem.removeTree(directory)
            throw error
        }
        self.directory = directory
        destination = objects
    }

    deinit {
        discard()
        release()
    }

    /// Asks what runs in it, on whatever thread, to stop: it throws ``StoreError/Code/cancelled`` soon.
    public func cancel() { cancellation.set() }

    /// Something that any thread may call to cancel.
    public var canceller: @Sendable () -> Void { { [cancellation] in cancellation.set() } }

    /// Removes it with all that is in it.
    public func discard() {
        let isFirst = state.withLock { state in
            defer { state.isGone = true }
            return !state.isGone
        }
        if isFirst { try? FileSystem.removeTree(directory) }
    }

    /// Lets Git's maintenance repack the packs that came from here: to be called when the refs that lead
    /// to them are written, or will not be.
    public func release() {
        let keeps = state.withLock { state in
            defer { state.keeps = [] }
            return state.keeps
        }
        for path in keeps { try? FileSystem.remove(path) }
    }

    /// Puts an indexed pack in here.
    ///
    /// - Parameter keep: content of its `.keep` file; nil for none.
    package func hold(
        _ pack: IndexedPack, keep: ByteString? = nil, isSynced: Bool = true
    ) throws(StoreError) {
        let base = directory / "pack" / ByteString("pack-\(pack.trailer.hex)")
        try pack.install(at: IndexedPack.Places(base: base, keep: keep), isSynced: isSynced)
        try database.refresh()
    }

    /// Removes the packs in here.
    func removePacks() throws(StoreError) {
        for name in try FileSystem.list(directory / "pack") {
            try FileSystem.remove(directory / "pack" / name)
        }
        try database.refresh()
    }

    /// The environment in which Git's programs see what is in here, and refuse to change refs.
    public var variables: [(name: String, value: ByteString)] {
        [
            ("GIT_QUARANTINE_PATH", directory),
            ("GIT_OBJECT_DIRECTORY", directory),
            ("GIT_ALTERNATE_OBJECT_DIRECTORIES", Self.quoted(destination.directory)),
        ]
    }

    /// A path as an element of a list with colons in between.
    private static func quoted(_ path: ByteString) -> ByteString {
        guard path.hasPrefix("\"") || path.bytes.contains(0x3a) else { return path }
        var out: [UInt8] = [0x22]
        for byte in path.bytes {
            if byte == 0x22 || byte == 0x5c { out.append(0x5c) }
            out.append(byte)
        }
        return ByteString(out + [0x22])
    }

    // MARK: To the repository

    /// Moves everything to where the repository's objects are, and removes the quarantine. The objects
    /// are on the disk by then: refs may be written next, then ``release()`` be called.
    ///
    /// The index of a pack goes last, so that a pack is seen only once all of it is there. What the
    /// repository has already stays as it is.
    ///
    /// - Throws: what could not be done; objects that were moved by then stay, and no ref leads to them.
    public func migrate() throws(StoreError) {
        guard state.withLock({ !$0.isGone }) else {
            throw StoreError(.invalid, "quarantine '\(directory)' is gone")
        }
        var changed: [ByteString] = []
        for folder in try FileSystem.list(directory)
        where folder.count == 2 && folder.bytes.allSatisfy(Self.isHexDigit) {
            let target = destination.directory / folder
            if try FileSystem.createDirectory(target) { changed.append(destination.directory) }
            for name in try FileSystem.list(directory / folder) {
                try Self.move(directory / folder / name, to: target / name)
            }
            changed.append(target)
        }
        if try migratePacks() { changed.append(destination.directory / "pack") }
        try Self.syncDirectories(Set(changed))
        try destination.refresh()
        discard()
    }

    /// False where there are none.
    private func migratePacks() throws(StoreError) -> Bool {
        let names = try FileSystem.list(directory / "pack").filter { $0.hasPrefix("pack-") }
        guard !names.isEmpty else { return false }
        let target = destination.directory / "pack"
        try FileSystem.createDirectory(target)
        for name in names.sorted(by: { Self.rank($0) < Self.rank($1) }) {
            let isNew = try Self.move(directory / "pack" / name, to: target / name)
            // Another's file is not ours to remove.
            if isNew, name.hasSuffix(".keep") { state.withLock { $0.keeps.append(target / name) } }
        }
        return true
    }

    private static func rank(_ name: ByteString) -> Int {
        let endings: [ByteString] = [".keep", ".pack", ".rev", ".idx"]
        return endings.firstIndex(where: name.hasSuffix) ?? 2
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30 ... 0x39).contains(byte) || (0x61 ... 0x66).contains(byte)
    }

    /// Moves a file to where none is; says whether it did. One that is there is marked as in use, so
    /// that it is not removed as old.
    @discardableResult
    private static func move(
        _ path: ByteString, to target: ByteString
    ) throws(StoreError) -> Bool {
        // A rename would replace what another puts there just now.
        let isLinked = path.withCString { path in target.withCString { link(path, $0) } } == 0
        if isLinked {
            try FileSystem.remove(path)
            return true
        }
        if errno == EEXIST || FileSystem.exists(target) {
            _ = target.withCString { utimes($0, nil) }
            return false
        }
        // A file system without hard links.
        try FileSystem.rename(path, to: target)
        return true
    }

    /// More directories than this are put on the disk with everything else.
    private static let mostDirectories = 32

    private static func syncDirectories(_ paths: Set<ByteString>) throws(StoreError) {
        if paths.count > mostDirectories { return sync() }
        for path in paths { try File(path, O_RDONLY | O_DIRECTORY).sync() }
    }
}
