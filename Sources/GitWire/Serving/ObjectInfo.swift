public import GitCore

// gitprotocol-v2, "object-info", in pkt-lines. Arguments:
//
//     size LF
//     oid SP <oid> LF …
//
// Answer, as Git writes it, without LFs; nothing but the flush packet where no id was asked about:
//
//     size
//     <oid> SP <size> …           nothing behind the SP for an object that the server has not got
//     0000

/// What a version 2 client asks of `object-info`.
public struct ObjectInfoArguments: Sendable {
    /// Whether it wants to know the objects' sizes; there is nothing else to know yet.
    public internal(set) var size = false
    /// In the client's order, as often as they came.
    public internal(set) var oids: [ObjectID] = []
}

struct ObjectInfoGrammar {
    private(set) var arguments = ObjectInfoArguments()
    private let format: ObjectFormat
    private let limits: ServingLimits

    init(_ offer: UploadPackOffer, _ limits: ServingLimits) {
        format = offer.objectFormat
        self.limits = limits
    }

    mutating func take(_ line: WireLine) throws(WireError) {
        if line.is("size") { return arguments.size = true }
        guard let hex = line.value(after: "oid ") else {
            throw WireError(
                .unsupported, "object-info: unexpected line: '\(WireLine.shown(line.bytes))'")
        }
        try ServingLimits.check(
            arguments.oids.count, below: limits.objectInfos, "objects to tell about")
        arguments.oids.append(try line.oid(hex, format))
    }
}

/// Writes the answer to `object-info`, object by object.
public struct ObjectInfoResponse: Sendable {
    private var lines = PktLineWriter()
    private let tellsSize: Bool

    public init(_ arguments: ObjectInfoArguments) {
        tellsSize = arguments.size
        if arguments.size, !arguments.oids.isEmpty { lines.words("size") }
    }

    /// Bytes that wait to be taken.
    public var count: Int { lines.bytes.count }

    public mutating func takeBytes() -> [UInt8] { lines.takeBytes() }

    /// The next object asked about.
    ///
    /// - Parameter size: in bytes, unpacked; nil where the server has not got the object, or must not
    ///   tell.
    /// - Throws: never; the length of such a line is known.
    public mutating func object(_ oid: ObjectID, size: UInt64?) throws(WireError) {
        try lines.packet {
            oid.appendHex(to: &$0)
            if let size, !tellsSize { return _ = size }
            $0.append(0x20)
            if let size { $0.append(contentsOf: String(size).utf8) }
        }
    }

    public mutating func end() { lines.flush() }
}

/// Writes the answer to `bundle-uri` (gitprotocol-v2, "bundle-uri"): the server's `bundle.*`
/// configuration, a pkt-line `<key>=<value>` each.
public struct BundleURIResponse: Sendable {
    private var lines = PktLineWriter()

    public init() {}

    /// - Throws: ``WireError/Code/invalid`` for a line break or NUL, ``WireError/Code/limit`` where it
    ///   does not fit.
    public mutating func entry(_ key: ByteString, _ value: ByteString) throws(WireError) {
        try lines.text("", key + "=" + value, end: "")
    }

    public mutating func end() { lines.flush() }

    public mutating func takeBytes() -> [UInt8] { lines.takeBytes() }
}
