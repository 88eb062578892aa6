import GitCore

// The format of a configuration file (git-config, "Syntax"). Bytes, in no encoding; a UTF-8 byte
// order mark may come first; CR LF counts as LF.
//
//     # comment, to the end of the line      ; likewise
//     [section]                              without case
//     [section "subsection"]                 with case; \x stands for x
//     [section.subsection]                   old: without case
//         name = value                       may follow the header on its line
//         name                               no value: true
//
// A value ends with its line; blanks around it do not count. `\` before the line's end joins the
// next line on; \" \\ \n \t \b stand for one byte each. Between double quotes, blanks and comment
// signs stand for themselves.

/// One piece of a configuration file, and where it is.
struct ConfigElement: Equatable {
    enum Kind: Equatable {
        /// `key` is the section and its subsection.
        case header
        /// `key` is the whole key. A variable without `=` has no value, which means true.
        case entry(value: ByteString?)
    }
    let kind: Kind
    let key: ByteString
    /// A header from `[` to `]`; an entry from its name to the end of its last line, LF and any
    /// comment included.
    let range: Range<Int>
}

/// Reads the elements of a configuration file, front to back, in linear time.
struct ConfigScanner {
    private let bytes: [UInt8]
    private var position = 0
    private var stem = ByteString()

    static func elements(of bytes: [UInt8]) throws(ParseError) -> [ConfigElement] {
        var scanner = ConfigScanner(bytes: bytes)
        var elements: [ConfigElement] = []
        while let element = try scanner.nextElement() { elements.append(element) }
        return elements
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
    }

    /// The next byte, CR LF as LF; nil at the end.
    private mutating func next() -> UInt8? {
        guard position < bytes.count else { return nil }
        let byte = bytes[position]
        position += 1
        if byte == 0x0d, position < bytes.count, bytes[position] == 0x0a {
            position += 1
            return 0x0a
        }
        return byte
    }

    private func fault(_ reason: String) -> ParseError {
        ParseError(reason, at: max(position - 1, 0))
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d
    }

    private mutating func nextElement() throws(ParseError) -> ConfigElement? {
        while true {
            let start = position
            guard let byte = next() else { return nil }
            switch byte {
            case _ where Self.isBlank(byte): continue
            case 0x23, 0x3b: skipLine()  // # ;
            case 0x5b:
                stem = try readHeader()
                return ConfigElement(kind: .header, key: stem, range: start ..< position)
            case _ where ConfigKey.isLetter(byte):
                return try readEntry(startingWith: byte, at: start)
            default: throw ParseError("neither a section, a variable nor a comment", at: start)
            }
        }
    }

    private mutating func skipLine() {
        while let byte = next(), byte != 0x0a {}
    }

    /// What stands between `[` and `]`, as the beginning of a key.
    private mutating func readHeader() throws(ParseError) -> ByteString {
        var name: [UInt8] = []
        while let byte = next() {
            if byte == 0x5d {
                guard !name.isEmpty else { throw fault("section without a name") }
                return ByteString(name)
            }
            if Self.isBlank(byte) {
                try skipToQuote(from: byte)
                return ByteString(name + [0x2e] + (try readSubsection()))
            }
            guard ConfigKey.isKeyByte(byte) || byte == 0x2e else {
                throw fault("section name with other than letters, digits, '-' and '.'")
            }
            name.append(ConfigKey.lowercased(byte))
        }
        throw fault("section header without an end")
    }

    private mutating func skipToQuote(from first: UInt8) throws(ParseError) {
        var byte = first
        while Self.isBlank(byte) {
            guard byte != 0x0a, let following = next() else {
                throw fault("section header without an end")
            }
            byte = following
        }
        guard byte == 0x22 else { throw fault("subsection without quotes") }
    }

    private mutating func readSubsection() throws(ParseError) -> [UInt8] {
        var name: [UInt8] = []
        while var byte = next() {
            if byte == 0x22 {
                guard next() == 0x5d else { throw fault("']' expected") }
                return name
            }
            if byte == 0x5c {
                guard let escaped = next() else { break }
                byte = escaped
            }
            guard byte != 0x0a else { break }
            guard byte != 0 else { throw fault("NUL in a subsection") }
            name.append(byte)
        }
        throw fault("section header without an end")
    }

    private mutating func readEntry(
        startingWith first: UInt8, at start: Int
    ) throws(ParseError) -> ConfigElement {
        var key = stem.isEmpty ? [] : stem.bytes + [0x2e]
        var byte: UInt8? = first
        while let letter = byte, ConfigKey.isKeyByte(letter) {
            key.append(ConfigKey.lowercased(letter))
            byte = next()
        }
        while byte == 0x20 || byte == 0x09 { byte = next() }
        var value: ByteString?
        if let sign = byte, sign != 0x0a {
            guard sign == 0x3d else { throw fault("'=' expected after a variable's name") }
            value = ByteString(try readValue())
        }
        return ConfigElement(
            kind: .entry(value: value), key: ByteString(key), range: start ..< position)
    }

    private mutating func readValue() throws(ParseError) -> [UInt8] {
        var value: [UInt8] = []
        // Where the value ends if only blanks follow; 0 while none have come.
        var end = 0
        var isQuoted = false
        while let byte = next(), byte != 0x0a || isQuoted {
            switch byte {
            case 0x0a: throw fault("line ends between quotes")
            case _ where Self.isBlank(byte) && !isQuoted:
                if end == 0 { end = value.count }
                if !value.isEmpty { value.append(byte) }
                continue
            case 0x23 where !isQuoted, 0x3b where !isQuoted:
                skipLine()
                return Array(end > 0 ? value[..<end] : value[...])
            case 0x22: isQuoted.toggle()
            case 0x5c:
                if let escaped = try readEscape() { value.append(escaped) }
            case 0: throw fault("NUL in a value")
            default: value.append(byte)
            }
            end = 0
        }
        guard !isQuoted else { throw fault("file ends between quotes") }
        return Array(end > 0 ? value[..<end] : value[...])
    }

    /// What `\` and the next byte stand for: nothing at a line's end.
    private mutating func readEscape() throws(ParseError) -> UInt8? {
        switch next() {
        case nil, 0x0a: nil
        case 0x74: 0x09
        case 0x62: 0x08
        case 0x6e: 0x0a
        case 0x5c: 0x5c
        case 0x22: 0x22
        default: throw fault("unknown escape in a value")
        }
    }
}
