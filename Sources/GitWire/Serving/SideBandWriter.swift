public import GitCore

/// How a pack and what a server says besides are multiplexed (gitprotocol-capabilities, "side-band,
/// side-band-64k").
public enum SideBandSize: Sendable {
    /// Not: only the pack can be sent.
    case none
    /// `side-band`: packets of up to 1,000 bytes.
    case small
    /// `side-band-64k`: packets of up to 65,520 bytes.
    case large

    /// Most bytes of a packet besides its length and its band.
    var payload: Int {
        switch self {
        case .none: .max
        case .small: 1_000 - PktLine.headerLength - 1
        case .large: PktLine.maximumPayload - 1
        }
    }
}

/// Writes what is multiplexed: data, progress, the last words. Empty texts and pieces write nothing.
public struct SideBandWriter: Sendable {
    private enum Band: UInt8 {
        case data = 1
        case progress = 2
        case error = 3
    }

    /// Where it all goes; lines may be written between.
    public var lines = PktLineWriter()
    public let size: SideBandSize

    public init(_ size: SideBandSize) { self.size = size }

    /// Bytes that wait to be taken.
    public var count: Int { lines.bytes.count }

    public mutating func takeBytes() -> [UInt8] { lines.takeBytes() }

    /// Band 1; without side-band, the bytes as they are.
    public mutating func data(_ bytes: UnsafeRawBufferPointer) { write(.data, bytes) }

    /// Band 2: text for a person, as it is. Nothing without side-band.
    public mutating func progress(_ text: ByteString) {
        guard size != .none else { return }
        text.bytes.withUnsafeBytes { write(.progress, $0) }
    }

    /// Band 3: a fatal error, after which nothing follows; control characters but LF and tab are left
    /// out. Nothing without side-band.
    public mutating func error(_ text: ByteString) {
        guard size != .none else { return }
        let safe = text.bytes.filter { $0 >= 0x20 && $0 != 0x7f || $0 == 0x0a || $0 == 0x09 }
        safe.withUnsafeBytes { write(.error, $0) }
    }

    /// A sign of life: an empty packet of band 2. Nothing without side-band.
    public mutating func keepAlive() {
        guard size != .none else { return }
        lines.bytes.append("0005\u{02}")
    }

    /// The flush packet that ends it. Nothing without side-band.
    public mutating func end() {
        if size != .none { lines.flush() }
    }

    private mutating func write(_ band: Band, _ bytes: UnsafeRawBufferPointer) {
        // SAFETY: the caller's buffer is valid for this call, and is only read; any memory may be read
        // as UInt8.
        bytes.withMemoryRebound(to: UInt8.self) { bytes in
            guard size != .none else { return lines.bytes.append(contentsOf: bytes) }
            let packets = bytes.count / size.payload + 1
            lines.reserve(bytes.count + packets * (PktLine.headerLength + 1))
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count - start, size.payload) + start
                let packet = lines.beginPacket(band.rawValue)
                lines.bytes.append(
                    contentsOf: UnsafeBufferPointer(rebasing: bytes[start ..< end]))
                lines.endPacket(from: packet)
                start = end
            }
        }
    }
}

extension PktLineWriter {
    /// Makes room for `count` bytes more, and for as many again as there are: a series of these takes
    /// time in proportion to the bytes.
    fileprivate mutating func reserve(_ count: Int) {
        let needed = bytes.count + count
        if needed > bytes.capacity { bytes.reserveCapacity(max(needed, bytes.capacity * 2)) }
    }

    /// An `ERR` packet, in place of any answer or line of one, after which nothing follows
    /// (gitprotocol-pack, "pkt-line Format").
    ///
    /// Control characters in `text` become spaces; what does not fit is left out.
    public mutating func error(_ text: ByteString) {
        let start = beginPacket(nil)
        bytes.append("ERR ")
        bytes.append(contentsOf: text.withoutControls.bytes.prefix(PktLine.maximumPayload - 4))
        endPacket(from: start)
    }
}

extension ByteString {
    /// With a space in place of every control character: for a line of text in a packet.
    var withoutControls: ByteString {
        ByteString(bytes.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 })
    }
}
