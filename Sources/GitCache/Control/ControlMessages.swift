import GitCore

// What goes over the socket STORE/control, one request a connection:
//
//     request   word [SP argument] LF               at most 8,192 bytes, the LF included
//     answer    *( "-" text LF ) end
//     end       "ok" LF | "error " text LF
//     text      at most 65,536 bytes with what is before it and the LF, no control characters
//
//     status              what the cache has and does, for a person
//     status json         the same as JSON, whose lines together are one document
//     purge <repository>  HOST/path, or a URL that means one
//     verify              what is kept against what was written
//
// The argument is the rest of the line. After the end the connection is closed.

/// What somebody asks of a running cache.
enum ControlRequest: Equatable {
    case status(asJSON: Bool)
    case purge(ByteString)
    case verify

    static let longestLine = 8_192

    /// Reads a line, without its LF.
    ///
    /// - Throws: ``CacheError/Code/invalid``.
    init(parsing line: [UInt8]) throws(CacheError) {
        guard line.count < Self.longestLine, !line.contains(where: \.isControl) else {
            throw CacheError(.invalid, "the request is too long, or no text")
        }
        let parts = line.split(separator: 0x20, maxSplits: 1, omittingEmptySubsequences: false)
        let word = ByteString(parts.first ?? [])
        let argument = parts.count > 1 ? ByteString(parts[1]) : nil
        switch (word, argument) {
        case ("status", nil): self = .status(asJSON: false)
        case ("status", "json"): self = .status(asJSON: true)
        case ("verify", nil): self = .verify
        case ("purge", let name?) where !name.isEmpty: self = .purge(name)
        default: throw CacheError(.invalid, "'\(ByteString(line))' is no request")
        }
    }

    /// The line, with its LF.
    ///
    /// - Throws: ``CacheError/Code/invalid`` for an argument that has no place in one.
    func line() throws(CacheError) -> [UInt8] {
        let text: ByteString =
            switch self {
            case .status(let asJSON): asJSON ? "status json" : "status"
            case .purge(let name): "purge " + name
            case .verify: "verify"
            }
        _ = try Self(parsing: text.bytes)
        return text.bytes + [0x0a]
    }
}

/// A line of an answer.
enum ControlLine: Equatable {
    case text(String)
    case ok
    case error(String)

    static let longest = 65_536

    /// nil for a line that is none; without its LF.
    init?(parsing line: [UInt8]) {
        let text = ByteString(line)
        if text == "ok" {
            self = .ok
        } else if text.hasPrefix("error ") {
            self = .error(text.dropFirst("error ".utf8.count).printable)
        } else if text.hasPrefix("-") {
            self = .text(text.dropFirst(1).printable)
        } else {
            return nil
        }
    }

    /// With its LF; what is too long is cut off.
    var bytes: [UInt8] {
        let text =
            switch self {
            case .text(let text): "-" + ByteString(text).printable
            case .ok: "ok"
            case .error(let text): "error " + ByteString(text).printable
            }
        return Array(text.utf8.prefix(Self.longest - 1)) + [0x0a]
    }
}
