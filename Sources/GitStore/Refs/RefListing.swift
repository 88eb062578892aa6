public import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

extension RefStore {
    /// Every ref whose name begins with `prefix` (`refs/heads/`; empty for all under `refs/`), sorted
    /// by name. HEAD is not among them.
    ///
    /// - Parameters:
    ///   - peeling: whether ``RefEntry/peeled`` is worked out; without, no object is looked at.
    ///   - reporting: is told of each ref that is left out because its name or content is not what it
    ///     may be, or, when peeling, because its object is missing.
    /// - Throws: ``StoreError/Code/corrupt`` where packed-refs as a whole cannot be read.
    public func list(
        prefix: ByteString, peeling: Bool = true, reporting: (BrokenRef) -> Void = { _ in }
    ) throws(StoreError) -> [RefEntry] {
        let prefix = prefix.isEmpty ? "refs/" : prefix
        var memory = RefMemory(remembered)
        defer { remember(memory) }
        // Loose first: a ref that is packed meanwhile is then found in one place at least.
        let loose = try looseNames(prefix, reporting)
        let packed = try packed()
        if peeling, let kept = try packed?.keptEntries(prefix: prefix) {
            if loose.isEmpty { return Array(kept) }
            return try merge(kept, loose, &memory, reporting)
        }
        var entries: [RefEntry] = []
        var next = 0
        func takeLoose(before name: ByteString?) throws(StoreError) {
            while next < loose.count, name.map({ loose[next].name.bytes < $0 }) ?? true {
                if let entry = try looseEntry(loose[next], peeling, &memory, reporting) {
                    entries.append(entry)
                }
                next += 1
            }
        }
        if let packed {
            try packed.forEach(prefix: prefix) { record throws(StoreError) in
                let name = packed.name(record)
                try takeLoose(before: name)
                if next < loose.count, loose[next].name.bytes == name { return true }
                let entry = try packedEntry(record, name, packed, peeling, &memory, reporting)
                if let entry {
                    entries.append(entry)
                }
                return true
            }
        }
        try takeLoose(before: nil)
        return entries
    }

    /// - Parameter packed: peeled.
    private func merge(
        _ packed: ArraySlice<RefEntry>, _ loose: [LooseFile], _ memory: inout RefMemory,
        _ reporting: (BrokenRef) -> Void
    ) throws(StoreError) -> [RefEntry] {
        var entries: [RefEntry] = []
        entries.reserveCapacity(packed.count + loose.count)
        var rest = packed
        for file in loose {
            let place = rest.partitionPoint { $0.name < file.name }
            entries += rest[..<place]
            rest = rest[place...]
            if rest.first?.name == file.name { rest = rest.dropFirst() }
            if let entry = try looseEntry(file, true, &memory, reporting) { entries.append(entry) }
        }
        return entries + rest
    }

    // MARK: One ref

    private func packedEntry(
        _ record: PackedRefs.Record, _ bytes: ByteString, _ packed: PackedRefs, _ peeling: Bool,
        _ memory: inout RefMemory, _ reporting: (BrokenRef) -> Void
    ) throws(StoreError) -> RefEntry? {
        guard let name = RefName(bytes) else {
            reporting(BrokenRef(name: bytes, reason: "ignoring ref with broken name \(bytes)"))
            return nil
        }
        if !record.oid.isZero, !peeling || packed.knowsPeeled(record) {
            return RefEntry(
                name: name, ref: .direct(record.oid), oid: record.oid,
                peeled: peeling ? record.peeled : nil)
        }
        return try entry(name, .direct(record.oid), record.oid, peeling, &memory, reporting)
    }

    private func looseEntry(
        _ file: LooseFile, _ peeling: Bool, _ memory: inout RefMemory,
        _ reporting: (BrokenRef) -> Void
    ) throws(StoreError) -> RefEntry? {
        let name = file.name
        do {
            // Packed or deleted since the directory was read: then the packed one counts, or none.
            guard let ref = try read(file, &memory) else { return nil }
            if case .direct(let oid) = ref {
                return try entry(name, ref, oid, peeling, &memory, reporting)
            }
            guard let oid = try resolve(name)?.oid else {
                reporting(
                    BrokenRef(name: name.bytes, reason: "ignoring dangling symref \(name)"))
                return nil
            }
            return try entry(name, ref, oid, peeling, &memory, reporting)
        } catch  where error.code == .corrupt {
            reporting(
                BrokenRef(name: name.bytes, reason: "ignoring broken ref \(name): \(error)"))
            return nil
        }
    }

    /// What the ref holds: as read before, where its file is the same. Who lists refs again and again, as a
    /// server does, need not open every file each time.
    private func read(
        _ file: LooseFile, _ memory: inout RefMemory
    ) throws(StoreError) -> Ref? {
        if let known = memory.files[file.name], known.stamp == file.stamp { return known.ref }
        let ref = try read(file.name)
        if let ref, file.stamp.isSettled { memory.add(ref, in: file.name, file.stamp) }
        return ref
    }

    private func entry(
        _ name: RefName, _ ref: Ref, _ oid: ObjectID, _ peeling: Bool,
        _ memory: inout RefMemory, _ reporting: (BrokenRef) -> Void
    ) throws(StoreError) -> RefEntry? {
        guard !oid.isZero else {
            reporting(BrokenRef(name: name.bytes, reason: "ignoring broken ref \(name)"))
            return nil
        }
        guard peeling else { return RefEntry(name: name, ref: ref, oid: oid, peeled: nil) }
        guard let target = try target(oid, &memory) else {
            reporting(
                BrokenRef(name: name.bytes, reason: "\(name) does not point to a valid object"))
            return nil
        }
        return RefEntry(name: name, ref: ref, oid: oid, peeled: target.peeled)
    }

    /// What an object is, looked up once: it never changes. nil where it is missing.
    private func target(
        _ oid: ObjectID, _ memory: inout RefMemory
    ) throws(StoreError) -> RefTarget? {
        if let known = memory.targets[oid] { return known }
        guard let target = try inspect(oid) else { return nil }
        memory.add(target, oid)
        return target
    }

    // MARK: Directories

    /// A file that may hold a ref.
    private struct LooseFile {
        let name: RefName
        let stamp: FileStamp
    }

    /// The names of the files under `prefix`, sorted.
    private func looseNames(
        _ prefix: ByteString, _ reporting: (BrokenRef) -> Void
    ) throws(StoreError) -> [LooseFile] {
        let slash = prefix.bytes.lastIndex(of: 0x2f).map { $0 + 1 } ?? 0
        let root: ByteString = "refs/"
        let start = root.hasPrefix(prefix) ? root : ByteString(prefix.bytes[..<slash])
        guard start.hasPrefix("refs/"), RefName.isWellFormed(start.dropLast(1)) else { return [] }
        var files: [LooseFile] = []
        var directories = [start]
        while let directory = directories.popLast() {
            for (name, kind, stamp) in try children(of: directory)
            where name.hasPrefix(prefix) {
                if kind == S_IFDIR {
                    directories.append(name + "/")
                } else if let name = checked(name, kind, reporting) {
                    files.append(LooseFile(name: name, stamp: stamp))
                }
            }
        }
        return files.sorted { $0.name < $1.name }
    }

    /// What is in a directory of refs (`refs/heads/`), as whole names, and what each is.
    private func children(
        of directory: ByteString
    ) throws(StoreError) -> [(name: ByteString, kind: mode_t, stamp: FileStamp)] {
        let base = self.directory(of: directory)
        var found = try entries(base, directory)
        if directory == "refs/", base != gitDirectory {
            // A linked work tree's own refs are elsewhere than the shared ones.
            let own = Self.ownPrefixes.map { $0.dropLast(1) }
            found.removeAll { own.contains($0.name) }
            found += try entries(gitDirectory, directory).filter { own.contains($0.name) }
        }
        return found
    }

    private func entries(
        _ base: ByteString, _ directory: ByteString
    ) throws(StoreError) -> [(name: ByteString, kind: mode_t, stamp: FileStamp)] {
        let names: [ByteString]
        do {
            names = try FileSystem.list(base / directory)
        } catch  where error.code == .notFound { return [] }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return names.compactMap { name in
            let whole = directory + name
            guard whole.count <= RefName.maximumLength,
                let status = FileSystem.status(base / whole, followLinks: false)
            else { return nil }
            return (whole, status.st_mode & S_IFMT, FileStamp(status, taken: now))
        }
    }

    /// The name, if it is one that a ref may have; a lock and what begins with a dot are passed over
    /// in silence, as by Git.
    private func checked(
        _ name: ByteString, _ kind: mode_t, _ reporting: (BrokenRef) -> Void
    ) -> RefName? {
        let last = RepositoryLayout.lastComponent(name)
        if last.hasPrefix(".") || last.hasSuffix(".lock") { return nil }
        guard kind == S_IFREG || kind == S_IFLNK, let name = RefName(name) else {
            reporting(BrokenRef(name: name, reason: "ignoring ref with broken name \(name)"))
            return nil
        }
        return name
    }
}
