internal import CDeflate
internal import CZlib
internal import GitCore
import Synchronization

/// Inflates zlib streams that are whole in memory, with libdeflate. Used by one thread at a time.
final class Inflater {
    private let decompressor: OpaquePointer?

    private struct Idle: @unchecked Sendable {
        // SAFETY: an inflater in here is in nobody's hands.
        var inflaters: [Inflater] = []
    }
    private static let idle = Mutex(Idle())

    /// Lends an inflater: making one costs more than inflating most objects.
    static func withShared<Result>(_ body: (Inflater) -> Result) -> Result {
        let inflater = idle.withLock { $0.inflaters.popLast() } ?? Inflater()
        defer { idle.withLock { $0.inflaters.append(inflater) } }
        return body(inflater)
    }

    init() { decompressor = libdeflate_alloc_decompressor() }

    deinit { libdeflate_free_decompressor(decompressor) }

    /// Inflates the stream at the start of `input` into exactly `output.count` bytes.
    ///
    /// - Returns: the bytes of `input` that the stream took; nil where `input` ends before the stream
    ///   does, is no zlib stream, or does not hold just `output.count` bytes. libdeflate does not tell
    ///   these apart; ``InflateStream`` does.
    func inflate(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard let decompressor else { return nil }
        var consumed = 0
        var nothing: UInt8 = 0
        let result = withUnsafeMutablePointer(to: &nothing) { spare in
            // SAFETY: libdeflate reads input.count and writes at most output.count bytes; for an
            // empty output it gets a pointer that it does not write to.
            libdeflate_zlib_decompress_ex(
                decompressor, input.baseAddress, input.count,
                output.baseAddress ?? UnsafeMutableRawPointer(spare), output.count, &consumed, nil)
        }
        return result == LIBDEFLATE_SUCCESS ? consumed : nil
    }

    /// Inflates the stream at the start of `input`, which may hold less than `output` has room for.
    ///
    /// - Returns: the bytes of `input` that the stream took, and those it holds; nil where it is no
    ///   whole zlib stream, or holds more.
    func inflate(
        _ input: UnsafeRawBufferPointer, within output: UnsafeMutableRawBufferPointer
    ) -> (consumed: Int, produced: Int)? {
        guard let decompressor, let start = output.baseAddress else { return nil }
        var (consumed, produced) = (0, 0)
        // SAFETY: libdeflate reads input.count and writes at most output.count bytes.
        let result = libdeflate_zlib_decompress_ex(
            decompressor, input.baseAddress, input.count, start, output.count, &consumed, &produced)
        return result == LIBDEFLATE_SUCCESS ? (consumed, produced) : nil
    }

    /// Bytes that a zlib stream of `size` bytes of content may take when any usual program made it.
    static func compressedBound(_ size: Int) -> Int { size + size / 512 + 64 }
}

/// Inflates a zlib stream piece by piece, with zlib: for what cannot be held in memory.
final class InflateStream {
    private var stream = z_stream()
    private var isReady = false
    private(set) var isFinished = false

    init() {
        isReady =
            inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit { if isReady { inflateEnd(&stream) } }

    /// Makes it ready for another stream.
    func reset() {
        isFinished = false
        if isReady { isReady = inflateReset(&stream) == Z_OK }
    }

    /// Inflates as much as both buffers allow.
    func inflate(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(ParseError) -> (consumed: Int, produced: Int) {
        guard isReady else { throw ParseError("no memory to inflate", at: 0) }
        let inputCount = UInt32(clamping: input.count)
        let outputCount = UInt32(clamping: output.count)
        // SAFETY: zlib reads next_in and writes next_out within the counts given here, both of them
        // only during this call.
        stream.next_in = UnsafeMutablePointer(
            mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = inputCount
        var spare: UInt8 = 0
        let result = withUnsafeMutablePointer(to: &spare) { spare in
            stream.next_out = output.bindMemory(to: UInt8.self).baseAddress ?? spare
            stream.avail_out = outputCount
            return CZlib.inflate(&stream, Z_NO_FLUSH)
        }
        switch result {
        case Z_STREAM_END: isFinished = true
        case Z_OK, Z_BUF_ERROR: break
        default: throw ParseError("corrupt zlib stream", at: 0)
        }
        return (Int(inputCount - stream.avail_in), Int(outputCount - stream.avail_out))
    }
}

/// Deflates whole buffers, with libdeflate. One a thread.
final class Deflater {
    private let compressor: OpaquePointer?

    /// - Parameter level: 1 (fast) to 12 (small).
    init(level: Int32 = 6) { compressor = libdeflate_alloc_compressor(level) }

    deinit { libdeflate_free_compressor(compressor) }

    /// A zlib stream of `content`.
    func deflate(_ content: UnsafeRawBufferPointer) throws(StoreError) -> [UInt8] {
        guard let compressor else { throw StoreError(.system, "no memory to deflate") }
        let bound = libdeflate_zlib_compress_bound(compressor, content.count)
        return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            count = libdeflate_zlib_compress(
                compressor, content.baseAddress, content.count, buffer.baseAddress, bound)
        }
    }
}

/// CRC-32 as an index stores it for each entry of a pack.
func crc32(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
    libdeflate_crc32(crc, bytes.baseAddress, bytes.count)
}
