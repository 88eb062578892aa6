#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What lies below a folder: kind, permissions and content of every entry, by path. Names are
/// bytes, shown with those outside printable ASCII as `\xNN`.
public struct TreeListing: Equatable, Sendable {
    public enum Entry: Equatable, Sendable {
        case directory
        case file(permissions: UInt32, content: [UInt8])
        case link(to: [UInt8])
        case other
    }

    public private(set) var entries: [String: Entry] = [:]

    /// Reads all of it into memory. `ignoring` names entries of the top folder to leave out.
    public init(of directory: String, ignoring: Set<String> = [".git"]) throws {
        try add(Array(directory.utf8), shown: "", ignoring)
    }

    private mutating func add(
        _ directory: [UInt8], shown: String, _ ignoring: Set<String>
    ) throws {
        for name in try names(in: directory) {
            let label = shown + printable(name)
            if ignoring.contains(label) { continue }
            let path = directory + [UInt8(ascii: "/")] + name
            let entry = try read(path)
            entries[label] = entry
            if entry == .directory { try add(path, shown: label + "/", []) }
        }
    }

    private func names(in directory: [UInt8]) throws -> [[UInt8]] {
        guard let stream = opendir(directory.map(CChar.init(bitPattern:)) + [0]) else {
            throw TestFailure("no folder \(printable(directory))")
        }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
        }
        return names
    }

    private func read(_ path: [UInt8]) throws -> Entry {
        let path = path.map(CChar.init(bitPattern:)) + [0]
        var status = stat()
        guard lstat(path, &status) == 0 else { throw TestFailure("lstat: errno \(errno)") }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .directory
        case S_IFLNK:
            var target = [UInt8](repeating: 0, count: 4096)
            let count = target.withUnsafeMutableBytes {
                guard let buffer = $0.baseAddress else { return 0 }
                return readlink(path, buffer.assumingMemoryBound(to: CChar.self), $0.count)
            }
            return .link(to: Array(target.prefix(max(count, 0))))
        case S_IFREG:
            let file = try Descriptor(open(path, O_RDONLY | O_CLOEXEC))
            return .file(
                permissions: UInt32(status.st_mode & 0o7777), content: try readAll(file.number))
        default: return .other
        }
    }

    /// One line for each entry that the two do not share.
    public func differences(from expected: TreeListing) -> [String] {
        Set(entries.keys).union(expected.entries.keys).sorted().compactMap { path in
            let (mine, other) = (entries[path], expected.entries[path])
            return mine == other ? nil : "\(path): \(brief(mine)), not \(brief(other))"
        }
    }

    private func brief(_ entry: Entry?) -> String {
        switch entry {
        case nil: "missing"
        case .directory?: "a folder"
        case .other?: "something else"
        case .link(let target)?: "a link to \(printable(target))"
        case .file(let permissions, let content)?:
            "a file \(String(permissions, radix: 8)) of \(content.count) bytes "
                + "'\(printable(content.prefix(60)))'"
        }
    }
}

/// Bytes as text that a failure can show on one line.
public func printable(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes {
        if (0x20 ..< 0x7f).contains(byte), byte != UInt8(ascii: "\\") {
            text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            let digits = String(byte, radix: 16)
            text += "\\x" + (digits.count < 2 ? "0" : "") + digits
        }
    }
    return text
}
