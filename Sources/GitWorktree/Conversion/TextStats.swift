/// What a file's bytes look like: by these counts Git guesses whether it is text.
///
/// Fed in any pieces; a CR and its LF may be in two.
struct TextStats: Hashable, Sendable {
    private(set) var nul = 0
    private(set) var loneCR = 0
    private(set) var loneLF = 0
    private(set) var crlf = 0
    private var printable = 0
    private var nonPrintable = 0
    /// The byte before; a CR in it is not counted yet.
    private var previous: UInt8 = 0

    init() {}

    init(_ content: [UInt8]) {
        content.withUnsafeBytes { update($0) }
        finish()
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            if previous == 0x0d, byte != 0x0a { loneCR &+= 1 }
            switch byte {
            case 0x0a: if previous == 0x0d { crlf &+= 1 } else { loneLF &+= 1 }
            case 0x0d: break
            case 0x20 ..< 0x7f, 0x80 ... 0xff, 0x08, 0x09, 0x0c, 0x1b: printable &+= 1
            case 0:
                nul &+= 1
                nonPrintable &+= 1
            default: nonPrintable &+= 1
            }
            previous = byte
        }
    }

    /// To be called after the last byte.
    mutating func finish() {
        if previous == 0x0d { loneCR &+= 1 }
        // DOS's mark of a text file's end.
        if previous == 0x1a { nonPrintable &-= 1 }
    }

    /// Git's guess: a lone CR, a NUL, or more than one odd character in 128.
    var looksBinary: Bool { loneCR > 0 || nul > 0 || printable >> 7 < nonPrintable }

    /// The counts once every CRLF is an LF.
    var withLF: TextStats {
        var stats = self
        stats.loneLF += crlf
        stats.crlf = 0
        return stats
    }

    /// The counts once every LF is a CRLF.
    var withCRLF: TextStats {
        var stats = self
        stats.crlf += loneLF
        stats.loneLF = 0
        return stats
    }
}
