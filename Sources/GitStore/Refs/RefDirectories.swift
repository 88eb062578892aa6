import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The directories that loose refs and reflogs lie in: they come with the first ref in them, and those
/// that are empty do not count.
enum RefDirectories {
    /// Removes the directory at `path` and those in it, as far as there is nothing but directories.
    static func removeEmpty(_ path: ByteString) {
        // Those that still have to be looked into, and those that have been.
        var waiting = [path]
        var seen: [ByteString] = []
        while let directory = waiting.popLast() {
            guard let status = FileSystem.status(directory, followLinks: false),
                status.st_mode & S_IFMT == S_IFDIR,
                let names = try? FileSystem.list(directory)
            else { continue }
            seen.append(directory)
            waiting += names.map { directory / $0 }
        }
        // Innermost first; one with a file in it stays, and so do those above it.
        for directory in seen.reversed() { _ = directory.withCString { rmdir($0) } }
    }

    /// Removes the directories that the name's path goes through, innermost first, as far as they are
    /// empty; `refs/heads` and its like stay.
    static func removeEmptyParents(of name: RefName, in base: ByteString) {
        var path = RepositoryLayout.parent(name.bytes)
        while path.split(0x2f).count > 2 {
            guard (base / path).withCString({ rmdir($0) }) == 0 else { return }
            path = RepositoryLayout.parent(path)
        }
    }

    /// Refuses `a` beside `a` and `a` beside `a/b`.
    ///
    /// All names between `a` and `a/b` in the order begin with `a`, so what could be a directory of
    /// the name at hand is a stack of names, each the beginning of the next.
    static func refuseConflicts(amongSorted names: [RefName]) throws(StoreError) {
        var stack: [RefName] = []
        for name in names {
            while let last = stack.last, !name.bytes.hasPrefix(last.bytes) { stack.removeLast() }
            for above in stack {
                let next = name.bytes.bytes.dropFirst(above.bytes.count).first
                guard next != nil else {
                    throw StoreError(.conflict, "multiple updates for ref '\(name)' not allowed")
                }
                guard next != 0x2f else {
                    throw StoreError(
                        .conflict, "cannot process '\(above)' and '\(name)' at the same time")
                }
            }
            stack.append(name)
        }
    }
}

extension RefStore {
    /// Makes the directories that the ref's path goes through, below `under` if that is not empty. A
    /// symbolic link is never one of them, so that a ref is not written elsewhere.
    ///
    /// - Throws: ``StoreError/Code/conflict`` where one of them is a file: another ref.
    func makeParents(of name: RefName, under: ByteString = "") throws(StoreError) {
        let base = directory(of: name.bytes)
        var part: ByteString = ""
        for component in (under.isEmpty ? [] : [under]) + name.bytes.split(0x2f).dropLast() {
            part = part / component
            let path = base / part
            switch FileSystem.status(path, followLinks: false).map({ $0.st_mode & S_IFMT }) {
            case nil: try FileSystem.createDirectory(path)
            case S_IFDIR: continue
            // As some tools make a second work tree: all the refs or logs in one other place.
            case S_IFLNK where part == "refs" || part == "logs": continue
            case S_IFLNK:
                throw StoreError(.invalid, "'\(path)' is a symbolic link in the way of a ref")
            default:
                throw StoreError(.conflict, "'\(part)' exists; cannot create '\(name)'")
            }
        }
    }
}
