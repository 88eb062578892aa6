internal import GitCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// A pack file that is read by position.
final class PackReader: Sendable {
    private let file: File

    init(_ path: ByteString) throws(StoreError) { file = try File(path, O_RDONLY) }

    func size() throws(StoreError) -> UInt64 { try file.size() }

    /// The `count` bytes from `offset` on; the file must have that many.
    func read(_ count: Int, at offset: UInt64) throws(StoreError) -> [UInt8] {
        var failure: StoreError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(StoreError) {
                let part = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
                try read(into: part, at: offset)
                filled = count
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Fills `buffer` from `offset`; the file must have that much.
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(StoreError) {
        guard try file.read(into: buffer, at: offset) == buffer.count else {
            throw StoreError(.corrupt, "'\(file.path)' is shorter than it was")
        }
    }
}

/// Reads the entries of a pack that is being indexed. One a thread.
final class PackEntryReader {
    private let pack: PackReader
    private let table: PackEntryTable
    private let limits: PackLimits
    private let inflater = Inflater()
    private var compressed = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 1 << 16, alignment: 16)
    private var inflated = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)

    init(_ pack: PackReader, _ table: PackEntryTable, _ limits: PackLimits) {
        self.pack = pack
        self.table = table
        self.limits = limits
    }

    deinit {
        compressed.deallocate()
        inflated.deallocate()
    }

    /// The object of an entry that holds it in full.
    func whole(
        _ row: Int, _ kind: ObjectKind, _ pool: BufferPool
    ) throws(StoreError) -> HeldObject {
        defer { Self.shrink(&compressed) }
        let (header, stream) = try load(row)
        let object = try pool.take(row, kind, Int(header.size))
        try inflate(row, stream, object.room)
        return object
    }

    /// The delta of an entry; valid until the next call.
    func delta(_ row: Int) throws(StoreError) -> UnsafeRawBufferPointer {
        defer { Self.shrink(&compressed) }
        Self.shrink(&inflated)
        let (header, stream) = try load(row)
        let count = Int(header.size)
        Self.grow(&inflated, to: count)
        try inflate(row, stream, UnsafeMutableRawBufferPointer(rebasing: inflated[..<count]))
        return UnsafeRawBufferPointer(rebasing: inflated[..<count])
    }

    /// Reads an entry that must be small enough to hold.
    private func load(
        _ row: Int
    ) throws(StoreError) -> (header: PackEntryHeader, stream: UnsafeRawBufferPointer) {
        let start = table.offsets[row]
        let length = table.offsets[row + 1] - start
        let limit = limits.deltaObjectSize
        guard length <= limit else { throw tooLarge(row, length) }
        Self.grow(&compressed, to: Int(length))
        let bytes = UnsafeMutableRawBufferPointer(rebasing: compressed[..<Int(length)])
        try pack.read(into: bytes, at: start)
        let header: PackEntryHeader
        do throws(ParseError) {
            header = try PackEntryHeader(parsing: UnsafeRawBufferPointer(bytes), table.format)
        } catch { throw fault(row, error) }
        guard header.size <= limit else { throw tooLarge(row, header.size) }
        return (header, UnsafeRawBufferPointer(rebasing: bytes.dropFirst(header.length)))
    }

    private func inflate(
        _ row: Int, _ stream: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws(StoreError) {
        if inflater.inflate(stream, into: output) != nil { return }
        // zlib inflates some streams that libdeflate refuses; the first pass took this one.
        do throws(ParseError) {
            let step = try InflateStream().inflate(stream, into: output)
            guard step.produced == output.count else { throw ParseError("corrupt entry", at: 0) }
        } catch { throw fault(row, error) }
    }

    private func fault(_ row: Int, _ error: ParseError) -> StoreError {
        StoreError("pack entry at byte \(table.offsets[row])", error)
    }

    private func tooLarge(_ row: Int, _ size: UInt64) -> StoreError {
        StoreError(
            .limit,
            "pack entry at byte \(table.offsets[row]): \(size) bytes are too many to hold for a delta"
        )
    }

    /// Large buffers are let go of at once.
    private static func shrink(_ buffer: inout UnsafeMutableRawBufferPointer) {
        guard buffer.count > BufferPool.largestKept else { return }
        buffer.deallocate()
        buffer = .allocate(byteCount: 1 << 16, alignment: 16)
    }

    private static func grow(_ buffer: inout UnsafeMutableRawBufferPointer, to count: Int) {
        guard buffer.count < count else { return }
        buffer.deallocate()
        buffer = .allocate(byteCount: count + count / 4, alignment: 16)
    }
}
