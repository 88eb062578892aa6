public import GitCore

/// Which refs are not shown, and not changed by others (git-config, "transfer.hideRefs").
///
/// A pattern is a name or the beginning of one up to a slash. `!` before it shows what an earlier one
/// hides; `^`, after that, holds it against the whole name where refs are in a namespace, which here they
/// never are. The last pattern that matches counts.
public struct HiddenRefs: Sendable {
    private let patterns: [(prefix: ByteString, isShown: Bool)]

    /// - Parameter section: whose `hideRefs` count besides `transfer.hideRefs`: `receive`, `uploadpack`.
    /// - Throws: ``StoreError/Code/invalid`` for a variable without a value.
    public init(_ config: Config, section: String) throws(StoreError) {
        var patterns: [(prefix: ByteString, isShown: Bool)] = []
        let keys: [ByteString] = ["transfer.hiderefs", ByteString(section + ".hiderefs")]
        for entry in config.entries where keys.contains(entry.key.bytes) {
            guard var text = entry.value else {
                throw StoreError(.invalid, "missing value for '\(entry.key)'")
            }
            while text.hasSuffix("/") { text = text.dropLast(1) }
            let isShown = text.hasPrefix("!")
            if isShown { text = text.dropFirst(1) }
            if text.hasPrefix("^") { text = text.dropFirst(1) }
            patterns.append((text, isShown))
        }
        self.patterns = patterns
    }

    /// Whether any ref may be hidden.
    public var isEmpty: Bool { patterns.isEmpty }

    public func contains(_ name: ByteString) -> Bool {
        for pattern in patterns.reversed() where name.hasPrefix(pattern.prefix) {
            let next = name.bytes.dropFirst(pattern.prefix.count).first
            if next == nil || next == 0x2f { return !pattern.isShown }
        }
        return false
    }
}
