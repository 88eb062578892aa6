import GitCore

/// What a credential helper reads and writes:
///
///     *( key "=" value LF )
///
/// to the end of the file or an empty line. The keys used here are `protocol`, `host` (with the
/// port), `path`, `username` and `password`; a helper's other lines are passed over, but for `quit`.
/// No value may have a line end or NUL in it: it would become another line, and so another field
/// (CVE-2020-5260, CVE-2024-52006).
struct CredentialMessage {
    var scheme: ByteString
    var host: ByteString
    var path: ByteString?
    var username: ByteString?
    var password: ByteString?
    /// A helper's word that no one else should be asked.
    var quits = false

    /// A helper may write at most this many bytes.
    static let maximumSize = 16 << 10

    init(_ request: CredentialRequest, withPath: Bool) {
        scheme = request.url.scheme == .https ? "https" : "http"
        host = request.url.authority
        username = request.username
        guard withPath else { return }
        let trimmed = request.url.path.bytes.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let joined = trimmed.dropFirst().joined(separator: [UInt8(ascii: "/")])
        var decoded = Array(joined).percentDecoded ?? []
        while decoded.last == UInt8(ascii: "/") { decoded.removeLast() }
        path = ByteString(decoded)
    }

    /// Throws ``ClientError/Code/invalid`` where a value cannot be written safely.
    func serialized() throws(ClientError) -> [UInt8] {
        var bytes: [UInt8] = []
        let fields = [
            ("protocol", scheme), ("host", host), ("path", path), ("username", username),
            ("password", password),
        ]
        for (key, value) in fields {
            guard let value else { continue }
            guard Self.isSafe(value.bytes) else {
                throw ClientError(
                    .invalid, "credential value for \(key) contains a line end or NUL")
            }
            bytes += Array(key.utf8) + [UInt8(ascii: "=")] + value.bytes + [UInt8(ascii: "\n")]
        }
        return bytes
    }

    /// Takes over the user name and password that a helper wrote. What it says of protocol, host or
    /// path is not believed: it was asked for these.
    mutating func merge(_ output: [UInt8]) throws(ClientError) {
        for line in output.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if text.isEmpty { return }
            guard let mark = text.firstIndex(of: UInt8(ascii: "=")), Self.isSafe(text) else {
                throw ClientError(.invalid, "a credential helper wrote a line that is no key=value")
            }
            let value = ByteString(text[(mark + 1)...])
            switch ByteString(text[..<mark]) {
            case "username": username = value
            case "password": password = value
            case "quit": quits = ["1", "true", "yes", "on"].contains(value)
            default: break
            }
        }
    }

    private static func isSafe(_ value: some Sequence<UInt8>) -> Bool {
        !value.contains { $0 == 0 || $0 == 0x0a || $0 == 0x0d }
    }
}
