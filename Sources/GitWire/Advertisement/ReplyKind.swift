import GitCore

/// What a reply to `info/refs?service=…` is, by its first bytes (gitprotocol-http).
enum ReplyKind: Equatable {
    /// pkt-lines: `001e# service=…`, `000eversion 2` or `....ERR …`.
    case smart
    /// `<oid> TAB refs/…`, the listing of a dumb-HTTP repository.
    case dumb
    case webPage
    case empty
    case unknown

    /// nil where `start` is too short to tell, unless nothing follows it.
    init?(_ start: [UInt8], isWhole: Bool) {
        if start.count >= 5 {
            if Self.isSmart(start) {
                self = .smart
                return
            }
        } else if !isWhole {
            return nil
        }
        guard isWhole || start.count >= WireLimits.bytesToRecognise else { return nil }
        self = Self.other(start)
    }

    private static func isSmart(_ start: [UInt8]) -> Bool {
        start.prefix(4).allSatisfy(isHexDigit) && "#vE".utf8.contains(start[4])
    }

    private static func other(_ start: [UInt8]) -> ReplyKind {
        if start.isEmpty { return .empty }
        let digits = start.prefix(while: isHexDigit).count
        if ObjectFormat.allCases.contains(where: { $0.hexCount == digits }),
            start.dropFirst(digits).first == 0x09
        {
            return .dumb
        }
        let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
        let text = start.starts(with: byteOrderMark) ? start[3...] : start[...]
        return text.first(where: { $0 > 0x20 }) == 0x3c ? .webPage : .unknown
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30 ... 0x39).contains(byte) || (0x61 ... 0x66).contains(byte)
            || (0x41 ... 0x46).contains(byte)
    }

    /// What to tell a person whose URL answers so.
    func error(_ start: [UInt8]) -> WireError {
        let reason =
            switch self {
            case .smart: "the server's answer ended early"
            case .dumb:
                "the repository is served as plain files (dumb HTTP), which is not supported"
            case .webPage: "the answer is a web page: is this the URL of a repository?"
            case .empty: "the answer is empty"
            case .unknown: "the answer starts with '\(WireLine.shown(start[...]))'"
            }
        return WireError(.notSmart, "not a smart Git server: \(reason)")
    }
}
