import GitCore

// JSON (RFC 8259), read strictly and with its places kept:
//
//     value  = object / array / string / number / "true" / "false" / "null"
//     object = "{" [ string ":" value *( "," string ":" value ) ] "}"
//     array  = "[" [ value *( "," value ) ] "]"
//     number = [ "-" ] ( "0" / digit1-9 *digit ) [ "." 1*digit ] [ ( "e" / "E" ) [ "+" / "-" ] 1*digit ]

/// A value of a document in JSON, and where it stands in that.
struct JSONValue {
    enum Content {
        /// No two members have one name.
        case object([ByteString: JSONValue])
        case array([JSONValue])
        /// In UTF-8, without its escapes.
        case string(ByteString)
        /// As it was written.
        case number(ByteString)
        case bool(Bool)
        case null
    }

    let content: Content
    /// The bytes of the document that say it, a string's quotes included.
    let place: Range<Int>

    /// Objects and arrays inside of each other.
    static let deepest = 32
    /// Values of one document.
    static let mostValues = 100_000

    /// - Throws: `ParseError` for what is no JSON in UTF-8, for an object with two members of one name, which
    ///   readers take for different things, and for what is beyond a limit.
    init(parsing document: [UInt8]) throws(ParseError) {
        guard String(validating: document, as: UTF8.self) != nil else {
            throw ParseError("the JSON is no UTF-8", at: 0)
        }
        var reader = JSONReader(document)
        self = try reader.document()
    }

    fileprivate init(_ content: Content, _ place: Range<Int>) {
        self.content = content
        self.place = place
    }

    /// A member of an object; nil where this is none, or has no such member, or says null for it.
    subscript(_ name: ByteString) -> JSONValue? {
        guard let value = members?[name] else { return nil }
        if case .null = value.content { return nil }
        return value
    }

    var members: [ByteString: JSONValue]? {
        if case .object(let members) = content { members } else { nil }
    }

    var elements: [JSONValue]? {
        if case .array(let elements) = content { elements } else { nil }
    }

    var string: ByteString? {
        if case .string(let string) = content { string } else { nil }
    }

    /// A number that is written as a whole one, and that this type has.
    func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
        if case .number(let text) = content { Value(text.printable) } else { nil }
    }
}

private struct JSONReader {
    private let bytes: [UInt8]
    private var place = 0
    private var values = 0
    private var depth = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(ParseError) -> JSONValue {
        let value = try value()
        skipSpace()
        guard place == bytes.count else { throw fault("something follows the JSON") }
        return value
    }

    private func fault(_ text: String) -> ParseError { ParseError(text, at: place) }

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d {
            place += 1
        }
    }

    /// Whether `byte` comes next, white space aside; then it is taken.
    private mutating func takes(_ byte: UInt8) -> Bool {
        skipSpace()
        guard next == byte else { return false }
        place += 1
        return true
    }

    private mutating func value() throws(ParseError) -> JSONValue {
        skipSpace()
        values += 1
        guard values <= JSONValue.mostValues else { throw fault("the JSON has too many values") }
        let start = place
        let content: JSONValue.Content
        switch next {
        case UInt8(ascii: "{"):
            content = try nested { reader throws(ParseError) in try reader.object() }
        case UInt8(ascii: "["):
            content = try nested { reader throws(ParseError) in try reader.array() }
        case UInt8(ascii: "\""): content = .string(try string())
        case UInt8(ascii: "t"): content = try word("true", .bool(true))
        case UInt8(ascii: "f"): content = try word("false", .bool(false))
        case UInt8(ascii: "n"): content = try word("null", .null)
        default: content = .number(try number())
        }
        return JSONValue(content, start ..< place)
    }

    private mutating func nested(
        _ body: (inout JSONReader) throws(ParseError) -> JSONValue.Content
    ) throws(ParseError) -> JSONValue.Content {
        depth += 1
        guard depth <= JSONValue.deepest else { throw fault("the JSON is too deep") }
        let content = try body(&self)
        depth -= 1
        return content
    }

    private mutating func object() throws(ParseError) -> JSONValue.Content {
        place += 1
        var members: [ByteString: JSONValue] = [:]
        if takes(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            skipSpace()
            let name = try string()
            guard takes(UInt8(ascii: ":")) else { throw fault("a colon is missing") }
            guard members.updateValue(try value(), forKey: name) == nil else {
                throw fault("an object has two members of one name")
            }
        } while takes(UInt8(ascii: ","))
        guard takes(UInt8(ascii: "}")) else { throw fault("an object has no end") }
        return .object(members)
    }

    private mutating func array() throws(ParseError) -> JSONValue.Content {
        place += 1
        var elements: [JSONValue] = []
        if takes(UInt8(ascii: "]")) { return .array(elements) }
        repeat { elements.append(try value()) } while takes(UInt8(ascii: ","))
        guard takes(UInt8(ascii: "]")) else { throw fault("an array has no end") }
        return .array(elements)
    }

    private mutating func word(
        _ word: StaticString, _ content: JSONValue.Content
    ) throws(ParseError) -> JSONValue.Content {
        let text = ByteString("\(word)")
        guard bytes[place...].starts(with: text.bytes) else {
            throw fault("there is no such value")
        }
        place += text.count
        return content
    }

    private mutating func number() throws(ParseError) -> ByteString {
        let start = place
        if next == UInt8(ascii: "-") { place += 1 }
        if next == UInt8(ascii: "0") { place += 1 } else { try digits() }
        if next == UInt8(ascii: ".") {
            place += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            place += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { place += 1 }
            try digits()
        }
        return ByteString(bytes[start ..< place])
    }

    private mutating func digits() throws(ParseError) {
        guard next?.isDigit == true else { throw fault("a value is missing") }
        while next?.isDigit == true { place += 1 }
    }

    private mutating func string() throws(ParseError) -> ByteString {
        guard next == UInt8(ascii: "\"") else { throw fault("a string is missing") }
        place += 1
        var text: [UInt8] = []
        while let byte = next {
            place += 1
            switch byte {
            case UInt8(ascii: "\""): return ByteString(text)
            case UInt8(ascii: "\\"): try escape(&text)
            case 0 ..< 0x20: throw fault("a string has a control character")
            default: text.append(byte)
            }
        }
        throw fault("a string has no end")
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5c, UInt8(ascii: "/"): 0x2f,
        UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0c, UInt8(ascii: "n"): 0x0a,
        UInt8(ascii: "r"): 0x0d, UInt8(ascii: "t"): 0x09,
    ]

    private mutating func escape(_ text: inout [UInt8]) throws(ParseError) {
        guard let byte = next else { throw fault("a string has no end") }
        place += 1
        if let meant = Self.escapes[byte] { return text.append(meant) }
        guard byte == UInt8(ascii: "u") else { throw fault("there is no such escape") }
        var value = try hex4()
        if (0xd800 ..< 0xdc00).contains(value), bytes[place...].starts(with: "\\u".utf8) {
            place += 2
            let low = try hex4()
            guard (0xdc00 ..< 0xe000).contains(low) else { throw fault("half a character") }
            value = 0x1_0000 + (value - 0xd800) << 10 + (low - 0xdc00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw fault("half a character") }
        text += Array(String(Character(scalar)).utf8)
    }

    private mutating func hex4() throws(ParseError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0 ..< 4 {
            guard let digit = next?.hexValue else { throw fault("an escape has no four digits") }
            value = value << 4 | UInt32(digit)
            place += 1
        }
        return value
    }
}
