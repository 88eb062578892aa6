import GitCore
import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The folder with a file for each answer:
///
///     answers/0123456789abcdef       whole: its serial number in hex, 16 digits
///     answers/0123456789abcdef.new   being written
///
/// For this user only. What else may be in it is left alone.
struct AnswerFolder: Sendable {
    private let path: ByteString

    private static let newSuffix: ByteString = ".new"
    private static let digits = 16

    init(_ path: ByteString) throws(StoreError) {
        self.path = path
        try PrivateFolder.create(path)
    }

    private func place(_ serial: UInt64) -> ByteString {
        let hex = String(serial, radix: 16)
        return path / ByteString(String(repeating: "0", count: Self.digits - hex.count) + hex)
    }

    private func newPlace(_ serial: UInt64) -> ByteString { place(serial) + Self.newSuffix }

    func create(_ serial: UInt64) throws(StoreError) -> File {
        try File(newPlace(serial), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    }

    /// Gives a file that is complete the name of a whole one.
    func complete(_ serial: UInt64) throws(StoreError) {
        try FileSystem.rename(newPlace(serial), to: place(serial))
    }

    func open(_ serial: UInt64) throws(StoreError) -> File {
        try File(place(serial), O_RDONLY | O_NOFOLLOW)
    }

    func remove(_ serial: UInt64) throws(StoreError) { try FileSystem.remove(place(serial)) }
    func removeNew(_ serial: UInt64) throws(StoreError) { try FileSystem.remove(newPlace(serial)) }

    /// Puts on the disk which files there are.
    func sync() throws(StoreError) { try File(path, O_RDONLY | O_DIRECTORY).sync() }

    /// Bytes that this user can still write to the file system; nil where it does not say.
    var freeBytes: UInt64? { DiskSpace(path)?.free }

    /// The whole files with their sizes by serial number, and the serial numbers of those that were
    /// being written.
    func list() throws(StoreError) -> (whole: [UInt64: UInt64], new: [UInt64]) {
        try Self.list(path)
    }

    /// The same of a folder that another process may have.
    static func list(
        _ path: ByteString
    ) throws(StoreError) -> (whole: [UInt64: UInt64], new: [UInt64]) {
        var whole: [UInt64: UInt64] = [:]
        var new: [UInt64] = []
        for name in try FileSystem.list(path) {
            let isNew = name.hasSuffix(newSuffix)
            let digits = isNew ? name.dropLast(newSuffix.count) : name
            guard let serial = serial(digits),
                let status = FileSystem.status(path / name, followLinks: false)
            else { continue }
            if isNew {
                new.append(serial)
            } else {
                let isFile = status.st_mode & S_IFMT == S_IFREG
                whole[serial] = isFile ? UInt64(clamping: status.st_size) : .max
            }
        }
        return (whole, new)
    }

    private static func serial(_ name: ByteString) -> UInt64? {
        guard name.count == digits else { return nil }
        var serial: UInt64 = 0
        for byte in name.bytes {
            switch byte {
            case UInt8(ascii: "0") ... UInt8(ascii: "9"): serial = serial << 4 | UInt64(byte - 48)
            case UInt8(ascii: "a") ... UInt8(ascii: "f"): serial = serial << 4 | UInt64(byte - 87)
            default: return nil
            }
        }
        return serial
    }
}

/// A folder for this user only.
enum PrivateFolder {
    /// Makes it, if it is not there. One that is there, its owner has made as it is to be.
    static func create(_ path: ByteString) throws(StoreError) {
        if path.withCString({ mkdir($0, 0o700) }) == 0 { return }
        guard errno == EEXIST, FileSystem.isDirectory(path) else {
            throw .system("create directory", path)
        }
    }
}
