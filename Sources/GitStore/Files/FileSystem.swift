package import GitCore

#if canImport(Glibc)
    package import Glibc
#elseif canImport(Darwin)
    package import Darwin
#elseif canImport(Musl)
    package import Musl
#endif

/// The calls on paths that a repository's own files need. What goes into a work tree is written by
/// GitWorktree's guarded writer instead.
package enum FileSystem {
    /// lstat(2); nil where there is nothing.
    package static func status(_ path: ByteString, followLinks: Bool = true) -> stat? {
        var status = stat()
        let result = path.withCString { name in
            followLinks ? stat(name, &status) : lstat(name, &status)
        }
        return result == 0 ? status : nil
    }

    package static func exists(_ path: ByteString) -> Bool {
        status(path, followLinks: false) != nil
    }

    package static func isDirectory(_ path: ByteString) -> Bool {
        status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
    }

    /// The whole content of a file; refused beyond `limit` bytes.
    package static func read(_ path: ByteString, limit: Int) throws(StoreError) -> [UInt8] {
        try File(path, O_RDONLY).readToEnd(limit: limit)
    }

    /// Makes a directory; says whether it is new.
    @discardableResult
    package static func createDirectory(_ path: ByteString) throws(StoreError) -> Bool {
        if path.withCString({ mkdir($0, 0o777) }) == 0 { return true }
        guard errno == EEXIST, isDirectory(path) else { throw .system("create directory", path) }
        return false
    }

    /// Makes a directory and those above it that are missing; says which were made, outermost first.
    /// Where one cannot be made, none is.
    @discardableResult
    package static func createDirectories(_ path: ByteString) throws(StoreError) -> [ByteString] {
        var made: [ByteString] = []
        var end = 0
        while end < path.count {
            end = path.bytes[(end + 1)...].firstIndex(of: 0x2f) ?? path.count
            let part = ByteString(path.bytes[..<end])
            if part.isEmpty || part.hasSuffix("/") || isDirectory(part) { continue }
            do throws(StoreError) {
                if try createDirectory(part) { made.append(part) }
            } catch {
                for path in made.reversed() { try? removeEmptyDirectory(path) }
                throw error
            }
        }
        return made
    }

    package static func rename(_ from: ByteString, to: ByteString) throws(StoreError) {
        let result = from.withCString { from in
            to.withCString { to in posixRename(from, to) }
        }
        guard result == 0 else { throw .system("rename to", to) }
    }

    /// Removes a file; one that is not there is no error.
    package static func remove(_ path: ByteString) throws(StoreError) {
        guard path.withCString({ unlink($0) }) == 0 || errno == ENOENT else {
            throw .system("remove", path)
        }
    }

    /// Removes a directory with nothing in it.
    package static func removeEmptyDirectory(_ path: ByteString) throws(StoreError) {
        guard path.withCString({ rmdir($0) }) == 0 else { throw .system("remove", path) }
    }

    /// The names in a directory but `.` and `..`, in no order.
    package static func list(_ path: ByteString) throws(StoreError) -> [ByteString] {
        guard let directory = path.withCString({ opendir($0) }) else {
            throw .system("open directory", path)
        }
        return list(directory)
    }

    /// The same of an open directory, which it closes.
    static func list(_ directory: OpaquePointer) -> [ByteString] {
        defer { closedir(directory) }
        var names: [ByteString] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                ByteString(bytes.prefix { $0 != 0 })
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// A new file in `directory` whose name begins with `prefix`, for this user only, and its path.
    package static func createTemporary(
        in directory: ByteString, prefix: ByteString
    ) throws(StoreError) -> File {
        var template = (directory / prefix).bytes + Array("XXXXXX\0".utf8)
        let descriptor = template.withUnsafeMutableBytes { buffer in
            // SAFETY: the template has at least its six X and the NUL, so it has a base address.
            mkstemp(buffer.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped)
        }
        let path = ByteString(template.dropLast())
        guard descriptor >= 0 else { throw .system("create temporary file", path) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return File(adopting: descriptor, path: path)
    }

    /// The mode that a new file or directory gets: `bits` under the process's umask.
    package static func underUmask(_ bits: mode_t) -> mode_t { bits & ~currentUmask }

    // umask(2) can only be read by setting it, which is no thing to do with threads running.
    private static let currentUmask: mode_t = {
        let mask = umask(0o022)
        umask(mask)
        return mask
    }()

    /// The path made absolute, symbolic links resolved; nil where there is nothing.
    package static func realPath(_ path: ByteString) -> ByteString? {
        guard let resolved = path.withCString({ realpath($0, nil) }) else { return nil }
        defer { free(resolved) }
        return ByteString(UnsafeRawBufferPointer(start: resolved, count: strlen(resolved)))
    }
}

private func posixRename(_ from: UnsafePointer<CChar>, _ to: UnsafePointer<CChar>) -> Int32 {
    rename(from, to)
}
