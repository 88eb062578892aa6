internal import GitCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What a loose object begins with: see LooseStore.swift.
struct LooseHeader {
    let kind: ObjectKind
    /// Bytes of the content, as declared.
    let size: UInt64
    /// Bytes of the header, the NUL included.
    let length: Int

    /// Most bytes of a header.
    static let longest = 32

    init(parsing bytes: Span<UInt8>) throws(ParseError) {
        var cursor = ByteCursor(bytes)
        let name = ByteString(try cursor.read(until: 0x20))
        guard let kind = ObjectKind(name: name.bytes) else {
            throw ParseError("unknown kind of object", at: 0)
        }
        let digits = ByteString(try cursor.read(until: 0)).bytes
        guard !digits.isEmpty, digits.count == 1 || digits[0] != 0x30,
            digits.allSatisfy({ (0x30 ... 0x39).contains($0) }),
            let size = UInt64(String(decoding: digits, as: UTF8.self))
        else { throw ParseError("malformed size", at: name.count) }
        self.kind = kind
        self.size = size
        length = cursor.offset
    }
}

/// Reads loose objects that are small and sound, as most are, at the least cost. What it has nothing to
/// say of is for ``LooseStore`` to read. Used by one thread at a time.
final class LooseReader {
    private let inflater = Inflater()
    /// What a file holds; for the file of an object of ``largest`` bytes, and one byte more.
    private let file = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Inflater.compressedBound(largest) + 1, alignment: 16)
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: largest, alignment: 16)

    /// Bytes of an object, its header included, that fit for sure.
    static let largest = 1 << 20

    private struct Idle: @unchecked Sendable {
        // SAFETY: a reader in here is in nobody's hands.
        var readers: [LooseReader] = []
    }
    private static let idle = Mutex(Idle())

    /// Lends a reader.
    static func withShared<Result>(_ body: (LooseReader) -> Result) -> Result {
        let reader = idle.withLock { $0.readers.popLast() } ?? LooseReader()
        defer { idle.withLock { $0.readers.append(reader) } }
        return body(reader)
    }

    deinit {
        file.deallocate()
        room.deallocate()
    }

    /// Inflates what the file at `path` holds, header and content, to the start of `room`.
    ///
    /// - Returns: nil where there is no such file, it holds anything but an object to its end, or that
    ///   does not fit. Whether it is the object of that name is not looked at.
    func load(_ path: ByteString, into room: UnsafeMutableRawBufferPointer) -> LooseHeader? {
        guard let count = try? File(path, O_RDONLY).read(into: file, at: 0), count < file.count,
            let done = inflater.inflate(
                UnsafeRawBufferPointer(rebasing: file[..<count]), within: room),
            done.consumed == count
        else { return nil }
        let front = UnsafeRawBufferPointer(
            rebasing: room[..<min(done.produced, LooseHeader.longest)])
        let header = Result { () throws(ParseError) in
            try LooseHeader(parsing: Span(_unsafeBytes: front))
        }
        guard let header = try? header.get(), header.size == done.produced - header.length else {
            return nil
        }
        return header
    }

    /// The object `oid` of a store; nil where ``load(_:into:)`` says so, or it is another object.
    func read(_ oid: ObjectID, in store: LooseStore) -> GitObject? {
        guard let header = load(store.path(oid), into: room) else { return nil }
        let whole = UnsafeRawBufferPointer(rebasing: room[..<(header.length + Int(header.size))])
        var hasher = ObjectHasher(store.format)
        hasher.update(whole)
        guard let actual = try? hasher.finalize(), actual == oid else { return nil }
        return GitObject(kind: header.kind, content: Array(whole[header.length...]))
    }
}
