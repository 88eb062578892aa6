internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The file that a pack is received into; or one that is there already and only read.
final class PackFile {
    /// Where it is: what ``install(as:)`` gave it, once called.
    private(set) var path: ByteString
    private let file: File
    private let isTemporary: Bool
    private var isInstalled = false
    private var size: UInt64 = 0

    init(temporaryIn directory: ByteString) throws(StoreError) {
        file = try FileSystem.createTemporary(in: directory, prefix: "tmp_pack_")
        path = file.path
        isTemporary = true
    }

    init(existing path: ByteString) throws(StoreError) {
        file = try File(path, O_RDONLY)
        self.path = path
        isTemporary = false
    }

    deinit {
        if isTemporary, !isInstalled { _ = path.withCString { unlink($0) } }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        if isTemporary { try file.write(bytes, at: size) }
        size += UInt64(bytes.count)
    }

    /// Where the trailer begins.
    func end(_ format: ObjectFormat) -> UInt64 { size - UInt64(format.byteCount) }

    /// Adds an entry in front of the trailer, which must be made anew afterwards; says where it begins.
    func appendEntry(_ bytes: [UInt8], _ format: ObjectFormat) throws(StoreError) -> UInt64 {
        let offset = end(format)
        try bytes.withStoreBytes { buffer throws(StoreError) in
            try file.write(buffer, at: offset)
        }
        size += UInt64(bytes.count)
        return offset
    }

    /// Writes the header and the trailer for a changed number of entries; says the new trailer.
    func rewriteEnds(entryCount: UInt32, _ format: ObjectFormat) throws(StoreError) -> ObjectID {
        try PackHeader.encode(entryCount: entryCount).withStoreBytes { buffer throws(StoreError) in
            try file.write(buffer, at: 0)
        }
        let reader = try PackReader(path)
        var hasher = PlainHasher(format)
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { chunk.deallocate() }
        var position: UInt64 = 0
        while position < end(format) {
            let count = Int(min(UInt64(chunk.count), end(format) - position))
            let part = UnsafeMutableRawBufferPointer(rebasing: chunk[..<count])
            try reader.read(into: part, at: position)
            hasher.update(UnsafeRawBufferPointer(part))
            position += UInt64(count)
        }
        let trailer = hasher.finalize()
        try trailer.rawBytes.withStoreBytes { buffer throws(StoreError) in
            try file.write(buffer, at: end(format))
        }
        return trailer
    }

    /// Makes it last, and gives it its name.
    func install(as path: ByteString, isSynced: Bool = true) throws(StoreError) {
        if isSynced { try file.sync() }
        guard fchmod(file.descriptor, FileSystem.underUmask(0o444)) == 0 else {
            throw .system("chmod", self.path)
        }
        try FileSystem.rename(self.path, to: path)
        self.path = path
        isInstalled = true
    }
}
