public import GitCore

/// Writes pkt-lines one after the other into ``bytes``.
public struct PktLineWriter: Sendable {
    /// What has been written, and not taken.
    public internal(set) var bytes: [UInt8] = []
    /// The side-band that every line is put on, if any: its number stands before the line's payload.
    var band: UInt8?

    public init() {}

    /// A line with `payload` as it stands.
    ///
    /// - Throws: ``WireError/Code/limit`` where it has more than ``PktLine/maximumPayload`` bytes.
    public mutating func data(_ payload: some Collection<UInt8>) throws(WireError) {
        try packet { $0.append(contentsOf: payload) }
    }

    /// A line of text: `keyword`, `value`, LF.
    ///
    /// - Throws: ``WireError/Code/invalid`` where `value` holds an LF or a NUL, which would let it
    ///   pass for something else; ``WireError/Code/limit`` as in ``data(_:)``.
    public mutating func line(_ keyword: String, _ value: ByteString = "") throws(WireError) {
        try text(keyword, value, end: "\n")
    }

    /// As ``line(_:_:)``, with another end than LF.
    mutating func text(
        _ keyword: String, _ value: ByteString, end: StaticString
    ) throws(WireError) {
        guard !value.bytes.contains(where: { $0 == 0x0a || $0 == 0 }) else {
            throw WireError(.invalid, "line break or NUL in '\(keyword)\(value)'")
        }
        try packet {
            $0.append(contentsOf: keyword.utf8)
            $0.append(contentsOf: value.bytes)
            $0.append(end)
        }
    }

    public mutating func flush() { bytes.append("0000") }
    public mutating func delim() { bytes.append("0001") }
    public mutating func responseEnd() { bytes.append("0002") }

    /// Hands out what has been written, and goes on with nothing.
    public mutating func takeBytes() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    /// A line whose payload is what `write` appends.
    ///
    /// - Throws: as ``data(_:)``; nothing has been written then.
    mutating func packet(_ write: (inout [UInt8]) -> Void) throws(WireError) {
        let start = beginPacket()
        write(&bytes)
        let length = bytes.count - start
        guard length <= PktLine.maximumPayload + PktLine.headerLength else {
            bytes.removeSubrange(start...)
            throw WireError(
                .limit, "\(length - PktLine.headerLength) bytes do not fit in a pkt-line")
        }
        endPacket(from: start)
    }

    /// A line that always fits: an id between a few words.
    mutating func line(_ before: StaticString, _ oid: ObjectID, _ after: StaticString) {
        let start = beginPacket()
        bytes.append(before)
        oid.appendHex(to: &bytes)
        bytes.append(after)
        endPacket(from: start)
    }

    /// A line that always fits: a few words.
    mutating func words(_ words: StaticString) {
        let start = beginPacket()
        bytes.append(words)
        endPacket(from: start)
    }

    /// Begins a line whose payload is then appended to ``bytes``, and is known to fit; says where.
    mutating func beginPacket() -> Int { beginPacket(band) }

    mutating func beginPacket(_ band: UInt8?) -> Int {
        let start = bytes.count
        bytes.append("0000")
        if let band { bytes.append(band) }
        return start
    }

    /// Ends the line that was begun at `start`.
    mutating func endPacket(from start: Int) {
        let length = bytes.count - start
        bytes[start] = Self.digit(length >> 12)
        bytes[start + 1] = Self.digit(length >> 8)
        bytes[start + 2] = Self.digit(length >> 4)
        bytes[start + 3] = Self.digit(length)
    }

    /// The last of `value`'s hex digits.
    private static func digit(_ value: Int) -> UInt8 {
        let digit = UInt8(truncatingIfNeeded: value & 15)
        return digit < 10 ? digit &+ 0x30 : digit &+ 0x57
    }
}

extension [UInt8] {
    mutating func append(_ words: StaticString) {
        words.withUTF8Buffer { append(contentsOf: $0) }
    }
}
