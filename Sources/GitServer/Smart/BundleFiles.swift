internal import GitCore
internal import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The bundles that a repository's configuration lists and that lie in its git directory
/// (git-config, "bundle.<id>.uri"): a relative URI is relative to the repository's URL.
struct BundleFiles: Sendable {
    private let paths: Set<[ByteString]>

    /// Components that the path of a bundle in its repository may have.
    static let deepest = 8

    /// - Parameter entries: `bundle.*`, as they are advertised.
    init(_ entries: [(key: ByteString, value: ByteString)]) {
        paths = Set(entries.filter { $0.key.hasSuffix(".uri") }.compactMap { Self.path($0.value) })
    }

    /// The components of a relative URI; nil for one that leads elsewhere.
    private static func path(_ uri: ByteString) -> [ByteString]? {
        guard !uri.hasPrefix("/"), !uri.bytes.contains(UInt8(ascii: ":")),
            let target = RequestTarget(parsing: "/" + uri)
        else { return nil }
        return target.path
    }

    /// Opens one of them for reading, and says what fstat(2) does; nil for what is not listed, not a
    /// regular file, or reached by a symbolic link.
    func open(_ path: [ByteString], in directory: ByteString) -> (descriptor: Int32, status: stat)?
    {
        guard paths.contains(path), let name = path.last,
            var place = try? File(directory, O_RDONLY | O_DIRECTORY)
        else { return nil }
        for component in path.dropLast() {
            let next = Self.open(component, in: place.descriptor, O_DIRECTORY)
            guard next >= 0 else { return nil }
            place = File(adopting: next, path: component)
        }
        let descriptor = Self.open(name, in: place.descriptor, O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            closeDescriptor(descriptor)
            return nil
        }
        return (descriptor, status)
    }

    private static func open(_ name: ByteString, in directory: Int32, _ flags: Int32) -> Int32 {
        name.withCString { openat(directory, $0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags) }
    }
}
