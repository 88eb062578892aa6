// A loose object is a file objects/ab/cdef…, named by its id, that holds one zlib stream of
//
//     <kind> SP <size in decimal> NUL <content>

internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The objects of a store that have a file each.
struct LooseStore: Sendable {
    let directory: ByteString
    let format: ObjectFormat
    /// Largest object that is read whole, in bytes.
    static let largest: UInt64 = 1 << 32

    func path(_ oid: ObjectID) -> ByteString {
        let hex = ByteString(oid.hexBytes)
        return directory / ByteString(hex.bytes[..<2]) / hex.dropFirst(2)
    }

    func contains(_ oid: ObjectID) -> Bool { FileSystem.exists(path(oid)) }

    /// nil where there is no such file.
    private func open(_ oid: ObjectID) throws(StoreError) -> MappedFile? {
        do throws(StoreError) { return try MappedFile(path(oid)) } catch
            where error.code == .notFound
        {
            return nil
        }
    }

    func header(_ oid: ObjectID) throws(StoreError) -> (kind: ObjectKind, size: UInt64)? {
        guard let file = try open(oid) else { return nil }
        let header = try front(oid, file)
        return (header.kind, header.size)
    }

    func read(_ oid: ObjectID) throws(StoreError) -> GitObject? {
        if let object = LooseReader.withShared({ $0.read(oid, in: self) }) { return object }
        return try readLarge(oid)
    }

    /// The same of an object of any size; says what is wrong with one that is damaged.
    private func readLarge(_ oid: ObjectID) throws(StoreError) -> GitObject? {
        guard let file = try open(oid) else { return nil }
        let header = try front(oid, file)
        guard header.size <= Self.largest, header.size / 1_032 <= UInt64(file.count) else {
            throw StoreError(
                .limit, "loose object \(oid) of \(header.size) bytes is too large to hold")
        }
        let total = header.length + Int(header.size)
        let content = [UInt8](unsafeUninitializedCapacity: total) { buffer, count in
            let output = UnsafeMutableRawBufferPointer(
                rebasing: UnsafeMutableRawBufferPointer(buffer)[..<total])
            // Nothing may follow the stream.
            let done = Inflater.withShared { $0.inflate(file.unsafeBytes, into: output) }
            count = done == file.count ? total : 0
        }
        guard content.count == total else { throw corrupt(oid, "corrupt zlib stream") }
        let object = GitObject(kind: header.kind, content: Array(content[header.length...]))
        guard try identify(object, format) == oid else { throw corrupt(oid, "its hash is another") }
        return object
    }

    /// Hands the content over piece by piece; false where there is no such object. That its bytes are
    /// those of its id is known at the end.
    func stream(
        _ oid: ObjectID, _ sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws(StoreError) -> Bool {
        guard let file = try open(oid) else { return false }
        let header = try front(oid, file)
        let total = UInt64(header.length).addingReportingOverflow(header.size)
        guard !total.overflow else { throw corrupt(oid, "malformed size") }
        let stream = InflateStream()
        var hasher = ObjectHasher(format)
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { chunk.deallocate() }
        var (position, produced) = (0, 0 as UInt64)
        while !stream.isFinished {
            let input = UnsafeRawBufferPointer(
                rebasing: file.unsafeBytes[position...].prefix(1 << 20))
            let step: (consumed: Int, produced: Int)
            do throws(ParseError) { step = try stream.inflate(input, into: chunk) } catch {
                throw corrupt(oid, error.reason)
            }
            guard step != (0, 0) || stream.isFinished,
                UInt64(step.produced) <= total.partialValue - produced
            else {
                throw corrupt(oid, "corrupt zlib stream")
            }
            hasher.update(UnsafeRawBufferPointer(rebasing: chunk[..<step.produced]))
            let skipped = min(
                step.produced,
                Int(clamping: UInt64(header.length) &- min(UInt64(header.length), produced)))
            produced += UInt64(step.produced)
            file.forget(UnsafeRawBufferPointer(rebasing: input.prefix(step.consumed)))
            position += step.consumed
            do {
                try sink(UnsafeRawBufferPointer(rebasing: chunk[skipped ..< step.produced]))
            } catch {
                throw (error as? StoreError) ?? StoreError(.system, "\(error)", cause: error)
            }
        }
        guard produced == total.partialValue, position == file.count else {
            throw corrupt(oid, "wrong size")
        }
        let actual: ObjectID
        do throws(CollisionError) { actual = try hasher.finalize() } catch {
            throw StoreError(.collision, "\(error)", cause: error)
        }
        guard actual == oid else { throw corrupt(oid, "its hash is another") }
        return true
    }

    private func front(_ oid: ObjectID, _ file: MappedFile) throws(StoreError) -> LooseHeader {
        var bytes = [UInt8](repeating: 0, count: LooseHeader.longest)
        do throws(ParseError) {
            var output = bytes.mutableSpan
            let step = try output.withUnsafeMutableBytes { output throws(ParseError) in
                try InflateStream().inflate(file.unsafeBytes, into: output)
            }
            return try LooseHeader(parsing: bytes.span.extracting(..<step.produced))
        } catch {
            throw corrupt(oid, error.reason)
        }
    }

    private func corrupt(_ oid: ObjectID, _ reason: String) -> StoreError {
        StoreError(.corrupt, "loose object \(oid) is corrupt: \(reason)")
    }

    // MARK: Writing

    /// Stores an object whose id is known; one that is there already stays as it is.
    ///
    /// - Parameter isSynced: false where the caller puts many objects on the disk at once.
    func write(
        _ oid: ObjectID, _ kind: ObjectKind, _ content: UnsafeRawBufferPointer,
        isSynced: Bool = true
    ) throws(StoreError) {
        let whole = kind.header(size: UInt64(content.count)) + content
        let stream = try whole.span.withUnsafeBytes { bytes throws(StoreError) in
            try Deflater(level: 1).deflate(bytes)
        }
        try place(oid, isSynced: isSynced) { file throws(StoreError) in try file.write(stream) }
    }

    /// Stores what `fill` writes to a new file as the object `oid`.
    func place(
        _ oid: ObjectID, isSynced: Bool = true,
        _ fill: (borrowing File) throws(StoreError) -> Void
    ) throws(StoreError) {
        let path = path(oid)
        guard !FileSystem.exists(path) else { return }
        let folder = path.dropLast(oid.format.hexCount - 1)
        try FileSystem.createDirectory(folder)
        let file = try FileSystem.createTemporary(in: folder, prefix: "tmp_obj_")
        do throws(StoreError) {
            try fill(file)
            if isSynced { try file.sync() }
            guard fchmod(file.descriptor, FileSystem.underUmask(0o444)) == 0 else {
                throw .system("chmod", file.path)
            }
            try FileSystem.rename(file.path, to: path)
        } catch {
            try? FileSystem.remove(file.path)
            throw error
        }
    }

    // MARK: Listing

    /// The ids of all loose objects, or of those whose first byte is `first`, in no order.
    func oids(firstByte: UInt8? = nil) throws(StoreError) -> [ObjectID] {
        var found: [ObjectID] = []
        let folders =
            if let firstByte { [ByteString(ObjectID.hex(firstByte))] } else { try names(in: "") }
        for folder in folders where folder.count == 2 {
            for name in try names(in: folder) {
                if let oid = ObjectID(hex: folder + name), oid.format == format {
                    found.append(oid)
                }
            }
        }
        return found
    }

    /// What is in a folder; nothing where it is no folder, or was removed by now.
    private func names(in folder: ByteString) throws(StoreError) -> [ByteString] {
        let path = folder.isEmpty ? directory : directory / folder
        do throws(StoreError) { return try FileSystem.list(path) } catch
            where error.code == .notFound
        {
            return []
        }
    }
}

extension ObjectID {
    /// One byte in hex.
    fileprivate static func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}

/// The id of an object in memory.
func identify(_ object: GitObject, _ format: ObjectFormat) throws(StoreError) -> ObjectID {
    do throws(CollisionError) {
        return try ObjectHasher.hash(object.kind, object.content, format)
    } catch {
        throw StoreError(.collision, "\(error)", cause: error)
    }
}
