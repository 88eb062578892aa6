// A pattern over paths (gitignore, "PATTERN FORMAT"; git-for-each-ref; git-config, "includeIf"):
//
//     ?            one byte other than '/'
//     *            any bytes other than '/'
//     **           between slashes or an end of the pattern: any bytes; "**/" also nothing
//     [a-z_[:digit:]]   one byte of a set, never '/'; [!…] and [^…] one not of it
//     \x           the byte x
//     any other byte itself

/// A pattern that a whole path matches or not, made ready to be matched.
///
/// All states that the pattern can be in are followed at once, so that a match takes no more steps than
/// the pattern's length times the text's, whatever the pattern (CVE-2022-23521 and its like).
package struct WildPattern: Sendable {
    package struct Options: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// ASCII letters match in either case.
        package static let ignoringCase = Options(rawValue: 1)
        /// `*`, `?` and sets match a '/' too, as where Git matches a name that is no path.
        package static let crossingSlashes = Options(rawValue: 2)
    }

    private enum Token: Sendable {
        case byte(UInt8)
        case set(ByteSet)
        /// Any number of bytes of a set.
        case run(ByteSet)
        /// No byte: the next two tokens, `**` and `/`, may be left out.
        case optional
    }

    /// What the text begins with, before the first token.
    private let prefix: [UInt8]
    /// nil: the pattern is malformed, and nothing matches it.
    private let tokens: [Token]?
    private let options: Options

    package init(_ pattern: ByteString, _ options: Options = []) {
        self.init(pattern.bytes[...], options)
    }

    package init(_ pattern: ArraySlice<UInt8>, _ options: Options = []) {
        let literal = pattern.prefix { !Self.isSpecial($0) }
        self.options = options
        prefix = literal.map { Self.fold($0, options) }
        tokens = Self.tokens(of: pattern, from: literal.endIndex, options)
    }

    /// Whether the byte stands for something other than itself.
    package static func isSpecial(_ byte: UInt8) -> Bool {
        byte == 0x2a || byte == 0x3f || byte == 0x5b || byte == 0x5c  // * ? [ \
    }

    /// A pattern that only `text` matches.
    package static func escaping(_ text: ByteString) -> ByteString {
        ByteString(text.bytes.flatMap { isSpecial($0) ? [0x5c, $0] : [$0] })
    }

    private static func fold(_ byte: UInt8, _ options: Options) -> UInt8 {
        options.contains(.ignoringCase) ? lowercased(byte) : byte
    }

    // MARK: Matching

    package func matches(_ text: ByteString) -> Bool { matches(text.bytes.span) }

    package func matches(_ text: Span<UInt8>) -> Bool {
        guard let tokens, text.count >= prefix.count else { return false }
        for index in prefix.indices where Self.fold(text[index], options) != prefix[index] {
            return false
        }
        if tokens.isEmpty { return text.count == prefix.count }
        return run(tokens, text.extracting(prefix.count ..< text.count))
    }

    private func run(_ tokens: [Token], _ text: Span<UInt8>) -> Bool {
        var states = Self.firstStates(tokens)
        return Self.advance(tokens, &states, over: text, options) && states[tokens.count]
    }

    /// `states[i]`: the text so far can have been matched by the first `i` tokens.
    private static func firstStates(_ tokens: [Token]) -> [Bool] {
        var states = [Bool](repeating: false, count: tokens.count + 1)
        states[0] = true
        passOverEmpty(tokens, &states)
        return states
    }

    /// False where no text that begins so is matched.
    private static func advance(
        _ tokens: [Token], _ states: inout [Bool], over text: Span<UInt8>,
        _ options: Options
    ) -> Bool {
        var next = states
        for position in text.indices {
            let byte = fold(text[position], options)
            var isAlive = false
            for index in next.indices { next[index] = false }
            for index in tokens.indices where states[index] {
                switch tokens[index] {
                case .byte(let expected) where byte == expected: next[index + 1] = true
                case .set(let set) where set.contains(byte): next[index + 1] = true
                case .run(let set) where set.contains(byte): next[index] = true
                default: continue
                }
                isAlive = true
            }
            guard isAlive else { return false }
            passOverEmpty(tokens, &next)
            swap(&states, &next)
        }
        return true
    }

    /// Adds the states that are reached without a byte of the text. They only lead forwards.
    private static func passOverEmpty(_ tokens: [Token], _ states: inout [Bool]) {
        for index in tokens.indices where states[index] {
            switch tokens[index] {
            case .run: states[index + 1] = true
            case .optional:
                states[index + 1] = true
                states[index + 3] = true
            case .byte, .set: break
            }
        }
    }

    // MARK: Matching piece by piece

    /// How far a text whose beginning is known has got.
    package struct Progress: Hashable, Sendable {
        /// Bytes of the pattern's prefix that were there.
        fileprivate var literal = 0
        fileprivate var states: [Bool]

        /// Of memory.
        package var byteCount: Int { MemoryLayout<Self>.stride + states.count }
    }

    /// Before any text; nil for a malformed pattern.
    package var start: Progress? { tokens.map { Progress(states: Self.firstStates($0)) } }

    /// Goes on; false where the pattern matches no text that begins so.
    package func advance(_ progress: inout Progress, over text: Span<UInt8>) -> Bool {
        guard let tokens else { return false }
        let literal = min(prefix.count - progress.literal, text.count)
        for index in 0 ..< literal
        where Self.fold(text[index], options) != prefix[progress.literal + index] { return false }
        progress.literal += literal
        return Self.advance(
            tokens, &progress.states, over: text.extracting(literal ..< text.count), options)
    }

    /// Whether the text is matched if it ends here.
    package func isMatched(_ progress: Progress) -> Bool {
        progress.literal == prefix.count && progress.states.last == true
    }

    // MARK: Reading a pattern

    /// nil for an unclosed set, an unknown class, or a backslash at the end.
    private static func tokens(
        of pattern: ArraySlice<UInt8>, from start: Int, _ options: Options
    ) -> [Token]? {
        let one = options.contains(.crossingSlashes) ? ByteSet.all : .allButSlash
        var tokens: [Token] = []
        var rest = pattern[start...]
        while let byte = rest.popFirst() {
            switch byte {
            case 0x2a: tokens += stars(&rest, in: pattern, one)
            case 0x3f: tokens.append(.set(one))
            case 0x5b:
                guard
                    let set = ByteSet(
                        bracket: &rest, ignoringCase: options.contains(.ignoringCase))
                else { return nil }
                tokens.append(.set(set.intersection(one)))
            case 0x5c:
                guard let escaped = rest.popFirst() else { return nil }
                // As in Git, which looks for lower case, an escaped capital matches nothing.
                tokens.append(.byte(escaped))
            default: tokens.append(.byte(fold(byte, options)))
            }
        }
        return tokens
    }

    /// Reads the rest of a run of stars whose first was just read from `rest`.
    private static func stars(
        _ rest: inout ArraySlice<UInt8>, in pattern: ArraySlice<UInt8>, _ one: ByteSet
    ) -> [Token] {
        let before = rest.startIndex - 2
        let isAtBoundary = before < pattern.startIndex || pattern[before] == 0x2f
        let isSingle = rest.first != 0x2a
        rest = rest.drop { $0 == 0x2a }
        guard !isSingle, isAtBoundary, one != .all else { return [.run(one)] }
        // The slash itself is read next.
        if rest.first == 0x2f { return [.optional, .run(.all)] }
        return rest.isEmpty || rest.starts(with: [0x5c, 0x2f]) ? [.run(.all)] : [.run(one)]
    }
}
