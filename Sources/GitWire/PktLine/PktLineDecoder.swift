/// Takes a stream apart into pkt-lines, however it is cut into chunks.
///
/// Push a chunk, then take lines until there is none:
///
///     decoder.push(chunk)
///     while let line = try decoder.next() { … }
///
/// A line that lies whole in one chunk is handed out as a slice of that chunk, uncopied; one that
/// crosses chunks is copied once. No more than one line is held back, and nothing is allocated for a
/// length that was only announced. After a throw the stream is lost: the decoder is of no more use.
public struct PktLineDecoder: Sendable {
    /// Where the next byte to be read stands in the stream.
    public private(set) var offset: UInt64 = 0
    /// Where the line that was begun last begins, its header with it.
    private(set) var lineStart: UInt64 = 0

    /// Pushed and not yet read.
    private var chunk: ArraySlice<UInt8> = []
    /// The start of a header or payload whose end has not come yet.
    private var held: [UInt8] = []
    /// What is still to be read of the payload of the line whose header was read.
    private(set) var payloadLeft: Int?

    public init() {}

    /// Gives it the next bytes of the stream.
    ///
    /// What was pushed before should have been taken first: else it is copied.
    public mutating func push(_ bytes: [UInt8]) {
        if chunk.isEmpty { chunk = bytes[...] } else { chunk += bytes }
    }

    /// The next whole line, or nil if its end has not been pushed yet.
    ///
    /// - Throws: ``WireError/Code/malformed`` for a length that is none.
    public mutating func next() throws(WireError) -> PktLine? {
        guard let frame = try nextFrame() else { return nil }
        switch frame {
        case .flush: return .flush
        case .delim: return .delim
        case .responseEnd: return .responseEnd
        case .data: return wholePayload().map { .data($0) }
        }
    }

    /// Whether the stream may end here: no line has been begun, nothing is left to take.
    public var isBetweenLines: Bool { payloadLeft == nil && held.isEmpty && chunk.isEmpty }

    /// - Throws: ``WireError/Code/truncated`` where the stream ended within a line.
    func checkBetweenLines() throws(WireError) {
        guard isBetweenLines else { throw .truncated("the rest of the pkt-line at byte \(offset)") }
    }

    // MARK: by header and payload

    enum Frame { case data, flush, delim, responseEnd }

    /// The header of the line that is at hand; once for as long as its payload is not read whole.
    mutating func nextFrame() throws(WireError) -> Frame? {
        if payloadLeft != nil { return .data }
        let start = offset
        guard let header = take(PktLine.headerLength) else { return nil }
        lineStart = start
        guard let length = Self.length(header) else {
            throw .malformed("'\(Self.shown(header))' is no pkt-line length", at: start)
        }
        switch length {
        case 0: return .flush
        case 1: return .delim
        case 2: return .responseEnd
        case PktLine.headerLength ... PktLine.maximumPayload + PktLine.headerLength:
            payloadLeft = length - PktLine.headerLength
            return .data
        default:
            throw .malformed("'\(Self.shown(header))' is no pkt-line length", at: start)
        }
    }

    /// All that is left of this line's payload, or nil if some of it has not been pushed yet.
    mutating func wholePayload() -> ArraySlice<UInt8>? {
        guard let left = payloadLeft, let payload = take(left) else { return nil }
        payloadLeft = nil
        return payload
    }

    /// The next byte of this line's payload, or nil if it has not been pushed yet or there is none.
    mutating func payloadByte() -> UInt8? {
        guard let left = payloadLeft, left > 0, let byte = take(1)?.first else { return nil }
        payloadLeft = left - 1
        return byte
    }

    /// As much of this line's payload as has been pushed, uncopied; nil if that is nothing though
    /// something is to come. An empty piece only where there is no more.
    mutating func payloadPiece() -> ArraySlice<UInt8>? {
        guard let left = payloadLeft else { return nil }
        let piece = takeUpTo(left)
        if piece.isEmpty, left > 0 { return nil }
        payloadLeft = piece.count < left ? left - piece.count : nil
        return piece
    }

    /// What was pushed, whatever it is: the stream is no longer pkt-lines.
    mutating func rest() -> ArraySlice<UInt8> { takeUpTo(.max) }

    /// Exactly `count` bytes, or nil with what there is of them put by.
    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        if held.isEmpty, chunk.count >= count { return takeUpTo(count) }
        let missing = min(count - held.count, chunk.count)
        held.append(contentsOf: chunk.prefix(missing))
        chunk = chunk.dropFirst(missing)
        guard held.count == count else { return nil }
        defer { held = [] }
        offset += UInt64(count)
        return held[...]
    }

    private mutating func takeUpTo(_ count: Int) -> ArraySlice<UInt8> {
        let piece = chunk.prefix(count)
        chunk = chunk.dropFirst(piece.count)
        offset += UInt64(piece.count)
        return piece
    }

    private static func length(_ digits: ArraySlice<UInt8>) -> Int? {
        var value = 0
        for digit in digits {
            switch digit {
            case 0x30 ... 0x39: value = value << 4 | Int(digit &- 0x30)
            case 0x61 ... 0x66: value = value << 4 | Int(digit &- 0x57)
            case 0x41 ... 0x46: value = value << 4 | Int(digit &- 0x37)
            default: return nil
            }
        }
        return value
    }

    private static func shown(_ bytes: ArraySlice<UInt8>) -> String { WireLine.shown(bytes) }
}
