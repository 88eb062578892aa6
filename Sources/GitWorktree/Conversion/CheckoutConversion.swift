import GitCore

extension Conversion {
    /// Whether the file may come out other than it is in the repository.
    var mayChangeCheckout: Bool {
        expandsIdent || lineEnds == .text(.crlf) || lineEnds == .auto(.crlf)
    }

    /// Whether the whole content must be looked at before its first byte can be converted.
    var dependsOnContent: Bool { lineEnds == .auto(.crlf) }

    /// What to convert the blob `oid` with, of a content with these counts.
    func converter(_ oid: ObjectID, _ stats: TextStats) -> CheckoutConverter {
        CheckoutConverter(
            ident: expandsIdent ? IdentExpander(oid) : nil,
            crlf: addsCR(stats) ? CRLFConverter() : nil)
    }

    /// Whether a content with these counts gets CRLF for LF.
    func addsCR(_ stats: TextStats) -> Bool {
        switch lineEnds {
        case .text(.crlf): true
        // Any CR in it: someone may mean it so.
        case .auto(.crlf): stats.loneLF > 0 && stats.crlf == 0 && !stats.looksBinary
        default: false
        }
    }
}

/// Converts a blob's content into its file's. Fed in any pieces.
struct CheckoutConverter {
    fileprivate var ident: IdentExpander?
    fileprivate var crlf: CRLFConverter?

    mutating func convert(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        guard let expanded = ident?.convert(bytes) else {
            return crlf?.convert(bytes) ?? Array(bytes)
        }
        return addCR(expanded)
    }

    /// What comes after the last piece.
    mutating func finish() -> [UInt8] { addCR(ident?.finish() ?? []) }

    private mutating func addCR(_ bytes: [UInt8]) -> [UInt8] {
        crlf == nil ? bytes : bytes.withUnsafeBytes { crlf?.convert($0) } ?? bytes
    }
}

/// Makes every LF a CRLF that is not one already. Fed in any pieces.
struct CRLFConverter {
    private var previous: UInt8 = 0

    mutating func convert(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + bytes.count / 16)
        for byte in bytes {
            if byte == 0x0a, previous != 0x0d { out.append(0x0d) }
            out.append(byte)
            previous = byte
        }
        return out
    }
}
