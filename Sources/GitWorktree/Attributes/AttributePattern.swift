import GitCore

/// The pattern of a line of an attributes file: which paths below the file's directory it means.
struct AttributePattern: Sendable {
    private enum Form: Sendable {
        /// No slash, nothing special: the file's name.
        case name([UInt8])
        /// `*` and nothing else special: the end of the file's name.
        case nameSuffix([UInt8])
        /// No slash: the file's name.
        case nameMatching(Wildmatch)
        /// A slash: the path from the attributes file's directory.
        case path(Wildmatch)
    }

    private let form: Form

    /// nil for a pattern that can match no file: one that ends in `/` means directories, which have
    /// no attributes; one that begins with `!` has no meaning here.
    init?(_ pattern: [UInt8]) {
        guard let first = pattern.first, first != 0x21, pattern.last != 0x2f else { return nil }
        if pattern.contains(0x2f) {
            form = .path(Wildmatch(first == 0x2f ? pattern.dropFirst() : pattern[...]))
        } else if !pattern.contains(where: Wildmatch.isSpecial) {
            form = .name(pattern)
        } else if first == 0x2a, !pattern.dropFirst().contains(where: Wildmatch.isSpecial) {
            form = .nameSuffix(Array(pattern.dropFirst()))
        } else {
            form = .nameMatching(Wildmatch(pattern[...]))
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
        case .path(let pattern): return pattern.matches(path)
        }
    }

    private func hasSuffix(_ name: Span<UInt8>, _ suffix: [UInt8]) -> Bool {
        let start = name.count - suffix.count
        guard start >= 0 else { return false }
        for index in suffix.indices where name[start + index] != suffix[index] { return false }
        return true
    }
}
