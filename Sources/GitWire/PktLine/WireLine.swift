import GitCore

/// A pkt-line of text: its payload without the LF at its end, and where that stands in the stream.
struct WireLine {
    let bytes: ArraySlice<UInt8>
    let offset: UInt64

    init(_ payload: ArraySlice<UInt8>, at offset: UInt64) {
        bytes = payload.last == 0x0a ? payload.dropLast() : payload
        self.offset = offset
    }

    /// What comes after `keyword` if the line starts with it.
    func value(after keyword: StaticString) -> ArraySlice<UInt8>? {
        keyword.withUTF8Buffer { prefix in
            bytes.starts(with: prefix) ? bytes.dropFirst(prefix.count) : nil
        }
    }

    func `is`(_ text: StaticString) -> Bool {
        value(after: text)?.isEmpty == true
    }

    /// - Throws: the server's error, if that is what this line is.
    func throwIfError() throws(WireError) {
        if let text = value(after: "ERR ") { throw WireError(remote: text) }
    }

    /// The id that is all of `hex`, a part of this line.
    func oid(_ hex: ArraySlice<UInt8>, _ format: ObjectFormat) throws(WireError) -> ObjectID {
        guard let oid = ObjectID(hex: hex.span, format) else {
            throw malformed("'\(Self.shown(hex))' is no \(format.name) object id")
        }
        return oid
    }

    /// `<oid> SP <rest>`
    func oidAndRest(
        _ part: ArraySlice<UInt8>, _ format: ObjectFormat
    ) throws(WireError) -> (oid: ObjectID, rest: ArraySlice<UInt8>) {
        let rest = part.dropFirst(format.hexCount)
        guard rest.first == 0x20 else { throw unexpected() }
        return (try oid(part.prefix(format.hexCount), format), rest.dropFirst())
    }

    func malformed(_ reason: String) -> WireError { .malformed(reason, at: offset) }

    func unexpected(_ context: String = "") -> WireError {
        malformed("unexpected line '\(Self.shown(bytes))'\(context)")
    }

    /// The start of what a peer sent, to be shown in a message.
    static func shown(_ bytes: ArraySlice<UInt8>) -> String {
        let start = ByteString(bytes.prefix(shownBytes)).printable
        return bytes.count > shownBytes ? start + "…" : start
    }

    private static let shownBytes = 80
}
