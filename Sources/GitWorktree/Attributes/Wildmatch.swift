// A pattern is made of
//
//     ?            one byte other than '/'
//     *            any bytes other than '/'
//     **           between slashes or an end of the pattern: any bytes; "**/" also nothing
//     [a-z_[:digit:]]   one byte of a set, never '/'; [!…] and [^…] one not of it
//     \x           the byte x
//     any other byte itself

/// One of Git's path patterns (gitignore's "PATTERN FORMAT"), made ready to be matched.
///
/// All states that the pattern can be in are followed at once, so that a match takes no more steps than
/// the pattern's length times the text's, whatever the pattern (CVE-2022-23521 and its like).
struct Wildmatch: Sendable {
    private enum Token: Sendable {
        case byte(UInt8)
        case anyButSlash
        case set(ByteSet)
        /// `*`
        case star
        /// `**`
        case doubleStar
        /// No byte: the next two tokens, `**` and `/`, may be left out.
        case optional
    }

    /// What the text begins with, before the first token.
    private let prefix: [UInt8]
    /// nil: the pattern is malformed, and nothing matches it.
    private let tokens: [Token]?

    init(_ pattern: ArraySlice<UInt8>) {
        let literal = pattern.prefix { !Self.isSpecial($0) }
        prefix = Array(literal)
        tokens = Self.tokens(of: pattern[literal.endIndex...])
    }

    static func isSpecial(_ byte: UInt8) -> Bool {
        byte == 0x2a || byte == 0x3f || byte == 0x5b || byte == 0x5c  // * ? [ \
    }

    func matches(_ text: Span<UInt8>) -> Bool {
        guard let tokens, text.count >= prefix.count else { return false }
        for index in prefix.indices where text[index] != prefix[index] { return false }
        if tokens.isEmpty { return text.count == prefix.count }
        return Self.run(tokens, text.extracting(prefix.count ..< text.count))
    }

    /// `states[i]`: the text so far can have been matched by the first `i` tokens.
    private static func run(_ tokens: [Token], _ text: Span<UInt8>) -> Bool {
        var states = [Bool](repeating: false, count: tokens.count + 1)
        states[0] = true
        passOverEmpty(tokens, &states)
        var next = states
        for position in text.indices {
            let byte = text[position]
            var isAlive = false
            for index in next.indices { next[index] = false }
            for index in tokens.indices where states[index] {
                switch tokens[index] {
                case .byte(let expected) where byte == expected: next[index + 1] = true
                case .anyButSlash where byte != 0x2f: next[index + 1] = true
                case .set(let set) where byte != 0x2f && set.contains(byte): next[index + 1] = true
                case .star where byte != 0x2f: next[index] = true
                case .doubleStar: next[index] = true
                default: continue
                }
                isAlive = true
            }
            guard isAlive else { return false }
            passOverEmpty(tokens, &next)
            swap(&states, &next)
        }
        return states[tokens.count]
    }

    /// Adds the states that are reached without a byte of the text. They only lead forwards.
    private static func passOverEmpty(_ tokens: [Token], _ states: inout [Bool]) {
        for index in tokens.indices where states[index] {
            switch tokens[index] {
            case .star, .doubleStar: states[index + 1] = true
            case .optional:
                states[index + 1] = true
                states[index + 3] = true
            case .byte, .anyButSlash, .set: break
            }
        }
    }
}

extension Wildmatch {
    /// nil for an unclosed set, an unknown class, or a backslash at the end.
    private static func tokens(of pattern: ArraySlice<UInt8>) -> [Token]? {
        var tokens: [Token] = []
        var rest = pattern
        while let byte = rest.popFirst() {
            switch byte {
            case 0x2a: tokens += star(&rest, in: pattern)
            case 0x3f: tokens.append(.anyButSlash)
            case 0x5b:
                guard let set = ByteSet(bracket: &rest) else { return nil }
                tokens.append(.set(set))
            case 0x5c:
                guard let escaped = rest.popFirst() else { return nil }
                tokens.append(.byte(escaped))
            default: tokens.append(.byte(byte))
            }
        }
        return tokens
    }

    /// Reads the rest of a run of stars whose first was just read from `rest`.
    private static func star(
        _ rest: inout ArraySlice<UInt8>, in pattern: ArraySlice<UInt8>
    ) -> [Token] {
        let before = rest.startIndex - 2
        // As in Git, the end of the literal prefix counts as a boundary: foo**/bar matches foobar.
        let isAtBoundary = before < pattern.startIndex || pattern[before] == 0x2f
        guard rest.first == 0x2a else { return [.star] }
        rest = rest.drop { $0 == 0x2a }
        guard isAtBoundary else { return [.star] }
        // The slash itself is read next.
        if rest.first == 0x2f { return [.optional, .doubleStar] }
        return rest.isEmpty || rest.starts(with: [0x5c, 0x2f]) ? [.doubleStar] : [.star]
    }
}

/// Any of the 256 bytes.
private struct ByteSet: Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    private var isInverted = false

    func contains(_ byte: UInt8) -> Bool {
        let bit = UInt64(1) << UInt64(byte & 63)
        let word =
            switch byte >> 6 {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        return (word & bit != 0) != isInverted
    }

    private mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: words.0 |= bit
        case 1: words.1 |= bit
        case 2: words.2 |= bit
        default: words.3 |= bit
        }
    }

    /// Reads a set, whose `[` was just read from `rest`, with its `]`.
    init?(bracket rest: inout ArraySlice<UInt8>) {
        if rest.first == 0x21 || rest.first == 0x5e {
            isInverted = true
            rest.removeFirst()
        }
        var previous: UInt8?
        var isFirst = true
        while let byte = rest.popFirst() {
            // A ']' that comes first is a member.
            if byte == 0x5d, !isFirst { return }
            isFirst = false
            if byte == 0x2d, let low = previous, let next = rest.first, next != 0x5d {
                guard let high = Self.member(&rest) else { return nil }
                if low <= high { for member in low ... high { insert(member) } }
                previous = nil
            } else if byte == 0x5b, rest.first == 0x3a, let name = Self.className(rest) {
                guard let ranges = Self.members(ofClass: name) else { return nil }
                for member in ranges.joined() { insert(member) }
                rest = rest.dropFirst(name.count + 3)
                previous = nil
            } else {
                var member = byte
                if byte == 0x5c {
                    guard let escaped = rest.popFirst() else { return nil }
                    member = escaped
                }
                insert(member)
                previous = member
            }
        }
        return nil
    }

    /// The next byte, or the one after a backslash.
    private static func member(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        guard let byte = rest.popFirst() else { return nil }
        return byte == 0x5c ? rest.popFirst() : byte
    }

    /// `alpha` where `rest` begins with `:alpha:]`; nil where there is no `:` before the next `]`.
    private static func className(_ rest: ArraySlice<UInt8>) -> [UInt8]? {
        guard let end = rest.firstIndex(of: 0x5d), end > rest.startIndex + 1, rest[end - 1] == 0x3a
        else { return nil }
        return Array(rest[(rest.startIndex + 1) ..< (end - 1)])
    }

    /// The members of a class of C's locale; nil for an unknown one.
    private static func members(ofClass name: [UInt8]) -> [ClosedRange<UInt8>]? {
        let (upper, lower, digits): (ClosedRange<UInt8>, ClosedRange<UInt8>, ClosedRange<UInt8>) = (
            0x41 ... 0x5a, 0x61 ... 0x7a, 0x30 ... 0x39
        )
        switch String(decoding: name, as: UTF8.self) {
        case "alnum": return [upper, lower, digits]
        case "alpha": return [upper, lower]
        case "blank": return [0x20 ... 0x20, 0x09 ... 0x09]
        case "cntrl": return [0x00 ... 0x1f, 0x7f ... 0x7f]
        case "digit": return [digits]
        case "graph": return [0x21 ... 0x7e]
        case "lower": return [lower]
        case "print": return [0x20 ... 0x7e]
        case "punct": return [0x21 ... 0x2f, 0x3a ... 0x40, 0x5b ... 0x60, 0x7b ... 0x7e]
        case "space": return [0x20 ... 0x20, 0x09 ... 0x0a, 0x0d ... 0x0d]
        case "upper": return [upper]
        case "xdigit": return [digits, 0x41 ... 0x46, 0x61 ... 0x66]
        default: return nil
        }
    }
}
