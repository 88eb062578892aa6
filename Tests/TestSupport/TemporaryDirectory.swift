#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A new folder, removed with everything in it when the last reference goes.
public final class TemporaryDirectory: Sendable {
    /// Absolute, with no symbolic link in it.
    public let path: String

    public init() throws {
        let parent = TestEnvironment.variable("TMPDIR") ?? "/tmp"
        var template = Array("\(parent)/apus-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil, let real = realpath(template, nil) else {
            throw TestFailure("no temporary folder in \(parent): errno \(errno)")
        }
        defer { free(real) }
        path = String(cString: real)
    }

    deinit {
        if removeAll(path, in: AT_FDCWD, depth: 64) { return }
        // Folders may be read-only, and deeper than that: `rm` knows.
        _ = try? run("/bin/sh", ["-c", #"chmod -R u+rwX "$0"; rm -rf "$0""#, path])
    }

    /// The path of something in it.
    public func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file, and the folders it is in.
    @discardableResult
    public func write(_ name: String, _ content: some Sequence<UInt8>) throws -> String {
        let path = self(name)
        for end in path.indices.dropFirst(self.path.count + 1) where path[end] == "/" {
            mkdir(String(path[..<end]), 0o777)
        }
        let bytes = Array(content)
        guard let file = fopen(path, "wb") else { throw TestFailure("cannot write \(path)") }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw TestFailure("cannot write \(path)")
        }
        return path
    }
}

/// Removes what is there, a folder with all that is in it; false where that did not work out.
private func removeAll(_ name: UnsafePointer<CChar>, in parent: Int32, depth: Int) -> Bool {
    if unlinkat(parent, name, 0) == 0 { return true }
    guard depth > 0 else { return false }
    let folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard folder >= 0 else { return false }
    guard let stream = fdopendir(folder) else {
        close(folder)
        return false
    }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
        let isRemoved = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            let name = bytes.assumingMemoryBound(to: CChar.self)
            guard let start = name.baseAddress else { return false }
            return strcmp(start, ".") == 0 || strcmp(start, "..") == 0
                || removeAll(start, in: folder, depth: depth - 1)
        }
        if !isRemoved { return false }
    }
    return unlinkat(parent, name, AT_REMOVEDIR) == 0
}

/// A file's bytes; nil when there is none that can be read.
public func readFile(_ path: String) -> [UInt8]? {
    guard let file = fopen(path, "rb") else { return nil }
    defer { fclose(file) }
    return try? readAll(fileno(file))
}

/// Whether something is at the path, be it a dangling link.
public func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
}

/// Everything from where the descriptor stands to the end.
func readAll(_ descriptor: Int32) throws -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw TestFailure("cannot read: errno \(errno)") }
        if count == 0 { return all }
        all.append(contentsOf: chunk[..<count])
    }
}
