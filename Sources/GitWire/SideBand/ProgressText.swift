import GitCore

/// One line of what a server says of its progress.
public struct ProgressLine: Hashable, Sendable {
    /// Safe to print; without the line's end.
    public let text: String
    /// Whether the line stays: it ended in LF. One that ended in CR is to be written over by the
    /// next.
    public let stays: Bool

    public init(text: String, stays: Bool) {
        self.text = text
        self.stays = stays
    }
}

/// Puts the lines together that a server sends over side-band 2, however they are cut into packets.
///
/// A line ends at LF or CR. (CR LF gives the line, and then an empty one that stays: on a terminal
/// that is the line and a line feed.) Control characters are made visible, so that no server can
/// command the terminal; a tab is kept.
public struct ProgressText: Sendable {
    /// A longer line is cut into lines of this many bytes.
    public static let maximumLine = 4_096

    private var line: [UInt8] = []

    public init() {}

    /// The lines that end within `bytes`.
    public mutating func push(_ bytes: ArraySlice<UInt8>) -> [ProgressLine] {
        var lines: [ProgressLine] = []
        for byte in bytes {
            switch byte {
            case 0x0a: lines.append(take(stays: true))
            case 0x0d: lines.append(take(stays: false))
            default:
                line.append(byte)
                if line.count == Self.maximumLine { lines.append(take(stays: true)) }
            }
        }
        return lines
    }

    /// The last line, if it was not ended.
    public mutating func finish() -> ProgressLine? {
        line.isEmpty ? nil : take(stays: true)
    }

    private mutating func take(stays: Bool) -> ProgressLine {
        defer { line.removeAll(keepingCapacity: true) }
        return ProgressLine(text: ByteString(line).printable(keeping: [0x09]), stays: stays)
    }
}
