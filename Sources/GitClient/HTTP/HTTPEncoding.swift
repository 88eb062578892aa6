import CDeflate

// How bytes are written into requests: gzip (RFC 1952) for bodies, base64 (RFC 4648) for passwords.

extension [UInt8] {
    /// The bytes as one gzip member; nil where memory is short, or it would not be smaller.
    var gzipped: [UInt8]? {
        guard let compressor = libdeflate_alloc_compressor(6) else { return nil }
        defer { libdeflate_free_compressor(compressor) }
        let room = count
        let packed = [UInt8](unsafeUninitializedCapacity: room) { buffer, size in
            size = withUnsafeBytes { bytes in
                libdeflate_gzip_compress(
                    compressor, bytes.baseAddress, bytes.count, buffer.baseAddress, room)
            }
        }
        return packed.isEmpty ? nil : packed
    }

    var base64: [UInt8] {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var encoded: [UInt8] = []
        encoded.reserveCapacity((count + 2) / 3 * 4)
        for start in stride(from: 0, to: count, by: 3) {
            let group = self[start ..< Swift.min(start + 3, count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0 ..< 4 {
                let isPadding = digit > group.count
                encoded.append(
                    isPadding ? UInt8(ascii: "=") : digits[bits >> (18 - 6 * digit) & 63])
            }
        }
        return encoded
    }
}
