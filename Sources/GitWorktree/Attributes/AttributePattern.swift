import GitCore

/// The pattern of a line of an attributes file: which paths below the file's directory it means.
struct AttributePattern: Sendable {
    private enum Form: Sendable {
        /// No slash, nothing special: the file's name.
        case name([UInt8])
        /// `*` and nothing else special: the end of the file's name.
        case nameSuffix([UInt8])
        /// No slash: the file's name.
        case nameMatching(WildPattern)
        /// A slash: the path from the attributes file's directory. What is special begins after
        /// `prefix`, and as in Git anew: `foo**/bar` means foobar too.
        case path(prefix: [UInt8], WildPattern)
    }

    private let form: Form

    /// nil for a pattern that can match no file: one that ends in `/` means directories, which have
    /// no attributes; one that begins with `!` has no meaning here.
    init?(_ pattern: [UInt8]) {
        guard let first = pattern.first, first != 0x21, pattern.last != 0x2f else { return nil }
        if pattern.contains(0x2f) {
            let path = first == 0x2f ? pattern.dropFirst() : pattern[...]
            let prefix = path.prefix { !WildPattern.isSpecial($0) }
            form = .path(prefix: Array(prefix), WildPattern(path[prefix.endIndex...]))
        } else if !pattern.contains(where: WildPattern.isSpecial) {
            form = .name(pattern)
        } else if first == 0x2a, !pattern.dropFirst().contains(where: WildPattern.isSpecial) {
            form = .nameSuffix(Array(pattern.dropFirst()))
        } else {
            form = .nameMatching(WildPattern(pattern[...]))
        }
    }

    /// Whether it means the file at `path`, relative to the attributes file, whose last component is
    /// `name`.
    func matches(path: Span<UInt8>, name: Span<UInt8>) -> Bool {
        switch form {
        case .name(let expected):
            return name.count == expected.count && hasSuffix(name, expected)
        case .nameSuffix(let suffix): return hasSuffix(name, suffix)
        case .nameMatching(let pattern): return pattern.matches(name)
        case .path(let prefix, let pattern):
            guard path.count >= prefix.count else { return false }
            for index in prefix.indices where path[index] != prefix[index] { return false }
            return pattern.matches(path.extracting(prefix.count ..< path.count))
        }
    }

    /// Whether it may mean a file in `directory`, relative to the attributes file, with a slash at the
    /// end unless it is that file's own.
    func mayMatch(in directory: Span<UInt8>) -> Bool {
        guard case .path(let prefix, _) = form else { return true }
        for index in prefix.indices {
            if index >= directory.count {
                // A slash more means a directory below.
                if prefix[index] == 0x2f { return false }
            } else if prefix[index] != directory[index] {
                return false
            }
        }
        return true
    }

    private func hasSuffix(_ name: Span<UInt8>, _ suffix: [UInt8]) -> Bool {
        let start = name.count - suffix.count
        guard start >= 0 else { return false }
        for index in suffix.indices where name[start + index] != suffix[index] { return false }
        return true
    }
}
