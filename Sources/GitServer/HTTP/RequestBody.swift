internal import CZlib
internal import GitCore

/// What is wrong with the body of a request.
package enum BodyFault: Error {
    /// Not the compression that it says, or cut off.
    case malformed
    /// More than is allowed.
    case tooLarge
    case unknownCoding
    case ended
}

/// The body of a request, decompressed.
///
/// A small one that decompresses to a huge one is refused before it is: by how much it grows, and by
/// what the service has a use for.
package final class RequestBody {
    private let exchange: HTTPExchange
    private let maximum: UInt64
    private var inflater: BodyInflater?
    private var received: UInt64 = 0
    private var decoded: UInt64 = 0

    /// How much larger than itself a body may become, once it is past ``alwaysAllowed`` bytes. What a
    /// client asks for is ids in hex, which no compression halves much more than once; a pack does not
    /// shrink at all.
    private static let maximumRatio: UInt64 = 100
    private static let alwaysAllowed: UInt64 = 1 << 20

    /// - Parameter maximum: bytes, decompressed.
    package init(_ exchange: HTTPExchange, maximum: UInt64) throws(BodyFault) {
        self.exchange = exchange
        self.maximum = maximum
        let codings = exchange.head.headers.value("content-encoding")?.bytes.map(\.lowercased)
        switch codings.map({ ByteString($0) }) {
        case nil, "identity": break
        case "gzip", "x-gzip": inflater = BodyInflater()
        default: throw .unknownCoding
        }
    }

    /// The next bytes, at most some hundred kilobytes; nil at the end.
    package func next() throws(BodyFault) -> [UInt8]? {
        while true {
            if let piece = try inflater?.next() { return try counted(piece) }
            let piece: [UInt8]?
            do throws(ExchangeEnded) { piece = try exchange.read() } catch { throw .ended }
            guard let piece else {
                if let inflater, !inflater.isFinished { throw .malformed }
                return nil
            }
            received += UInt64(piece.count)
            guard inflater != nil else { return try counted(piece) }
            try inflater?.push(piece)
        }
    }

    /// All of it.
    package func all() throws(BodyFault) -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try next() { bytes += piece }
        return bytes
    }

    private func counted(_ piece: [UInt8]) throws(BodyFault) -> [UInt8] {
        decoded += UInt64(piece.count)
        let isBomb =
            inflater != nil && decoded > Self.alwaysAllowed
            && decoded / Self.maximumRatio > received
        guard decoded <= maximum, !isBomb else { throw .tooLarge }
        return piece
    }
}

/// Decompresses gzip (RFC 1952), piece by piece.
private final class BodyInflater {
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let isReady: Bool
    private var input: [UInt8] = []
    private var taken = 0
    private(set) var isFinished = false

    private static let portion = 64 << 10
    /// zlib: a window of 32 KiB, and gzip's head and trailer.
    private static let gzipWindow: Int32 = 15 + 16

    init() {
        stream.initialize(to: z_stream())
        isReady =
            inflateInit2_(
                stream, Self.gzipWindow, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit {
        if isReady { inflateEnd(stream) }
        stream.deallocate()
    }

    /// Gives it the next bytes; what was pushed before has been taken.
    func push(_ piece: [UInt8]) throws(BodyFault) {
        guard isReady, !isFinished || piece.isEmpty else { throw .malformed }
        input = piece
        taken = 0
    }

    /// The next decompressed bytes; nil where more have to be pushed.
    package func next() throws(BodyFault) -> [UInt8]? {
        guard taken < input.count, !isFinished else {
            guard taken == input.count else { throw .malformed }
            return nil
        }
        var code = Z_OK
        let output = [UInt8](unsafeUninitializedCapacity: Self.portion) { output, count in
            input.withUnsafeMutableBufferPointer { input in
                stream.pointee.next_in = input.baseAddress.map { $0 + taken }
                stream.pointee.avail_in = UInt32(input.count - taken)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                code = inflate(stream, Z_NO_FLUSH)
                taken = input.count - Int(stream.pointee.avail_in)
                count = output.count - Int(stream.pointee.avail_out)
            }
        }
        switch code {
        case Z_OK: break
        case Z_STREAM_END: isFinished = true
        case Z_BUF_ERROR where output.isEmpty && taken == input.count: return nil
        default: throw .malformed
        }
        return output.isEmpty ? (taken < input.count ? try next() : nil) : output
    }
}
