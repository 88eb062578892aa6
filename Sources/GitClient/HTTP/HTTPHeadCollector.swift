import GitCore

/// Puts the header lines of an answer together, as libcurl hands them on:
///
///     "HTTP/" version SP status [ SP reason ] CRLF
///     *( name ":" OWS value OWS CRLF )
///     CRLF
///
/// An interim answer (1xx), or a proxy's before the server's, begins anew with a status line; the
/// last one counts. The limits hold for all of them together.
struct HTTPHeadCollector: Sendable {
    private var status = 0
    private var headers = HTTPHeaders()
    private var bytes = 0
    private var fields = 0

    /// Whether any line has come.
    var hasStarted: Bool { bytes > 0 }

    /// The last answer; nil before its status line.
    var head: HTTPHead? {
        status == 0 ? nil : HTTPHead(status: status, headers: headers)
    }

    /// Takes one line; returns what is wrong with it, if anything.
    mutating func add(_ line: UnsafeRawBufferPointer) -> ClientError? {
        if let failure = count(line.count) { return failure }
        let text = line.prefix { $0 != 0x0d && $0 != 0x0a }
        if text.starts(with: "HTTP/".utf8) { return begin(text) }
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = text[text.startIndex ..< colon]
        var value = text[(colon + 1)...].drop(while: \.isWhiteSpace)
        while let last = value.last, last.isWhiteSpace { value = value.dropLast() }
        headers.append(String(decoding: name, as: UTF8.self), ByteString(value))
        return nil
    }

    /// Counts `size` more bytes of headers; returns the failure where they are too many.
    mutating func count(_ size: Int) -> ClientError? {
        bytes += size
        fields += 1
        guard bytes <= HTTPLimits.headerBytes, fields <= HTTPLimits.headerFields else {
            return ClientError(.limit, "the server's answer has too many or too long headers")
        }
        return nil
    }

    private mutating func begin(_ line: Slice<UnsafeRawBufferPointer>) -> ClientError? {
        headers = HTTPHeaders()
        let digits = line.drop { $0 != UInt8(ascii: " ") }.dropFirst().prefix { $0.isDigit }
        guard digits.count == 3 else {
            return ClientError(.protocolError, "the server's answer has a malformed status line")
        }
        status = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        return nil
    }
}
