public import GitCore

/// Patterns over whole ref names (git-for-each-ref, "<pattern>"): a name, a directory of names, or
/// wildcards that do not cross `/`.
public struct RefPatterns: Sendable {
    private let names: [ByteString]
    private let patterns: [WildPattern]

    /// No patterns match every ref.
    public init(_ patterns: [ByteString]) {
        names = patterns
        self.patterns = patterns.map { WildPattern($0) }
    }

    public func matches(_ name: RefName) -> Bool {
        names.isEmpty
            || names.contains { wanted in
                name.bytes == wanted || name.bytes.hasPrefix(wanted / "")
            }
            || patterns.contains { $0.matches(name.bytes) }
    }
}
