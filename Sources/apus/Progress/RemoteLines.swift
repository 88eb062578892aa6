import GitCore

/// The server's own words (side-band 2), which come in pieces, made into lines that begin with
/// `remote: `.
struct RemoteLines {
    /// A line longer than this is shown in pieces.
    static let maximumLine = 8_192

    private var line: [UInt8] = []
    /// Clears what an earlier, longer line left behind.
    private let suffix: String

    init(isTerminal: Bool) { suffix = isTerminal ? "\u{1b}[K" : "        " }

    /// What can be shown now that `text` came: whole lines.
    mutating func feed(_ text: [UInt8]) -> String {
        var out = ""
        for byte in text {
            switch byte {
            case UInt8(ascii: "\n"): out += end("\n")
            case UInt8(ascii: "\r"): out += end("\r")
            default:
                line.append(byte)
                if line.count == Self.maximumLine { out += end("\n") }
            }
        }
        return out
    }

    /// What was not ended by the server.
    mutating func finish() -> String { line.isEmpty ? "" : end("\n") }

    private mutating func end(_ terminator: String) -> String {
        defer { line = [] }
        let text = ByteString(line).printable(keeping: [UInt8(ascii: "\t")])
        return "remote: " + text + (line.isEmpty ? "" : suffix) + terminator
    }
}
