internal import GitCore
internal import GitStore

// A file of tokens, a line each; empty lines and those with # are passed over:
//
//     <name> ":" <SHA-256 of the token, 64 hex digits>
//
// printf %s "$token" | sha256sum

/// Who has which token. The tokens themselves are not in the file: they are long and random, and need no
/// slow hash.
struct TokenFile: Sendable {
    private let tokens: [(name: ByteString, hash: [UInt8])]

    private static let largest = 16 << 20

    init(_ path: ByteString) throws(StoreError) {
        let text = ByteString(try FileSystem.read(path, limit: Self.largest))
        var tokens: [(name: ByteString, hash: [UInt8])] = []
        for (number, line) in text.split(0x0a).enumerated() {
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            let parts = line.split(UInt8(ascii: ":"))
            guard parts.count == 2, !parts[0].isEmpty, !line.bytes.contains(where: \.isControl),
                let hash = ObjectID(hex: parts[1]), hash.format == .sha256
            else {
                throw StoreError(
                    .invalid, "'\(path)', line \(number + 1), is not '<name>:<SHA-256 in hex>'")
            }
            tokens.append((parts[0], hash.rawBytes))
        }
        self.tokens = tokens
    }

    /// Whose token it is; nil where it is nobody's.
    func owner(of token: ByteString) -> ByteString? {
        var hasher = PlainHasher(.sha256)
        hasher.update(token.bytes)
        let hash = hasher.finalize().rawBytes
        var owner: ByteString?
        for (name, known) in tokens where areEqualSecrets(known, hash) { owner = name }
        return owner
    }
}
