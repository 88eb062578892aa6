internal import CCrypt
internal import GitCore
internal import GitStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// A file of passwords, as htpasswd(1) writes it, a line each; empty lines and those with # are passed over:
//
//     <name> ":" <hash>
//
//     $2y$ $2b$ $2a$       bcrypt (htpasswd -B)
//     $5$ $6$              SHA-256 and SHA-512 crypt (htpasswd -2, -5)
//
// Other kinds are too weak to be read.

/// Who has which password.
struct PasswordFile: Sendable {
    private let hashes: [ByteString: [CChar]]

    private static let largest = 16 << 20
    private static let kinds: [ByteString] = ["$2y$", "$2b$", "$2a$", "$5$", "$6$"]

    init(_ path: ByteString) throws(StoreError) {
        let text = ByteString(try FileSystem.read(path, limit: Self.largest))
        var hashes: [ByteString: [CChar]] = [:]
        for (number, line) in text.split(0x0a).enumerated() {
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            let parts = line.bytes.split(
                separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !line.bytes.contains(where: \.isControl)
            else {
                throw StoreError(.invalid, "'\(path)', line \(number + 1), is not '<name>:<hash>'")
            }
            let hash = ByteString(parts[1])
            guard Self.kinds.contains(where: hash.hasPrefix) else {
                throw StoreError(
                    .invalid,
                    "'\(path)', line \(number + 1): only bcrypt and SHA crypt are read (htpasswd -B)"
                )
            }
            hashes[ByteString(parts[0])] = (hash.bytes + [0]).map { CChar(bitPattern: $0) }
        }
        self.hashes = hashes
    }

    /// Whether that is the password of that user. Takes as long for one that there is not: some
    /// hundredths of a second of a processor.
    func accepts(_ name: ByteString, _ password: ByteString) -> Bool {
        let hash = hashes[name] ?? hashes.values.first
        guard let hash, !password.bytes.contains(0) else { return false }
        let isRight = Self.verify(password, hash)
        return isRight && hashes[name] != nil
    }

    private static func verify(_ password: ByteString, _ hash: [CChar]) -> Bool {
        let data = UnsafeMutablePointer<crypt_data>.allocate(capacity: 1)
        data.initialize(to: crypt_data())
        defer { data.deallocate() }
        let phrase = (password.bytes + [0]).map { CChar(bitPattern: $0) }
        guard let result = crypt_r(phrase, hash, data) else { return false }
        let length = strlen(result)
        // What fails begins with an asterisk.
        let made = UnsafeBufferPointer(start: result, count: length).map(UInt8.init(bitPattern:))
        return areEqualSecrets(made, hash.dropLast().map(UInt8.init(bitPattern:)))
    }
}
