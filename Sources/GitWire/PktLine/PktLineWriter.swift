public import GitCore

/// Writes pkt-lines one after the other into ``bytes``.
public struct PktLineWriter: Sendable {
    /// What has been written.
    public private(set) var bytes: [UInt8] = []

    public init() {}

    /// A line with `payload` as it stands.
    ///
    /// - Throws: ``WireError/Code/limit`` where it has more than ``PktLine/maximumPayload`` bytes.
    public mutating func data(_ payload: some Collection<UInt8>) throws(WireError) {
        let count = payload.count
        try writeLength(count)
        bytes.append(contentsOf: payload)
    }

    /// A line of text: `keyword`, `value`, LF.
    ///
    /// - Throws: ``WireError/Code/invalid`` where `value` holds an LF or a NUL, which would let it
    ///   pass for something else; ``WireError/Code/limit`` as in ``data(_:)``.
    public mutating func line(_ keyword: String, _ value: ByteString = "") throws(WireError) {
        guard !value.bytes.contains(where: { $0 == 0x0a || $0 == 0 }) else {
            throw WireError(.invalid, "line break or NUL in '\(keyword)\(value)'")
        }
        let keyword = keyword.utf8
        try writeLength(keyword.count + value.count + 1)
        bytes.append(contentsOf: keyword)
        bytes.append(contentsOf: value.bytes)
        bytes.append(0x0a)
    }

    public mutating func flush() { bytes.append(contentsOf: "0000".utf8) }
    public mutating func delim() { bytes.append(contentsOf: "0001".utf8) }
    public mutating func responseEnd() { bytes.append(contentsOf: "0002".utf8) }

    private mutating func writeLength(_ payload: Int) throws(WireError) {
        guard payload <= PktLine.maximumPayload else {
            throw WireError(.limit, "\(payload) bytes do not fit in a pkt-line")
        }
        let length = payload + PktLine.headerLength
        for shift in [12, 8, 4, 0] {
            let digit = UInt8(truncatingIfNeeded: length >> shift & 15)
            bytes.append(digit < 10 ? digit &+ 0x30 : digit &+ 0x57)
        }
    }
}
