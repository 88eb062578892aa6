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
        // Names may be bytes of any kind, and folders may be read-only: `rm` knows.
        _ = try? run("/bin/sh", ["-c", #"chmod -R u+rwX "$0"; rm -rf "$0""#, path])
    }

    /// The path of something in it.
    public func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file, and the folders it is in.
    @discardableResult
    public func write(_ name: String, _ content: some Sequence<UInt8>) throws -> String {
        let path = self(name)
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        _ = try run("/bin/mkdir", ["-p", "/\(folder)"])
        let bytes = Array(content)
        guard let file = fopen(path, "wb") else { throw TestFailure("cannot write \(path)") }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw TestFailure("cannot write \(path)")
        }
        return path
    }
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
