public import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The refs of a repository: loose ones, each in a file, over those in packed-refs.
public final class RefStore: Sendable {
    /// As many symbolic refs as may lead from one to the next, as in Git.
    public static let maximumSymbolicDepth = 5

    /// HEAD and other names without `refs/`, and the refs of one work tree.
    let gitDirectory: ByteString
    /// All other refs. The same as ``gitDirectory`` but in a linked work tree.
    let commonDirectory: ByteString
    public let format: ObjectFormat
    let reflogPolicy: ReflogPolicy
    /// What an object is; nil where it is missing.
    let inspect: @Sendable (ObjectID) throws(StoreError) -> RefTarget?
    private let packedCache = Mutex<(stamp: FileStamp, refs: PackedRefs)?>(nil)
    private let memory = Mutex(RefMemory())

    package init(
        gitDirectory: ByteString, commonDirectory: ByteString, format: ObjectFormat,
        reflogPolicy: ReflogPolicy,
        inspect: @escaping @Sendable (ObjectID) throws(StoreError) -> RefTarget?
    ) {
        self.gitDirectory = gitDirectory
        self.commonDirectory = commonDirectory
        self.format = format
        self.reflogPolicy = reflogPolicy
        self.inspect = inspect
    }

    // MARK: Reading

    /// What the ref holds; nil where there is none.
    ///
    /// - Throws: ``StoreError/Code/corrupt`` where its file holds something else.
    public func read(_ name: RefName) throws(StoreError) -> Ref? {
        if let loose = try LooseRef.read(path(of: name), format) { return loose }
        // Another process may have packed the ref in between: that file is looked at afterwards.
        return try packed()?.find(name).map { .direct($0.oid) }
    }

    /// The ref that `name` leads to through symbolic refs, and its object; nil where the last of them
    /// is not there, as on an unborn branch.
    ///
    /// - Throws: ``StoreError/Code/corrupt`` where they lead in a circle, or are too many.
    public func resolve(_ name: RefName) throws(StoreError) -> (name: RefName, oid: ObjectID)? {
        let (last, ref) = try follow(name)
        guard case .direct(let oid)? = ref else { return nil }
        return (last, oid)
    }

    /// The ref at the end of the symbolic refs that begin at `name`, there or not, and what it holds.
    func follow(_ name: RefName) throws(StoreError) -> (name: RefName, ref: Ref?) {
        var name = name
        for _ in 0 ... Self.maximumSymbolicDepth {
            let ref = try read(name)
            guard case .symbolic(let target)? = ref else { return (name, ref) }
            name = target
        }
        throw StoreError(.corrupt, "symbolic refs lead to '\(name)' in a circle, or are too many")
    }

    /// The packed-refs file as it is now; nil where there is none.
    func packed() throws(StoreError) -> PackedRefs? {
        let path = packedPath
        return try packedCache.withLock { cache throws(StoreError) in
            guard let stamp = FileStamp(path) else {
                cache = nil
                return nil
            }
            if let cache, cache.stamp == stamp { return cache.refs }
            let refs = try PackedRefs(path, format)
            cache = (stamp, refs)
            return refs
        }
    }

    /// What listings have found by now.
    var remembered: RefMemory { memory.withLock { $0 } }

    func remember(_ found: RefMemory) {
        if found.isNew { memory.withLock { $0 = found } }
    }

    // MARK: Writing at once

    /// Writes the refs of a new repository as one packed-refs file, exactly as Git writes it.
    ///
    /// - Throws: ``StoreError/Code/conflict`` where the repository has refs already, where two of
    ///   `refs` have one name or one is a directory of another's, or another holds the lock.
    public func writePacked(_ refs: [PackedRef]) throws(StoreError) {
        let content = try PackedRefsWriter.encode(refs)
        var lock = try LockFile(packedPath, patience: Self.packedPatience)
        guard try isEmpty() else {
            throw StoreError(.conflict, "'\(commonDirectory)' has refs already")
        }
        try lock.write(content)
        try lock.finish()
        try lock.commit()
    }

    /// Adds refs whose only use is that their objects are kept, to packed-refs in one step; those that are
    /// there already stay as they are. For a repository in which nothing else changes packed-refs by other
    /// names.
    ///
    /// - Throws: ``StoreError/Code/conflict`` where another holds the lock.
    package func addPacked(_ refs: [(name: RefName, oid: ObjectID)]) throws(StoreError) {
        var lock = try LockFile(packedPath, patience: Self.packedPatience)
        var all: [RefName: PackedRef] = [:]
        let packed = try packed()
        try packed?.forEach(prefix: "refs/") { record throws(StoreError) in
            guard let packed, let name = RefName(packed.name(record)) else { return true }
            all[name] = PackedRef(name: name, oid: record.oid, peeled: record.peeled)
            return true
        }
        for (name, oid) in refs where all[name] == nil {
            all[name] = PackedRef(name: name, oid: oid, peeled: try inspect(oid)?.peeled)
        }
        try lock.write(try PackedRefsWriter.encode(Array(all.values)))
        try lock.finish()
        try lock.commit()
    }

    private func isEmpty() throws(StoreError) -> Bool {
        try list(prefix: "refs/", peeling: false) { _ in }.isEmpty
    }

    // MARK: Places

    /// How long, in milliseconds, another holder of a lock is waited for (core.filesRefLockTimeout and
    /// core.packedRefsTimeout, at their defaults).
    static let loosePatience = 100
    static let packedPatience = 1_000

    var packedPath: ByteString { commonDirectory / "packed-refs" }

    func path(of name: RefName) -> ByteString { directory(of: name.bytes) / name.bytes }

    /// The directory that the name's path starts at.
    func directory(of name: ByteString) -> ByteString {
        let isShared = name.hasPrefix("refs/") && !Self.ownPrefixes.contains(where: name.hasPrefix)
        return isShared ? commonDirectory : gitDirectory
    }

    /// What each linked work tree has for itself (git-worktree, "REFS").
    static let ownPrefixes: [ByteString] = ["refs/bisect/", "refs/worktree/", "refs/rewritten/"]
}
