import GitCore
import GitServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// The credentials of a request: on their way to upstream, and nowhere else.
struct ClientCredentials: Sendable {
    /// Fields of a header, for one request to upstream.
    let fields: [(name: String, value: ByteString)]
    /// The same as lines.
    var lines: [ByteString] { Self.lines(fields) }
    /// Tells clients apart, and tells nothing of what they know.
    let identity: ClientIdentity

    /// Headers that upstream may know a client by.
    private static let names = ["authorization", "cookie", "private-token", "job-token"]

    init(_ headers: RequestHeaders, _ key: IdentityKey) {
        fields = Self.names.flatMap { name in
            headers.values(ByteString(name)).map { (name: name, value: $0) }
        }
        identity = key.identity(of: Self.lines(fields))
    }

    private static func lines(_ fields: [(name: String, value: ByteString)]) -> [ByteString] {
        fields.map { ByteString($0.name) + ": " + $0.value }
    }
}

/// Stands for credentials: the same for the same ones, as long as the process runs.
struct ClientIdentity: Hashable, Sendable {
    fileprivate let code: ObjectID
}

/// A random key, made anew with each start and never written down.
struct IdentityKey: Sendable {
    private let key: [UInt8]

    init() { key = (0 ..< Self.blockSize).map { _ in UInt8.random(in: 0 ... 255) } }

    /// That of SHA-256.
    private static let blockSize = 64

    /// HMAC-SHA-256 (RFC 2104) of the lines, each ended by an LF, which none of them holds.
    func identity(of lines: [ByteString]) -> ClientIdentity {
        var inner = PlainHasher(.sha256)
        inner.update(key.map { $0 ^ 0x36 })
        for line in lines { inner.update(line.bytes + [0x0a]) }
        var outer = PlainHasher(.sha256)
        outer.update(key.map { $0 ^ 0x5c })
        outer.update(Array(inner.finalize().rawBytes))
        return ClientIdentity(code: outer.finalize())
    }
}

extension PlainHasher {
    fileprivate mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }
}
