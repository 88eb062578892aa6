package import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A directory as it was found, to be emptied later: that directory and no other, even if its path has
/// come to lead elsewhere.
///
/// What is in it may be anything that a hostile tree could make: symbolic links are removed and not
/// followed, and neither long paths nor deep directories are in the way, for a directory's own
/// directories are moved to the top before it is removed. The descriptors that this takes are held from
/// the start, so that it works where there are no more of them to be had.
package final class RemovableDirectory: Sendable {
    private let top: File
    private let reserve: Mutex<[Int32]>

    /// - Throws: ``StoreError/Code/notFound`` where there is no directory.
    package init(_ path: ByteString) throws(StoreError) {
        top = try File(path, O_RDONLY | O_DIRECTORY)
        var held: [Int32] = []
        for _ in 0 ..< 2 {
            let copy = fcntl(top.descriptor, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else {
                let error = StoreError.system("open directory", path)
                for copy in held { close(copy) }
                throw error
            }
            held.append(copy)
        }
        reserve = Mutex(held)
    }

    deinit { release() }

    private func release() {
        reserve.withLock { held in
            for copy in held { close(copy) }
            held = []
        }
    }

    /// Removes what is in it, as far as that can be removed.
    package func removeContents() throws(StoreError) {
        release()
        let path = top.path
        var waiting = try Self.names(in: top.descriptor, path)
        var moved = 0
        while let name = waiting.popLast() {
            if Self.unlink(name, in: top.descriptor) { continue }
            guard let child = Self.open(name, in: top.descriptor) else { continue }
            for inner in (try? Self.names(in: child.descriptor, path / name)) ?? [] {
                if Self.unlink(inner, in: child.descriptor) { continue }
                if let place = Self.move(inner, of: child, to: top.descriptor, &moved) {
                    waiting.append(place)
                }
            }
            _ = Self.unlink(name, in: top.descriptor)
        }
    }

    /// Removes a file, a symbolic link or an empty directory.
    private static func unlink(_ name: ByteString, in directory: Int32) -> Bool {
        name.withCString { name in
            unlinkat(directory, name, 0) == 0 || unlinkat(directory, name, AT_REMOVEDIR) == 0
        }
    }

    private static func open(_ name: ByteString, in directory: Int32) -> File? {
        let descriptor = name.withCString { name in
            openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        return descriptor < 0 ? nil : File(adopting: descriptor, path: name)
    }

    /// Moves a directory to the top under a name that is free there.
    private static func move(
        _ name: ByteString, of parent: borrowing File, to top: Int32, _ moved: inout Int
    ) -> ByteString? {
        for _ in 0 ..< 1_000 {
            let place = ByteString(".removed-\(moved)")
            moved += 1
            let result = name.withCString { name in
                place.withCString { renameat(parent.descriptor, name, top, $0) }
            }
            if result == 0 { return place }
            guard [EEXIST, ENOTEMPTY, ENOTDIR].contains(errno) else { return nil }
        }
        return nil
    }

    private static func names(
        in directory: Int32, _ path: ByteString
    ) throws(StoreError) -> [ByteString] {
        // A descriptor of its own, for closedir(3) closes it.
        let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw .system("open directory", path) }
        guard let stream = fdopendir(copy) else {
            close(copy)
            throw .system("open directory", path)
        }
        return FileSystem.list(stream)
    }
}

extension FileSystem {
    /// Removes a directory and all that is in it.
    package static func removeTree(_ path: ByteString) throws(StoreError) {
        try RemovableDirectory(path).removeContents()
        try removeEmptyDirectory(path)
    }
}
