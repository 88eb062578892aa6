import CDeflate

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

struct Failure: Error {
    let message: String
    init(_ message: String) { self.message = message }
}

/// An entry of a pack: where its stream begins, and the sizes that say what it costs.
struct PackEntry {
    /// Of the first byte of the zlib stream.
    let stream: Int
    /// Bytes that the stream inflates to: the object, or the delta.
    let inflated: Int
    /// Bytes of the object: those of the stream, or what the delta makes.
    let unpacked: Int
    let isDelta: Bool
}

/// A pack in memory (gitformat-pack, "Pack-*.pack files have the following format"):
///
///     "PACK", version (4), number of entries (4), then each entry, then a checksum (20)
///     entry: kind and size (3 bits of kind in the first byte; 7 bits a byte, low first),
///            for kind 6 an offset (7 bits a byte), for kind 7 an id (20), a zlib stream
///     delta: size of the base, size of the object (7 bits a byte, low first), instructions
struct MappedPack {
    /// The largest entry that is taken: more would not be held in memory by an engine either.
    static let largestEntry = 4 << 30

    let bytes: UnsafeRawBufferPointer

    init(path: String) throws(Failure) {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { throw Failure("cannot open \(path)") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_size >= 32 else {
            throw Failure("\(path) is no pack")
        }
        let size = Int(status.st_size)
        guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0), base != MAP_FAILED else {
            throw Failure("cannot map \(path)")
        }
        // SAFETY: `size` bytes are mapped and stay so until the process ends.
        bytes = UnsafeRawBufferPointer(start: base, count: size)
        guard bytes.prefix(4).elementsEqual("PACK".utf8) else {
            throw Failure("\(path) is no pack")
        }
    }

    /// All entries in the order of the pack: inflates each to learn where the next begins.
    func entries() throws(Failure) -> [PackEntry] {
        let count = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        let inflater = try Inflater()
        var entries: [PackEntry] = []
        var position = 12
        for _ in 0 ..< count {
            let header = try header(at: &position)
            let (output, used) = try inflater.inflate(bytes, at: position, size: header.size)
            var unpacked = header.size
            if header.isDelta {
                var start = 0
                _ = try Self.size(output, &start)
                unpacked = try Self.size(output, &start)
            }
            guard unpacked <= Self.largestEntry else { throw Failure("an object is too large") }
            entries.append(
                PackEntry(
                    stream: position, inflated: header.size, unpacked: unpacked,
                    isDelta: header.isDelta))
            position += used
        }
        return entries
    }

    /// Leaves `position` at the stream.
    private func header(at position: inout Int) throws(Failure) -> (size: Int, isDelta: Bool) {
        var byte = try byte(at: &position)
        let kind = byte >> 4 & 7
        var size = Int(byte & 15)
        var shift = 4
        while byte & 0x80 != 0 {
            guard shift < 40 else { throw Failure("an entry is too large") }
            byte = try self.byte(at: &position)
            size |= Int(byte & 0x7f) << shift
            shift += 7
        }
        guard size <= Self.largestEntry else { throw Failure("an entry is too large") }
        switch kind {
        case 6: while try self.byte(at: &position) & 0x80 != 0 {}
        case 7: for _ in 0 ..< 20 { _ = try self.byte(at: &position) }
        default: break
        }
        return (size, kind == 6 || kind == 7)
    }

    /// A byte of the entries, which the checksum of 20 bytes follows.
    private func byte(at position: inout Int) throws(Failure) -> UInt8 {
        guard position < bytes.count - 20 else { throw Failure("the pack ends early") }
        defer { position += 1 }
        return bytes[position]
    }

    /// A size at the start of a delta.
    private static func size(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int
    ) throws(Failure) -> Int {
        var size = 0
        var shift = 0
        while position < bytes.count, shift < 56 {
            let byte = bytes[position]
            position += 1
            size |= Int(byte & 0x7f) << shift
            shift += 7
            if byte & 0x80 == 0 { return size }
        }
        throw Failure("a delta has no size")
    }
}

/// libdeflate and one buffer, used again for every entry.
final class Inflater {
    private let decompressor: OpaquePointer
    private var output = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    init() throws(Failure) {
        guard let decompressor = libdeflate_alloc_decompressor() else {
            throw Failure("out of memory")
        }
        self.decompressor = decompressor
    }

    deinit {
        libdeflate_free_decompressor(decompressor)
        output.deallocate()
    }

    /// Makes the buffer at least so large.
    func reserve(_ size: Int) {
        guard output.count < size || output.baseAddress == nil else { return }
        output.deallocate()
        output = .allocate(byteCount: max(size, 1), alignment: 64)
    }

    /// What the stream at `start` inflates to, valid until the next call, and the bytes it took.
    func inflate(
        _ pack: UnsafeRawBufferPointer, at start: Int, size: Int
    ) throws(Failure) -> (output: UnsafeRawBufferPointer, used: Int) {
        reserve(size)
        var used = 0
        guard let input = pack.baseAddress, let buffer = output.baseAddress,
            libdeflate_zlib_decompress_ex(
                decompressor, input + start, pack.count - start, buffer, size, &used, nil)
                == LIBDEFLATE_SUCCESS
        else { throw Failure("the stream at \(start) does not inflate to \(size) bytes") }
        return (UnsafeRawBufferPointer(start: buffer, count: size), used)
    }
}
