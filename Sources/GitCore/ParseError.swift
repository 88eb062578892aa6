/// What a parser throws: what was wrong, and at which byte of its input.
///
/// Parsers of formats throw only this; the module that did the I/O wraps it in its own error, which
/// names the file or the URL.
public struct ParseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was found or missing, in a few words that fit after "at byte 12: ".
    public let reason: String
    /// Offset of the fault from the start of the parser's input, in bytes.
    public let offset: UInt64

    public init(_ reason: String, at offset: UInt64) {
        self.reason = reason
        self.offset = offset
    }

    public init(_ reason: String, at offset: Int) {
        self.init(reason, at: UInt64(clamping: offset))
    }

    public var description: String { "\(reason) (at byte \(offset))" }
}
