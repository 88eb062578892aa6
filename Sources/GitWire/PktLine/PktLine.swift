// A pkt-line (gitprotocol-common, "pkt-line Format"):
//
//     4 hex digits    length of the whole line, these four included: 0004 to fff0 (65,520)
//     payload         length - 4 bytes of anything; lines of text usually end in LF
//
// and three lengths that stand alone, without payload:
//
//     0000            flush-pkt: end of a message
//     0001            delim-pkt: end of a section (version 2)
//     0002            response-end-pkt: end of a stateless answer (between git's own processes)
//
// 0003 has no meaning.

/// One pkt-line.
public enum PktLine: Hashable, Sendable {
    /// A payload of 0 to 65,516 bytes, any LF at its end included.
    case data(ArraySlice<UInt8>)
    /// 0000
    case flush
    /// 0001
    case delim
    /// 0002
    case responseEnd

    /// Most bytes that a pkt-line carries.
    public static let maximumPayload = 65_516
    static let headerLength = 4
}
