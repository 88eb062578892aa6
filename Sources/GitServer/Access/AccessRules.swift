internal import GitCore
internal import GitStore

// A file of rules, a line each; empty lines and those with # are passed over:
//
//     <repository> SP read|write SP <who> [SP <who>]...
//
//     <repository>     a path under the root, without `.git` at its end; * and ? stand for what is
//                      between slashes, ** for anything
//     <who>            the name of a user or token; + for all who log in; * for everybody
//
// What no line grants is refused. To write is to read, too.

/// Who may read and write what.
struct AccessRules: Sendable {
    private struct Rule {
        let pattern: WildPattern
        let allowsWriting: Bool
        let who: [ByteString]
    }

    private let rules: [Rule]

    private static let largest = 16 << 20

    init(_ path: ByteString) throws(StoreError) {
        let text = ByteString(try FileSystem.read(path, limit: Self.largest))
        var rules: [Rule] = []
        for (number, line) in text.split(0x0a).enumerated() {
            let words = line.bytes.split { $0 == 0x20 || $0 == 0x09 }.map { ByteString($0) }
            guard let pattern = words.first, !pattern.hasPrefix("#") else { continue }
            guard words.count >= 3, words[1] == "read" || words[1] == "write" else {
                throw StoreError(
                    .invalid,
                    "'\(path)', line \(number + 1), is not '<repository> read|write <who>...'")
            }
            rules.append(
                Rule(
                    pattern: WildPattern(pattern), allowsWriting: words[1] == "write",
                    who: Array(words[2...])))
        }
        self.rules = rules
    }

    /// - Parameters:
    ///   - repository: its path under the root, without `.git`.
    ///   - user: nil for somebody who has not logged in.
    func allow(_ user: ByteString?, toWrite: Bool, _ repository: ByteString) -> Bool {
        rules.contains { rule in
            (rule.allowsWriting || !toWrite)
                && rule.who.contains { $0 == "*" || (user != nil && ($0 == "+" || $0 == user)) }
                && rule.pattern.matches(repository)
        }
    }
}
