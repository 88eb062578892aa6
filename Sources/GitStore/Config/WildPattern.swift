package import GitCore

// A pattern over paths (gitglossary, "pathspec: glob"; gitignore, "PATTERN FORMAT"):
//
//     ?        one byte other than '/'
//     *        any number of them
//     [a-z]    one byte of a set; [!a-z] or [^a-z] one that is not in it; never '/'
//     \x       x
//     **/      at the start or after '/': any number of whole directories, or none
//     /**      at the end: everything inside
//
// Matching follows all ways at once, so that it takes at most pattern × text steps.

/// A pattern that a whole path matches or not.
package struct WildPattern: Sendable {
    private enum Token {
        case byte(UInt8)
        case set(Set<UInt8>, negated: Bool)
        /// Any bytes but '/'.
        case star
        /// Any bytes.
        case deepStar
        /// The `**/` that follows, as `deepStar` and a '/', may be left out.
        case optionalDirectories
        /// What can never match: a set without an end.
        case nothing
    }

    private let tokens: [Token]
    private let ignoresCase: Bool
    private let crossesSlashes: Bool

    /// - Parameter crossingSlashes: `*`, `?` and sets match a '/' too, as where Git matches whole ref
    ///   names and not paths.
    package init(
        _ pattern: ByteString, ignoringCase: Bool = false, crossingSlashes: Bool = false
    ) {
        ignoresCase = ignoringCase
        crossesSlashes = crossingSlashes
        let bytes = ignoringCase ? pattern.bytes.map(ConfigKey.lowercased) : pattern.bytes
        var tokens: [Token] = []
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case 0x2a: tokens += Self.stars(bytes, &index)
            case 0x3f:
                tokens.append(.set([], negated: true))
                index += 1
            case 0x5b: tokens.append(Self.set(bytes, &index))
            case 0x5c where index + 1 < bytes.count:
                tokens.append(.byte(bytes[index + 1]))
                index += 2
            default:
                tokens.append(.byte(bytes[index]))
                index += 1
            }
        }
        self.tokens = tokens
    }

    private static func stars(_ bytes: [UInt8], _ index: inout Int) -> [Token] {
        let start = index
        while index < bytes.count, bytes[index] == 0x2a { index += 1 }
        let isAtStart = start == 0 || bytes[start - 1] == 0x2f
        guard index - start > 1, isAtStart else { return [.star] }
        if index == bytes.count { return [.deepStar] }
        guard bytes[index] == 0x2f else { return [.star] }
        index += 1
        return [.optionalDirectories, .deepStar, .byte(0x2f)]
    }

    private static func set(_ bytes: [UInt8], _ index: inout Int) -> Token {
        index += 1
        let negated = index < bytes.count && (bytes[index] == 0x21 || bytes[index] == 0x5e)
        if negated { index += 1 }
        var members: Set<UInt8> = []
        let start = index
        while index < bytes.count, bytes[index] != 0x5d || index == start {
            if bytes[index] == 0x5c, index + 1 < bytes.count { index += 1 }
            let low = bytes[index]
            var high = low
            if index + 2 < bytes.count, bytes[index + 1] == 0x2d, bytes[index + 2] != 0x5d {
                high = bytes[index + 2]
                index += 2
            }
            if low <= high { members.formUnion(low ... high) }
            index += 1
        }
        guard index < bytes.count else { return .nothing }
        index += 1
        return .set(members, negated: negated)
    }

    package func matches(_ text: ByteString) -> Bool {
        // Which tokens the next byte may be matched against; one more for the end.
        var current = [Bool](repeating: false, count: tokens.count + 1)
        var next = current
        current[0] = true
        for byte in ignoresCase ? text.bytes.map(ConfigKey.lowercased) : text.bytes {
            enterOptional(&current)
            for index in next.indices { next[index] = false }
            for index in tokens.indices where current[index] {
                switch tokens[index] {
                case .byte(let expected): if byte == expected { next[index + 1] = true }
                case .set(let members, let negated):
                    if crossesSlashes || byte != 0x2f, members.contains(byte) != negated {
                        next[index + 1] = true
                    }
                case .star: if crossesSlashes || byte != 0x2f { next[index] = true }
                case .deepStar: next[index] = true
                case .optionalDirectories, .nothing: break
                }
            }
            swap(&current, &next)
        }
        enterOptional(&current)
        return current[tokens.count]
    }

    /// Goes on to where no byte is needed to come.
    private func enterOptional(_ states: inout [Bool]) {
        for index in tokens.indices where states[index] {
            switch tokens[index] {
            case .star, .deepStar: states[index + 1] = true
            case .optionalDirectories:
                states[index + 1] = true
                states[index + 3] = true
            case .byte, .set, .nothing: break
            }
        }
    }
}
