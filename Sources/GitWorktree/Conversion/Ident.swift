import GitCore

// gitattributes, "ident": $Id$ in the repository, $Id: <oid of the blob> $ in the work tree.

/// Puts the blob's id into every `$Id$` and every `$Id: … $` on one line. Fed in any pieces.
///
/// Reads as Git's checkout does: a `$` that ends an attempt does not begin another (`$$Id$` stays), and
/// `$Id: a b $`, with a blank within, is another system's and stays.
struct IdentExpander {
    private let keyword: [UInt8]
    /// `$`, `$I`, `$Id`, or `$Id:` and what follows; not given out yet.
    private var held: [UInt8] = []

    private static let head = Array("$Id".utf8)
    /// Bytes of a line after which a keyword that has not ended is none.
    private static let longestText = 65_536

    init(_ oid: ObjectID) { keyword = Array("$Id: \(oid.hex) $".utf8) }

    mutating func convert(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + keyword.count)
        for byte in bytes { take(byte, &out) }
        return out
    }

    /// What was held back at the end of the file.
    mutating func finish() -> [UInt8] {
        defer { held = [] }
        return held
    }

    private mutating func take(_ byte: UInt8, _ out: inout [UInt8]) {
        if held.count < Self.head.count {
            if byte == Self.head[held.count] { return held.append(byte) }
            giveOut(&out)
            out.append(byte)
        } else if held.count == Self.head.count {
            if byte == 0x3a { return held.append(byte) }
            if byte == 0x24 { held = keyword } else { held.append(byte) }
            giveOut(&out)
        } else {
            held.append(byte)
            guard byte == 0x0a || byte == 0x24 || held.count > Self.longestText else { return }
            if byte == 0x24, !isForeign { held = keyword }
            giveOut(&out)
        }
    }

    private mutating func giveOut(_ out: inout [UInt8]) {
        if held.isEmpty { return }
        out += held
        held.removeAll(keepingCapacity: true)
    }

    private var isForeign: Bool {
        guard held.count > 5, held[4] == 0x20 else { return false }
        return held.indices.dropFirst(5).dropLast().contains { index in
            let isBlank = held[index] == 0x20 || held[index] == 0x09 || held[index] == 0x0d
            return isBlank && held[index + 1] != 0x24
        }
    }
}

extension Conversion {
    /// `content` with every `$Id: … $` on one line as `$Id$`; nil where there is none.
    static func collapsingIdent(_ content: [UInt8]) -> [UInt8]? {
        let head = Array("Id:".utf8)
        var out: [UInt8] = []
        var copied = 0
        var position = 0
        while let dollar = content[position...].firstIndex(of: 0x24) {
            position = dollar + 1
            guard content[position...].starts(with: head) else { continue }
            let text = content[(position + head.count)...].prefix { $0 != 0x24 && $0 != 0x0a }
            guard text.endIndex < content.count, content[text.endIndex] == 0x24 else { continue }
            out += content[copied ... dollar] + Array("Id$".utf8)
            position = text.endIndex + 1
            copied = position
        }
        return copied > 0 ? out + content[copied...] : nil
    }
}
