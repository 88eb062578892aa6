import GitCore

// An attributes file (gitattributes): lines, each
//
//     pattern, blanks, attributes separated by blanks
//     [attr]name, blanks, attributes          a macro: `name` stands for them all
//     # a comment
//
// The pattern may stand in double quotes, with C's escapes. An attribute is `name` (set), `-name`
// (unset), `!name` (unspecified) or `name=value`. Blanks are space, tab, CR.

/// What a line says of an attribute.
enum AttributeValue: Hashable, Sendable {
    case set
    case unset
    case unspecified
    case value(ByteString)
}

/// One line that means something.
struct AttributeLine: Sendable {
    enum Subject: Sendable {
        case pattern(AttributePattern)
        case macro(ByteString)
    }

    let subject: Subject
    /// In the order of the line; the last of a name holds.
    let settings: [(name: ByteString, value: AttributeValue)]
}

/// The lines of an attributes file. Those that Git does not understand, or that are too long, it
/// passes over; so do we.
struct AttributesFile: Sendable {
    let lines: [AttributeLine]

    /// - Parameter allowMacros: false for files below the top of the work tree.
    init(parsing content: [UInt8], allowMacros: Bool) throws(WorktreeError) {
        guard content.count < WorktreeLimits.attributesFileSize else {
            lines = []
            return
        }
        var lines: [AttributeLine] = []
        let start = content.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        let text = content[start...].prefix { $0 != 0 }
        for line in text.split(separator: 0x0a)
        where line.count < WorktreeLimits.attributeLineLength {
            guard let line = AttributeLine(parsing: line, allowMacros: allowMacros) else {
                continue
            }
            lines.append(line)
            guard lines.count <= WorktreeLimits.attributeRules else { throw .tooManyAttributes }
        }
        self.lines = lines
    }
}

extension WorktreeError {
    static let tooManyAttributes = WorktreeError(
        .limit, "attributes files have more than \(WorktreeLimits.attributeRules) lines")
}

extension AttributeLine {
    /// nil for an empty line, a comment, and what has no meaning.
    fileprivate init?(parsing line: ArraySlice<UInt8>, allowMacros: Bool) {
        var rest = line.drop(while: isBlank)
        guard let first = rest.first, first != 0x23 else { return nil }
        var subject: [UInt8]
        if first == 0x22, let (unquoted, after) = unquote(rest) {
            (subject, rest) = (unquoted, after)
        } else {
            subject = Array(rest.prefix { !isBlank($0) })
            rest = rest.dropFirst(subject.count)
        }
        let macroMark = Array("[attr]".utf8)
        if subject.count > macroMark.count, subject.starts(with: macroMark) {
            let name = subject.dropFirst(macroMark.count).drop(while: isBlank)
                .prefix { !isBlank($0) }
            guard allowMacros, isAttributeName(name) else { return nil }
            self.subject = .macro(ByteString(name))
        } else {
            guard let pattern = AttributePattern(subject) else { return nil }
            self.subject = .pattern(pattern)
        }
        guard let settings = Self.settings(in: rest) else { return nil }
        self.settings = settings
    }

    /// nil where one of them has a name that is none: then the whole line does not count.
    private static func settings(
        in text: ArraySlice<UInt8>
    ) -> [(name: ByteString, value: AttributeValue)]? {
        var settings: [(name: ByteString, value: AttributeValue)] = []
        for word in text.split(whereSeparator: isBlank) {
            let sign = word.first
            let isSigned = sign == 0x2d || sign == 0x21
            let body = isSigned ? word.dropFirst() : word
            let name = body.prefix { $0 != 0x3d }
            guard isAttributeName(name) else { return nil }
            let value: AttributeValue =
                if sign == 0x2d { .unset } else if sign == 0x21 {
                    .unspecified
                } else if name.endIndex
                    == body.endIndex
                { .set } else { .value(ByteString(body[(name.endIndex + 1)...])) }
            settings.append((ByteString(name), value))
        }
        return settings
    }
}

private func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a
}

private func isAttributeName(_ name: ArraySlice<UInt8>) -> Bool {
    guard let first = name.first, first != 0x2d else { return false }
    return name.allSatisfy { byte in
        switch byte {
        case 0x2d, 0x2e, 0x5f, 0x30 ... 0x39, 0x41 ... 0x5a, 0x61 ... 0x7a: true
        default: false
        }
    }
}

/// The content of the double quotes that `text` begins with, and what comes after them; nil where they
/// do not close, or hold an escape that C does not have.
private func unquote(_ text: ArraySlice<UInt8>) -> ([UInt8], ArraySlice<UInt8>)? {
    var rest = text.dropFirst()
    var out: [UInt8] = []
    while let byte = rest.popFirst() {
        if byte == 0x22 { return (out, rest) }
        guard byte == 0x5c else {
            out.append(byte)
            continue
        }
        guard let escaped = unescape(&rest) else { return nil }
        out.append(escaped)
    }
    return nil
}

/// Reads what follows a backslash.
private func unescape(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
    guard let byte = rest.popFirst() else { return nil }
    switch byte {
    case UInt8(ascii: "a"): return 0x07
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "n"): return 0x0a
    case UInt8(ascii: "v"): return 0x0b
    case UInt8(ascii: "f"): return 0x0c
    case UInt8(ascii: "r"): return 0x0d
    case 0x22, 0x5c: return byte
    case 0x30 ... 0x33:
        let digits = rest.prefix(2)
        guard digits.count == 2, digits.allSatisfy({ (0x30 ... 0x37).contains($0) }) else {
            return nil
        }
        rest = rest.dropFirst(2)
        return digits.reduce(byte & 3) { $0 << 3 | $1 & 7 }
    default: return nil
    }
}
